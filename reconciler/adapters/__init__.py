"""The edges: one driver each, imported nowhere else. Adapters do not know each other."""
