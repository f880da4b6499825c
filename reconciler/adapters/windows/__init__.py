"""The service manager of Windows: what a service is made of, and what tells it so. pywin32 is driven here alone."""
