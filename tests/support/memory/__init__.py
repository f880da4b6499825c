"""Ports kept in dictionaries: for tests, and the plainest statement of what the real adapters have to do."""
