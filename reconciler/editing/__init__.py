"""Changing single fields of resources in their YAML: what people type becomes edits of a text. No I/O."""
