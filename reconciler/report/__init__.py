"""Builds answers out of values, and renders them as text. Pure: the callers print and send."""
