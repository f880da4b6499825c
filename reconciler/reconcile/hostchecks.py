"""What a doctor makes of the facts of a host. Pure: whoever asks has looked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.model.host import Diagnosis, Grade

if TYPE_CHECKING:
    from datetime import datetime, timedelta


OLDEST_GIT = (2, 31)
"""`git rev-parse --path-format`, which finds the repository, came with it."""

LITTLE, TOO_LITTLE = 1 << 30, 100 << 20
"""Free bytes that are worth a word, and with which a store may not survive its next write."""

AHEAD = 300
APART = 30
"""Seconds: how far a commit may lie in the future, and how far two clocks may differ, before time stamps mislead."""

CLOCK_HINT = "set this machine's clock by a time server (chrony, systemd-timesyncd, w32tm /resync)"


def check_git_version(said: str) -> Diagnosis:
    """Of what `git --version` says."""
    found = re.search(r"(\d+)\.(\d+)(?:\.\d+)*", said)
    if found is None:
        return Diagnosis("git", Grade.WARNING, f"git does not tell its version: {said}", "see that git is git")
    if (int(found[1]), int(found[2])) < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        return Diagnosis("git", Grade.PROBLEM, f"git {found[0]} is too old", f"install git {oldest} or newer")
    return Diagnosis("git", Grade.OK, f"git {found[0]}")


def check_clone(shallow: bool) -> Diagnosis:
    """Of whether history was cut off."""
    if not shallow:
        return Diagnosis("clone", Grade.OK, "the whole history is here")
    message = "this is a shallow clone: created_at and updated_at of rows older than it differ from a full clone's"
    return Diagnosis("clone", Grade.WARNING, message, "git fetch --unshallow, then sync again")


def check_disk(free: int, total: int) -> Diagnosis:
    """Of the bytes on the state folder's disk."""
    message = f"{_size(free)} of {_size(total)} are free"
    hint = "free some disk space, or move the state folder (state.dir) to a larger disk"
    if free < TOO_LITTLE:
        return Diagnosis("disk", Grade.PROBLEM, message, hint)
    return Diagnosis("disk", Grade.WARNING, message, hint) if free < LITTLE else Diagnosis("disk", Grade.OK, message)


def check_commit_clock(now: datetime, committed: datetime) -> Diagnosis:
    """Of this machine's time, and that of the newest commit: a commit cannot have been made after now."""
    ahead = (committed - now).total_seconds()
    if ahead <= AHEAD:
        return Diagnosis("clock", Grade.OK, f"{canonical.timestamp(now.replace(microsecond=0))}, later than the head")
    message = f"the head was committed {_span(ahead)} ahead of this machine's clock"
    return Diagnosis("clock", Grade.WARNING, message, f"{CLOCK_HINT}, or see to the clock of whoever committed")


def check_history_clock(apart: timedelta) -> Diagnosis:
    """Of how far the history's clock is ahead of this machine's, give or take the time an answer takes."""
    seconds = apart.total_seconds()
    if abs(seconds) <= APART:
        return Diagnosis("clock", Grade.OK, "this machine and the ClickHouse server agree")
    way = "behind" if seconds > 0 else "ahead of"
    message = f"this machine's clock is {_span(abs(seconds))} {way} the ClickHouse server's"
    return Diagnosis("clock", Grade.WARNING, message, f"{CLOCK_HINT}, or the server's")


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:  # noqa: PLR2004
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
