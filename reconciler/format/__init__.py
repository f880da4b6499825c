"""The canonical layout of YAML files: lines are moved and re-indented, nothing is written anew. No I/O."""
