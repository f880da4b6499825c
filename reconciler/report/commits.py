"""Commits and versions as answers and text."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, cast

from msgspec import UNSET, UnsetType

from reconciler import answers, canonical
from reconciler.history.drifts import of_interval
from reconciler.history.fate import NEVER_LIVE, Fate
from reconciler.model.intervals import IntervalEnd
from reconciler.report.escape import Moments, escape_line, strip_fraction
from reconciler.report.problems import build_problem
from reconciler.report.tables import Column, Nature, TextTable
from reconciler.times import format_span
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.history.fate import CommitFate
    from reconciler.model.commit import Applied, Attempt, Signature
    from reconciler.model.host import HostEvent
    from reconciler.model.rows import VersionRow

VERSION_HEADERS = ("height", "commit", "status", "fate", "rows", "committed", "author", "message")
"""Where nothing has to fit."""
VERSION_COLUMNS = (
    Column("height", 6, Nature.NUMBER),
    Column("commit", 0, Nature.NAME),
    Column("fate", 0, Nature.STATE),
    Column("detail", 4),
    Column("rows", 5),
    Column("committed", 2),
    Column("author", 3, Nature.NAME),
    Column("message", 1, Nature.SUBJECT),
)
MAX_RULES = 3
"""Rules that a fate names; the others are counted."""

SHORT_SHA_LENGTH = 8
NOT_LIVE = frozenset(map(str, NEVER_LIVE))
"""The fates of commits whose changes are not live."""


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


def build_version(version: VersionRow, fate: CommitFate, branch: str | None = None) -> answers.Version:
    """A commit as the history recorded it, and its fate on a host; `branch` where it is not the one asked."""
    return answers.Version(
        branch=UNSET if branch is None else branch,
        fate=cast("answers.FateWord", str(fate.fate)),
        refused_by=fate.refused_by,
        live=build_spans(fate),
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


def build_spans(fate: CommitFate) -> tuple[answers.LiveSpan, ...]:
    """When a commit was live on a host."""
    return tuple(
        answers.LiveSpan(
            host=fate.host,
            since=canonical.timestamp(one.since),
            until=canonical.timestamp(one.until) if one.until else None,
            ended=cast("answers.WhyEnded", str(one.ended)) if one.ended else None,
            drift=tuple(map(_build_drift_event, of_interval(fate.drift, one))) or UNSET,
        )
        for one in fate.intervals
    )


def _build_drift_event(event: HostEvent) -> answers.DriftEvent:
    counts = cast("dict[str, int]", event.detail.get("counts") or {})
    name = cast('Literal["drift-found", "drift-healed", "drift-gone"]', event.event)
    return answers.DriftEvent(at=canonical.timestamp(event.at), event=name, rows=dict(counts))


def fate_text(
    fate: answers.FateWord | UnsetType, live: Sequence[answers.LiveSpan], refused_by: Sequence[str] = ()
) -> str:
    """A fate in words: since when it is live, from when to when it last was, or by which rules it was refused."""
    if fate is UNSET:
        return ""
    if str(fate) == Fate.REFUSED:
        return f"refused by {list_words(refused_by, MAX_RULES)}" if refused_by else "refused"
    if not live:
        return str(fate)
    since, until = strip_fraction(last_live_since(live)), live[-1].until
    if str(fate) == Fate.SKIPPED and until is not None:
        return f"skipped at {strip_fraction(until)}, rolled back"
    drifted = _drifted_mark(live)
    return f"live from {since}{drifted}" if until is None else f"was-live {since} to {strip_fraction(until)}{drifted}"


def last_live_since(live: Sequence[answers.LiveSpan]) -> str:
    """When a commit last went live: that halts changed meanwhile began another interval of the same commit."""
    spans = reversed(live)
    since = next(spans).since
    for span in spans:
        if span.ended != str(IntervalEnd.HALT_CHANGED) or span.until != since:
            break
        since = span.since
    return since


def _drifted_mark(live: Sequence[answers.LiveSpan]) -> str:
    return ", drifted" if any(span.drift is not UNSET for span in live) else ""


def fate_words(version: answers.Version) -> str:
    """A fate as a state: without rules and times."""
    fate = "" if version.fate is UNSET else str(version.fate)
    orphaned = ", orphaned" if version.orphaned else ""
    return f"{fate}{_drifted_mark(version.live)}{orphaned}"


def fate_detail(version: answers.Version, moments: Moments) -> str:
    """What there is to say of a fate: one of the rules, since when it is live, or for how long it was."""
    if version.refused_by:
        rules = version.refused_by
        return f"by {rules[0]}" + (f" +{len(rules) - 1}" if len(rules) > 1 else "")
    live = version.live
    if not live:
        return "-"
    if live[-1].until is None:
        return moments.short(live[-1].since)
    spans = (datetime.fromisoformat(one.until or one.since) - datetime.fromisoformat(one.since) for one in live)
    return f"for {format_span(sum(span.total_seconds() for span in spans))}"


def build_person(signature: Signature) -> answers.Person:
    return answers.Person(name=signature.name, email=signature.email, time=signature.time.isoformat())


def version_table(versions: Sequence[answers.Version], moments: Moments) -> TextTable:
    """The versions for a terminal: each takes one line."""
    return TextTable(VERSION_COLUMNS, [_terminal_cells(version, moments) for version in versions])


def plain_version_table(versions: Sequence[answers.Version]) -> TextTable:
    """The versions with all that there is to say, for files and pipes."""
    return TextTable(tuple(map(Column, VERSION_HEADERS)), [version_cells(version) for version in versions])


def version_cells(version: answers.Version) -> list[str]:
    """A version as a table's row. `+1 ~2 -0` counts row changes; the height on a side branch is in brackets."""
    return [
        _height_text(version),
        short_sha(version.commit),
        f"{version.status} orphaned" if version.orphaned else version.status,
        fate_text(version.fate, version.live, version.refused_by),
        _rows_text(version),
        canonical.timestamp(datetime.fromisoformat(version.committer.time)),
        escape_line(version.author.name),
        escape_line(subject_line(version.message)),
    ]


def _terminal_cells(version: answers.Version, moments: Moments) -> list[str]:
    return [
        _height_text(version),
        short_sha(version.commit),
        fate_words(version) or version.status.lower(),
        fate_detail(version, moments),
        _rows_text(version),
        moments.short(canonical.timestamp(datetime.fromisoformat(version.committer.time))),
        escape_line(version.author.name),
        escape_line(subject_line(version.message)),
    ]


def _height_text(version: answers.Version) -> str:
    return str(version.height) if version.mainline else f"({version.height})"


def _rows_text(version: answers.Version) -> str:
    went_live = version.status == "VALID" and version.fate not in NOT_LIVE
    return f"+{version.creates} ~{version.updates} -{version.deletes}" if went_live else "-"
