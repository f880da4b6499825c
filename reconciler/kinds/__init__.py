"""Kinds are data: one JSON Schema file each, and everything else derived from it. No I/O: texts in, kinds out."""
