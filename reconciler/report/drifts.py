"""Drift as JSON and, from that, as text: a command may have it from a daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.model.drift import What
from reconciler.report.problems import plural
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.drift import Drifts

    Answer = Mapping[str, Any]

SIGNS = {What.MISSING: "-", What.EXTRA: "+", What.CHANGED: "~"}
NONE = "the live rows are what git says"


def drift_json(found: Drifts) -> dict[str, Any]:
    """What drifted, and how much by kind."""
    return {"drift": [drift.as_json() for drift in found.told], "summary": dict(found.counts or {})}


def drift_lines(answer: Answer) -> Iterator[str]:
    """Each row with the fields that differ, as they are live and as git says."""
    for drift in answer["drift"]:
        yield f"{SIGNS[What(drift['what'])]} {_heading(drift)}"
        yield from _fields(drift)
    more = sum(answer["summary"].values()) - len(answer["drift"])
    if more:
        yield f"… and {more:,} more"


def summary(answer: Answer, done: str = "") -> str:
    """How much there is, in all and by kind, in one line; `done` says what was done about it."""
    total = sum(answer["summary"].values())
    counts = ", ".join(f"{count:,} {kind}" for kind, count in answer["summary"].items())
    return f"{plural(total, 'difference')}{done}: {counts}" if total else NONE


def _heading(drift: Answer) -> str:
    if drift["id"] is None:
        fate = "missing" if drift["before"] is None else "altered"
        return visible(f"{drift['kind']}: the table {drift['name']} is {fate}")
    named = drift["name"] is not None
    name = f"{drift['kind']} {drift['name']}" if named else f"{drift['kind']} {drift['id']}, unknown to git"
    return visible(f"{name} is missing" if drift["what"] == What.MISSING else name)


def _fields(drift: Answer) -> Iterator[str]:
    before, after = drift["before"], drift["after"]
    if not isinstance(before, dict) or not isinstance(after, dict):
        return
    for field in drift["fields"]:
        live, git = (visible(canonical.text(side.get(field))) for side in (before, after))
        yield f"    {visible(field)}: live {live}, git says {git}"
