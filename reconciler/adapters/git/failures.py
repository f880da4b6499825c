"""What git says when it fails, as one of our errors: who has to do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater, UsageError

if TYPE_CHECKING:
    from pathlib import Path

PREFIXES = ("fatal: ", "error: ")
LACKING = ("promisor remote", "lazy fetch", "could not fetch", "missing blob", "not allowed")
EXHAUSTED = ("Cannot allocate memory", "Too many open files", "Out of memory", "Resource temporarily unavailable")


def complaint(stderr: str) -> str:
    """The line that says why: the first that starts with `fatal:`, else with `error:`, else the last one."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for prefix in PREFIXES:
        found = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
        if found:
            return found[0]
    return lines[-1] if lines else "git ended without a word"


def failure(stderr: str, code: int, place: Path, asked: str = "") -> ReconcilerError:
    """The error for a git that ended with `code`; `asked` names the object or revision that was being read."""
    said = complaint(stderr)
    about = f" at {asked}" if asked else ""
    if "dubious ownership" in stderr:
        return NeedsHuman(
            f"the repository {place} belongs to another user, and git refuses to read it",
            hint=f"if you trust it: git config --global --add safe.directory '{place.as_posix()}'",
        )
    if "not a git repository" in stderr:
        return not_a_repository(place)
    if any(words in stderr for words in LACKING):
        return lacks(place, asked)
    if code < 0 or any(words in stderr for words in EXHAUSTED):
        return RetryLater(f"git was stopped in {place}{about}: {said}", hint="see whether memory or disk ran out")
    return NeedsHuman(f"git cannot read the repository {place}{about}: {said}", hint=repair(place))


def not_a_repository(place: Path) -> UsageError:
    """There is no repository around a path."""
    return UsageError(f"{place} is not in a git repository", hint="name one with --repo PATH, or make one: git init")


def lacks(place: Path, name: str) -> NeedsHuman:
    """An object that should be there is not: a partial clone, or a damaged repository."""
    return NeedsHuman(
        f"the repository {place} lacks the object {name or 'that was asked for'}",
        hint=f"a partial clone (--filter) is not enough: clone again in full; otherwise {repair(place)}",
    )


def repair(place: Path) -> str:
    """What to do about a damaged repository."""
    return f"run `git -C '{place.as_posix()}' fsck --full`, and clone again when it finds damage"
