"""Where policies and somebody's queries run: in a process of their own, which can be ended whatever they do.

DuckDB's own fences (no files, no extensions, no settings, a read-only transaction, `interrupt()`, a memory limit) hold
what runs between two chunks of rows. A single call such as `lpad('x', 2000000000)` is not interrupted, and constants
are worked out beyond the memory limit. So the fences stand inside a process, and the system's stand around it.

From the outside in: `engine` implements the port; `process` starts, asks and ends the
process; `faults` turns DuckDB's words into ours. `protocol` is what the two processes say to each other. `child` is
what runs in there: `database` holds the rows, `runner` runs one policy, which `screen` looks through first, unless it
would say what it said before. `plans` are kept for the next time, and `deadline` stops what takes too long.
"""
