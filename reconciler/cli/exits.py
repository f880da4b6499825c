"""Exit codes, as scripts and CI rely on them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the exit code says."""

    OK = 0
    PROBLEMS = 1
    DIFFERENT = 2
    FAILED = 3
    INTERRUPTED = 130
