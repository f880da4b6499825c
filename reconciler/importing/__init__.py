"""Existing rows to resource files: raw cells to values, rows to documents, documents to YAML text. No I/O in here."""
