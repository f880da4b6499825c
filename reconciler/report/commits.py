"""Commits and versions as text and JSON."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.report import problems
from reconciler.report.escape import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.commit import Signature
    from reconciler.ports import Applied, Attempt, VersionRow

VERSION_HEADERS = ("height", "commit", "status", "rows", "committed", "author", "message")

SHORT = 8
"""Characters of an abbreviated sha."""


def short(sha: str) -> str:
    """A sha as people write it."""
    return sha[:SHORT]


def subject(message: str) -> str:
    """The first line of a commit message."""
    return next(iter(message.strip().splitlines()), "")


def build_applied(applied: Applied | None) -> dict[str, Any] | None:
    """The applied commit."""
    if applied is None:
        return None
    return {
        "commit": applied.stamp.commit,
        "height": applied.height,
        "digest": applied.digest,
        "committed_at": canonical.timestamp(applied.stamp.time),
        "applied_at": canonical.timestamp(applied.at),
    }


def build_attempt(attempt: Attempt | None) -> dict[str, Any] | None:
    """A commit that was looked at."""
    if attempt is None:
        return None
    return {
        "commit": attempt.stamp.commit,
        "committed_at": canonical.timestamp(attempt.stamp.time),
        "attempted_at": canonical.timestamp(attempt.at),
        "refused": attempt.refused,
        "problems": [problems.build_problem(problem) for problem in attempt.problems],
    }


def build_version(version: VersionRow) -> dict[str, Any]:
    """A version of the ledger."""
    return {
        "commit": version.commit.sha,
        "height": version.height,
        "mainline": version.mainline,
        "parents": list(version.commit.parents),
        "author": build_person(version.commit.author),
        "committer": build_person(version.commit.committer),
        "message": version.commit.message,
        "signed": version.commit.signed,
        "status": version.status,
        "problems": [problems.build_problem(problem) for problem in version.problems],
        "creates": version.creates,
        "updates": version.updates,
        "deletes": version.deletes,
        "digest": version.digest,
        "orphaned": version.orphaned,
        "recorded_at": canonical.timestamp(version.recorded_at),
    }


def build_person(signature: Signature) -> dict[str, str]:
    """An author or committer."""
    return {"name": signature.name, "email": signature.email, "time": signature.time.isoformat()}


def version_cells(version: Mapping[str, Any]) -> list[str]:
    """A version's JSON as a table's row: `+1 ~2 -0` counts what it did; a side branch's height stands in brackets."""
    height = str(version["height"]) if version["mainline"] else f"({version['height']})"
    status = f"{version['status']} orphaned" if version["orphaned"] else version["status"]
    rows = f"+{version['creates']} ~{version['updates']} -{version['deletes']}"
    return [
        height,
        short(version["commit"]),
        status,
        rows if version["status"] == "VALID" else "-",
        canonical.timestamp(datetime.fromisoformat(version["committer"]["time"])),
        visible(version["author"]["name"]),
        visible(subject(version["message"])),
    ]
