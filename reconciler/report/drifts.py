"""Drift as text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.model.drift import What
from reconciler.report.problems import plural
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.drift import Drift, Drifts

SIGNS = {What.MISSING: "-", What.EXTRA: "+", What.CHANGED: "~"}
NONE = "the live rows are what git says"


def drift_json(found: Drifts) -> dict[str, Any]:
    """What drifted, and how much by kind."""
    return {"drift": [drift.as_json() for drift in found.told], "summary": dict(found.counts or {})}


def drift_lines(found: Drifts) -> Iterator[str]:
    """Each row with the fields that differ, as they are live and as git says."""
    for drift in found.told:
        yield f"{SIGNS[drift.what]} {_heading(drift)}"
        yield from _fields(drift)
    if found.total > len(found.told):
        yield f"… and {found.total - len(found.told):,} more"


def summary(found: Drifts, done: str = "") -> str:
    """How much there is, in all and by kind, in one line; `done` says what was done about it."""
    counts = ", ".join(f"{count:,} {kind}" for kind, count in (found.counts or {}).items())
    return f"{plural(found.total, 'difference')}{done}: {counts}" if found.total else NONE


def _heading(drift: Drift) -> str:
    if drift.is_table:
        return visible(f"{drift.kind}: the table {drift.name} is {'missing' if drift.before is None else 'altered'}")
    name = f"{drift.kind} {drift.name}" if drift.name is not None else f"{drift.kind} {drift.id}, unknown to git"
    return visible(f"{name} is missing" if drift.what is What.MISSING else name)


def _fields(drift: Drift) -> Iterator[str]:
    said = drift.as_json()
    before, after = said["before"], said["after"]
    if not isinstance(before, dict) or not isinstance(after, dict):
        return
    for field in drift.fields:
        live, git = (visible(canonical.text(side.get(field))) for side in (before, after))
        yield f"    {visible(field)}: live {live}, git says {git}"
