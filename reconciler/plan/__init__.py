"""The difference between two states, frozen, ordered and counted."""
