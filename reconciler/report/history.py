"""The past as JSON and, from that, as text: a command may have it from a daemon."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.hindsight.rows import names
from reconciler.model.change import Op
from reconciler.model.commit import Status
from reconciler.report import commits, plans
from reconciler.report.escape import second, visible
from reconciler.report.problems import plural
from reconciler.report.rows import cell
from reconciler.report.text import Sort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.hindsight.blame import Blamed
    from reconciler.hindsight.points import Place
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Change
    from reconciler.ports import PastRow, VersionRow

    Answer = Mapping[str, Any]

BLAME_HEADERS = ("field", "value", "commit", "committed", "author", "message")


def build_recorded_change(version: VersionRow, change: Change, kinds: Kinds) -> dict[str, Any]:
    """A change with who made it, when and in which commit."""
    return {**_made_json(version), "orphaned": version.orphaned, **build_described_change(change, kinds)}


def build_described_change(change: Change, kinds: Kinds) -> dict[str, Any]:
    """A change as a plan has it, and in words. Where the history does not know its place, there is none."""
    told = plans.build_change(change)
    if not change.resource.path:
        told |= {"path": None, "line": None}
    return {**told, "text": "\n".join(plans.full_lines(change, kinds))}


def build_history_point(place: Place) -> dict[str, Any]:
    """A place in the history: what was asked for, and the commit that was found for it."""
    return {
        "asked": place.name,
        **_made_json(place.version),
        "status": place.version.status,
        "orphaned": place.version.orphaned,
        "by": "host" if place.by_host else "git",
    }


def build_blame(kind: Kind, row: PastRow, blamed: Iterable[Blamed]) -> dict[str, Any]:
    """Each field of a row with the version that set it."""
    name, id_ = names(kind, row)
    units = {column.name: column.unit for column in kind.columns}
    fields = [
        {
            "field": one.field,
            "value": canonical.plain(one.value),
            "unit": units.get(one.field, ""),
            **_made_json(one.version),
        }
        for one in blamed
    ]
    return {"kind": kind.name, "name": name, "id": id_, "fields": fields}


def history_lines(answer: Answer) -> Iterator[tuple[Sort, str]]:
    """Each commit with the changes that it made."""
    for position, (_, group) in enumerate(groupby(answer["changes"], key=lambda change: change["commit"])):
        changes = list(group)
        if position:
            yield Sort.NOTE, ""
        yield Sort.NOTE, _heading(changes[0])
        yield from _told(changes)


def diff_lines(answer: Answer) -> Iterator[tuple[Sort, str]]:
    """The changes and what they come to, as a plan has them."""
    yield from _told(answer["changes"])
    counts = answer["summary"]
    if answer["changes"]:
        yield Sort.NOTE, ""
    nothing = "" if answer["changes"] else "no changes, "
    yield Sort.NOTE, f"{nothing}{counts['unchanged']:,} unchanged"
    yield Sort.NOTE, canonical.counted({f"to {op}": counts[op] for op in (Op.CREATE, Op.UPDATE, Op.DELETE)}) + "."


def history_point_text(place: Answer) -> str:
    """The commit that was found, and why it is that one."""
    at = f"{commits.short(place['commit'])}, commit {place['height']}, committed {second(place['committed_at'])}"
    live = ", live on this host then" if place["by"] == "host" else ""
    invalid = ", invalid: what was valid before it" if place["status"] == Status.INVALID else ""
    return f"{at}{live}{invalid}{', orphaned' if place['orphaned'] else ''}"


def blame_cells(field: Answer) -> list[str]:
    """A field as a table's row."""
    text = cell(field["value"])
    return [
        visible(field["field"]),
        f"{text} {field['unit']}" if field["unit"] and field["value"] is not None else text,
        commits.short(field["commit"]),
        second(field["committed_at"]),
        visible(field["author"]["name"]),
        visible(commits.subject(field["message"])),
    ]


def orphans_note(answer: Answer) -> str:
    """Where to find the commits that the branch no longer reaches; empty when there are none."""
    many = answer["orphaned"]
    return f"{plural(many, 'commit')} left the branch: `reconciler log --status orphaned`" if many else ""


def _told(changes: Sequence[Answer]) -> Iterator[tuple[Sort, str]]:
    for change in changes:
        for line in change["text"].split("\n"):
            yield Sort.CHANGE, line


def _heading(made: Answer) -> str:
    mark = "  (orphaned)" if made["orphaned"] else ""
    when, who = second(made["committed_at"]), visible(made["author"]["name"])
    return f"{commits.short(made['commit'])}  {when}  {who}  {visible(commits.subject(made['message']))}{mark}"


def _made_json(version: VersionRow) -> dict[str, Any]:
    return {
        "commit": version.commit.sha,
        "height": version.height,
        "committed_at": canonical.timestamp(version.commit.committer.time),
        "author": commits.build_person(version.commit.author),
        "message": version.commit.message,
    }
