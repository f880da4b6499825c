"""The canonical layout of YAML files: lines are moved and re-indented, never rewritten. No I/O."""
