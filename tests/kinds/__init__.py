"""Schemas to kinds."""
