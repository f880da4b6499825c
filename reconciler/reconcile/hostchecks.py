"""What `doctor` says of a host, from facts that the caller has gathered. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.model.host import Diagnosis, Grade

if TYPE_CHECKING:
    from datetime import datetime, timedelta


OLDEST_GIT = (2, 31)
"""The first version with `git rev-parse --path-format`, which finds the repository."""
LOW_SPACE, CRITICAL_SPACE = 1 << 30, 100 << 20
"""Free bytes below which to warn, and below which a store may not survive its next write."""
MAX_AHEAD = 300
MAX_CLOCK_DIFFERENCE = 30
"""Seconds that a commit may lie in the future, and that two clocks may differ, before time stamps mislead."""
CLOCK_HINT = "set this machine's clock by a time server (chrony, systemd-timesyncd, w32tm /resync)"


def check_git_version(output: str) -> Diagnosis:
    """Check the output of `git --version`."""
    version = re.search(r"(\d+)\.(\d+)(?:\.\d+)*", output)
    if version is None:
        return Diagnosis("git", Grade.WARNING, f"git does not tell its version: {output}", "see that git is git")
    if (int(version[1]), int(version[2])) < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        return Diagnosis("git", Grade.PROBLEM, f"git {version[0]} is too old", f"install git {oldest} or newer")
    return Diagnosis("git", Grade.OK, f"git {version[0]}")


def check_clone(is_shallow: bool) -> Diagnosis:
    """Check whether the clone has the whole history."""
    if not is_shallow:
        return Diagnosis("clone", Grade.OK, "the whole history is here")
    message = "this is a shallow clone: created_at and updated_at of rows older than it differ from a full clone's"
    return Diagnosis("clone", Grade.WARNING, message, "git fetch --unshallow, then sync again")


def check_disk(free: int, total: int) -> Diagnosis:
    """Check the bytes on the state folder's disk."""
    message = f"{_format_size(free)} of {_format_size(total)} are free"
    hint = "free some disk space, or move the state folder (state.dir) to a larger disk"
    if free < CRITICAL_SPACE:
        return Diagnosis("disk", Grade.PROBLEM, message, hint)
    return Diagnosis("disk", Grade.WARNING, message, hint) if free < LOW_SPACE else Diagnosis("disk", Grade.OK, message)


def check_commit_clock(now: datetime, committed: datetime) -> Diagnosis:
    """Check this machine's clock against the newest commit, which cannot lie in the future."""
    ahead = (committed - now).total_seconds()
    if ahead <= MAX_AHEAD:
        return Diagnosis("clock", Grade.OK, f"{canonical.timestamp(now.replace(microsecond=0))}, later than the head")
    message = f"the head was committed {_format_duration(ahead)} ahead of this machine's clock"
    return Diagnosis("clock", Grade.WARNING, message, f"{CLOCK_HINT}, or see to the clock of whoever committed")


def check_history_clock(difference: timedelta) -> Diagnosis:
    """Check by how much the history's clock is ahead of this machine's, plus or minus the time an answer takes."""
    seconds = difference.total_seconds()
    if abs(seconds) <= MAX_CLOCK_DIFFERENCE:
        return Diagnosis("clock", Grade.OK, "this machine and the ClickHouse server agree")
    way = "behind" if seconds > 0 else "ahead of"
    message = f"this machine's clock is {_format_duration(abs(seconds))} {way} the ClickHouse server's"
    return Diagnosis("clock", Grade.WARNING, message, f"{CLOCK_HINT}, or the server's")


def _format_size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:  # noqa: PLR2004
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def _format_duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
