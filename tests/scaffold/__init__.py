"""Skeletons, field tables and new repositories."""
