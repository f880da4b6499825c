"""Rules of sessions: what may begin one, what is kept of it. Pure: the records are behind the port `Sessions`."""
