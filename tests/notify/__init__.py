"""What people are told, by whom it is taken, and what waits meanwhile."""
