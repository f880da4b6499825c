"""Commits and versions as answers and text."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, cast

from reconciler import answers, canonical
from reconciler.report.escape import escape_line
from reconciler.report.problems import build_problem

if TYPE_CHECKING:
    from reconciler.model.commit import Applied, Attempt, Signature
    from reconciler.model.rows import VersionRow

VERSION_HEADERS = ("height", "commit", "status", "rows", "committed", "author", "message")

SHORT_SHA_LENGTH = 8


def short_sha(sha: str) -> str:
    return sha[:SHORT_SHA_LENGTH]


def subject_line(message: str) -> str:
    """The first line of a commit message."""
    return next(iter(message.strip().splitlines()), "")


def build_applied(applied: Applied | None) -> answers.Applied | None:
    """The applied commit; None stays None."""
    if applied is None:
        return None
    return answers.Applied(
        commit=applied.stamp.commit,
        height=applied.height,
        digest=applied.digest,
        committed_at=canonical.timestamp(applied.stamp.time),
        applied_at=canonical.timestamp(applied.at),
    )


def build_attempt(attempt: Attempt | None) -> answers.Attempt | None:
    """A commit that a sync tried to apply; None stays None."""
    if attempt is None:
        return None
    return answers.Attempt(
        commit=attempt.stamp.commit,
        committed_at=canonical.timestamp(attempt.stamp.time),
        attempted_at=canonical.timestamp(attempt.at),
        refused=attempt.refused,
        problems=tuple(map(build_problem, attempt.problems)),
    )


def build_version(version: VersionRow) -> answers.Version:
    """A commit as the history recorded it."""
    return answers.Version(
        commit=version.commit.sha,
        height=version.height,
        mainline=version.mainline,
        parents=tuple(version.commit.parents),
        author=build_person(version.commit.author),
        committer=build_person(version.commit.committer),
        message=version.commit.message,
        signed=version.commit.signed,
        status=cast("answers.Verdict", str(version.status)),
        problems=tuple(map(build_problem, version.problems)),
        creates=version.creates,
        updates=version.updates,
        deletes=version.deletes,
        digest=version.digest,
        orphaned=version.orphaned,
        recorded_at=canonical.timestamp(version.recorded_at),
    )


def build_person(signature: Signature) -> answers.Person:
    return answers.Person(name=signature.name, email=signature.email, time=signature.time.isoformat())


def version_cells(version: answers.Version) -> list[str]:
    """A version as a table's row. `+1 ~2 -0` counts row changes; the height on a side branch is in brackets."""
    height = str(version.height) if version.mainline else f"({version.height})"
    status = f"{version.status} orphaned" if version.orphaned else version.status
    rows = f"+{version.creates} ~{version.updates} -{version.deletes}"
    return [
        height,
        short_sha(version.commit),
        status,
        rows if version.status == "VALID" else "-",
        canonical.timestamp(datetime.fromisoformat(version.committer.time)),
        escape_line(version.author.name),
        escape_line(subject_line(version.message)),
    ]
