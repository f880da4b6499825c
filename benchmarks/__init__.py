"""Measurements, not tests: `make bench` prints a table of what the targets are and what this machine does."""
