"""Frozen values that every stage passes on. Nothing here reads, writes or decides."""
