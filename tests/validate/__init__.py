"""Documents to resources."""
