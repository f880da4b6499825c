"""Live rows to what the live view holds of them. Pure: the view is behind the port `Cache`."""
