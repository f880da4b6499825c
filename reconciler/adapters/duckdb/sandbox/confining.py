"""What the system is asked to keep the process from, should DuckDB's own fences fail. Windows has none of it."""

from __future__ import annotations

import os
import sys

MOST_BYTES = 2 * 1024**3
"""What the process may allocate in all: four times what DuckDB keeps to, for what it does not count."""

if sys.platform == "win32":

    def limit_memory() -> None:
        """Nothing: DuckDB's own limit and the deadline have to do."""

    def close_doors() -> None:
        """Nothing: DuckDB's own fences have to do."""

else:
    import resource

    def limit_memory() -> None:
        """No more memory than `MAX_QUERY_BYTES`, and no core file of what did not get it."""
        _lower(resource.RLIMIT_DATA, MOST_BYTES)
        _lower(resource.RLIMIT_CORE, 0)

    def close_doors() -> None:
        """No file can be opened from now on, no connection be made, and no byte be written to a file."""
        lowest = os.dup(0)
        os.close(lowest)
        _lower(resource.RLIMIT_NOFILE, lowest)
        _lower(resource.RLIMIT_FSIZE, 0)

    def _lower(what: int, to: int) -> None:
        _, hard = resource.getrlimit(what)
        most = to if hard == resource.RLIM_INFINITY else min(to, hard)
        resource.setrlimit(what, (most, most))
