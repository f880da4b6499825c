"""What the daemon's pages show, put together from store, history and host: reads only, for any thread."""
