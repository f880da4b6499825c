"""What history rows say of the past."""
