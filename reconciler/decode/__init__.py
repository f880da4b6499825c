"""Bytes to documents: YAML 1.2 with positions, and a problem for whatever would bite. Knows no kind."""
