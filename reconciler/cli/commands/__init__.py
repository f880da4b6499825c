"""One module for each command: options in, a call, and its result printed."""
