"""Answers out of the history, and their text."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from msgspec import UNSET, structs

from reconciler import answers, canonical, reviews
from reconciler.answers import Answer
from reconciler.history.changes import names_of
from reconciler.history.fate import WENT_LIVE
from reconciler.history.points import RECORDED_BY
from reconciler.model.commit import Status
from reconciler.report.commits import NOT_LIVE, build_person, build_spans, fate_text, short_sha, subject_line
from reconciler.report.escape import Moments, escape_line, strip_fraction
from reconciler.report.plans import (
    LineStyle,
    build_change,
    build_plan_summary,
    describe_change,
    fit_changes,
    full_change_lines,
    omitted_changes_note,
)
from reconciler.report.problems import build_problem, plural
from reconciler.report.sync import build_recorded_drift, drift_record_text, drifted_row_lines
from reconciler.report.tables import Column, Nature, TextTable
from reconciler.report.views import format_value
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.history.changes import FieldBlame
    from reconciler.history.drifts import PastDrift
    from reconciler.history.fate import CommitFate
    from reconciler.history.points import NamedPoint
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.ledger.copy import CopiedTable
    from reconciler.model.change import Change
    from reconciler.model.rows import HistoryRow, VersionRow
    from reconciler.plan import Plan


BLAME_COLUMNS = (
    Column("field", 0, Nature.NAME),
    Column("value"),
    Column("commit", 1, Nature.NAME),
    Column("committed", 3),
    Column("author", 2, Nature.NAME),
    Column("message", 4, Nature.SUBJECT),
)
MAX_NOTED = 20
"""Rows that a warning names."""


class BlamedField(Answer, frozen=True):
    """A field of a live row, and the commit that last set it."""

    field: str
    value: Any
    unit: str
    commit: answers.Sha
    height: answers.Count
    committed_at: answers.Moment
    author: answers.Person
    message: str


class Blame(Answer, frozen=True):
    kind: str
    name: str
    id: str
    fields: tuple[BlamedField, ...]


def build_recorded_change(
    version: VersionRow, change: Change, kinds: Kinds, fate: CommitFate, branch: str | None = None
) -> answers.RecordedChange:
    """A change with who made it, when and in which commit, and what became of that; `branch` where it is another."""
    described = structs.asdict(build_described_change(change, kinds))
    del described["halted"]  # halts are no part of what git says
    return answers.RecordedChange(
        **_commit_fields(version),
        orphaned=version.orphaned,
        **described,
        branch=UNSET if branch is None else branch,
        fate=cast("answers.FateWord", str(fate.fate)),
        refused_by=fate.refused_by,
        live=build_spans(fate),
    )


def build_described_change(change: Change, kinds: Kinds) -> answers.DescribedChange:
    """A change as a plan has it, with its text. `path` and `line` are None where the history does not know them."""
    return _without_path(change, describe_change(build_change(change, kinds), full_change_lines(change, kinds)))


def fit_described(changes: Sequence[Change], kinds: Kinds) -> tuple[tuple[answers.DescribedChange, ...], int]:
    """As many of the first changes as there is room for, and how many are left out."""
    shown, omitted = fit_changes(changes, kinds, full_change_lines)
    return tuple(map(_without_path, changes, shown)), omitted


def _without_path(change: Change, described: answers.DescribedChange) -> answers.DescribedChange:
    return described if change.resource.path else replace(described, path=None, line=None)


def build_diff(plan: Plan, kinds: Kinds) -> reviews.Diff:
    """A plan between two points of the history, as much of it as there is room for."""
    changes, omitted = fit_described(plan.changes, kinds)
    return reviews.Diff(
        base=plan.base,
        head=plan.head,
        changes=changes,
        summary=build_plan_summary(plan, omitted),
        problems=tuple(map(build_problem, plan.problems)),
    )


def build_history_point(place: NamedPoint, fate: CommitFate) -> answers.HistoryPoint:
    return answers.HistoryPoint(
        branch=UNSET if place.branch is None else place.branch,
        fate=cast("answers.FateWord", str(fate.fate)),
        refused_by=fate.refused_by,
        shown=UNSET if place.shown is None else place.shown,
        asked=place.name,
        **_commit_fields(place.version),
        status=cast("answers.Verdict", str(place.version.status)),
        orphaned=place.version.orphaned,
        by="host" if place.by_host else "git",
    )


def build_blame(kind: Kind, row: HistoryRow, blamed: Iterable[FieldBlame]) -> Blame:
    """Each field of a row with the commit that last set it."""
    name, id_ = names_of(kind, row)
    units = {column.name: column.unit_in(row.values) for column in kind.columns}
    fields = tuple(
        BlamedField(
            field=field.field,
            value=canonical.to_json_value(field.value),
            unit=units.get(field.field, ""),
            **_commit_fields(field.version),
        )
        for field in blamed
    )
    return Blame(kind=kind.name, name=name, id=id_, fields=fields)


def add_drift(change: answers.RecordedChange, drifts: Iterable[PastDrift]) -> answers.RecordedChange:
    """A change with how the row differed later from what it had made of it, the newest first."""
    built = tuple(build_recorded_drift(one) for one in sorted(drifts, key=lambda one: one.found, reverse=True))
    return replace(change, drift=built) if built else change


def drift_notes(drifts: Sequence[answers.RecordedDrift]) -> Iterator[str]:
    """What of some rows was, or may have been, otherwise at the time that is asked about."""
    for drift in drifts[:MAX_NOTED]:
        differed = "differed then from what is shown" if drift.certain else "may have differed then from what is shown"
        heading, *fields = drifted_row_lines(drift)
        yield "\n".join([f"rows {differed}: {drift_record_text(drift)}", heading, *fields])
    if len(drifts) > MAX_NOTED:
        yield f"{len(drifts) - MAX_NOTED:,} more rows differed then, or may have: see --format json"


def history_lines(
    changes: Iterable[answers.RecordedChange], fit: Callable[[str, str, str], str]
) -> Iterator[tuple[LineStyle, str]]:
    """Each commit with the changes that it made. `fit` makes a line of three parts, of which the second may be cut."""
    for position, (_, group) in enumerate(groupby(changes, key=lambda change: change.commit)):
        changes_of_commit = list(group)
        if position:
            yield LineStyle.NOTE, ""
        for drift in (drift for change in changes_of_commit for drift in change.drift or ()):
            yield LineStyle.NOTE, f"drift     {drift_record_text(drift)}"
            yield from ((LineStyle.CHANGE, line) for line in drifted_row_lines(drift))
            yield LineStyle.NOTE, ""
        yield LineStyle.NOTE, _heading(changes_of_commit[0], fit)
        yield from _change_lines(changes_of_commit)


def has_changes(diff: reviews.Diff) -> bool:
    """Whether anything differs, shown or not."""
    return bool(diff.summary.create or diff.summary.update or diff.summary.delete)


def diff_lines(diff: reviews.Diff) -> Iterator[tuple[LineStyle, str]]:
    """The changes and their counts, as a plan has them."""
    yield from _change_lines(diff.changes)
    counts = diff.summary
    if counts.omitted is not UNSET:
        yield LineStyle.NOTE, omitted_changes_note(counts.omitted)
    if has_changes(diff):
        yield LineStyle.NOTE, ""
    nothing = "" if has_changes(diff) else "no changes, "
    yield LineStyle.NOTE, f"{nothing}{counts.unchanged:,} unchanged"
    to_do = {"to create": counts.create, "to update": counts.update, "to delete": counts.delete}
    yield LineStyle.NOTE, canonical.join_counts(to_do) + "."


def history_point_text(point: answers.HistoryPoint) -> str:
    """The commit that was found, and why it is that one."""
    commit = f"{short_sha(point.commit)}, commit {point.height}, committed {strip_fraction(point.committed_at)}"
    orphaned = ", orphaned" if point.orphaned else ""
    if point.by == "host":
        on = f" (branch {escape_line(point.branch)})" if point.branch is not UNSET else ""
        return f"{commit}, live on this host then{on}{orphaned}"
    if point.shown is not UNSET:
        fate = fate_text(point.fate, (), point.refused_by)
        return f"{commit}, {fate}: what was live before it, {short_sha(point.shown)}{orphaned}"
    if point.status == Status.INVALID:
        return f"{commit}, invalid: what was valid before it{orphaned}"
    went_live = point.fate in (UNSET, *WENT_LIVE)
    return f"{commit}{'' if went_live else ', as git has it'}{orphaned}"


def blame_table(blame: Blame, moments: Moments) -> TextTable:
    """The fields as a table."""
    return TextTable(BLAME_COLUMNS, [_blame_cells(field, moments) for field in blame.fields])


def _blame_cells(field: BlamedField, moments: Moments) -> list[str]:
    text = format_value(field.value)
    return [
        escape_line(field.field),
        f"{text} {field.unit}" if field.unit and field.value is not None else text,
        short_sha(field.commit),
        moments.short(field.committed_at),
        escape_line(field.author.name),
        escape_line(subject_line(field.message)),
    ]


def orphans_note(orphaned: int) -> str:
    """Where to find the commits that the branch no longer reaches; empty when there are none."""
    return f"{plural(orphaned, 'commit')} left the branch: `reconciler log --status orphaned`" if orphaned else ""


def unrecorded_note(commit: str | None) -> str:
    """That the live commit is not listed, and who records it; empty when it is."""
    return f"{short_sha(commit)} is live and not in the history yet: {RECORDED_BY}" if commit else ""


def _change_lines(
    changes: Iterable[answers.RecordedChange | answers.DescribedChange],
) -> Iterator[tuple[LineStyle, str]]:
    for change in changes:
        for line in change.text.split("\n"):
            yield LineStyle.CHANGE, line


def _heading(change: answers.RecordedChange, fit: Callable[[str, str, str], str]) -> str:
    mark = "  (orphaned)" if change.orphaned else ""
    if change.fate in NOT_LIVE:
        mark += f"  ({fate_text(change.fate, (), change.refused_by)})"
    elif change.branch is not UNSET:
        mark += f"  ({fate_text(change.fate, change.live)}, branch {escape_line(change.branch)})"
    when, who = strip_fraction(change.committed_at), escape_line(change.author.name)
    return fit(f"{short_sha(change.commit)}  {when}  {who}  ", escape_line(subject_line(change.message)), mark)


def _commit_fields(version: VersionRow) -> dict[str, Any]:
    return {
        "commit": version.commit.sha,
        "height": version.height,
        "committed_at": canonical.timestamp(version.commit.committer.time),
        "author": build_person(version.commit.author),
        "message": version.commit.message,
    }


COPY_COLUMNS = (
    Column("table", 0, Nature.NAME),
    Column("rows", 1, Nature.NUMBER),
    Column("written", 1, Nature.NUMBER),
    Column("there already", 1, Nature.NUMBER),
    Column("digest", 2),
)


def build_copied_table(table: CopiedTable) -> dict[str, object]:
    """A table of a history that was copied, as JSON; `differing` rows were there with other values and are kept."""
    return {**structs.asdict(table), "complete": table.is_complete}


def copy_table(tables: Sequence[CopiedTable]) -> TextTable:
    """The tables that were copied as a table."""
    return TextTable(COPY_COLUMNS, list(map(_copy_cells, tables)))


def _copy_cells(table: CopiedTable) -> list[str]:
    there = table.rows - table.written - table.missing
    return [table.name, f"{table.rows:,}", f"{table.written:,}", f"{max(0, there):,}", table.target_digest]


def copy_lines(tables: Sequence[CopiedTable], url: str) -> Iterator[str]:
    """What came of a copy, and what to do now."""
    for table in tables:
        if table.missing:
            yield f"{table.name}: {plural(table.missing, 'row')} of {table.rows:,} cannot be read back"
        if table.digest != table.target_digest:
            yield f"{table.name}: what is there is not what was written (digest {table.digest} here)"
        if table.differing:
            yield f"{table.name}: {plural(table.differing, 'row')} had been recorded with other values, which stay"
    if not all(table.is_complete for table in tables):
        yield "the copy is not complete: run it again, it writes what is missing"
        return
    total = sum(table.rows for table in tables)
    where = f"to {url}" if "://" not in url else "to that server"
    yield f"all {total:,} rows are there, counted and compared; now set history.url {where}"
