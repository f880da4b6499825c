"""How many files this process may have open: many systems begin with 1,024, which 1,000 clients use up."""

from __future__ import annotations

import contextlib
import sys


def allow_files(wanted: int) -> None:
    """Raise the limit to so many, as far as that may be done. On Windows there is none to raise."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  Windows has no such module

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):  # a container may forbid it: the server takes fewer clients then
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
