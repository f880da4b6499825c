"""Where the databases differ from git: drift and verifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.model.drift import What
from reconciler.report import commits
from reconciler.report.escape import visible
from reconciler.report.problems import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.drift import Drifts
    from reconciler.reconcile.verify import Verification

    Answer = Mapping[str, Any]

SIGNS = {What.MISSING: "-", What.EXTRA: "+", What.CHANGED: "~"}
NONE = "the live rows are what git says"


def build_drift(found: Drifts) -> dict[str, Any]:
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


def drift_summary(answer: Answer, done: str = "") -> str:
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


def build_verification(found: Verification) -> dict[str, Any]:
    """A verification: what was compared, then what differs by sort. `commits` is null without a history."""
    return {
        "repository": found.repository,
        "branch": found.branch,
        "head": found.head,
        "applied": found.applied,
        "commits": found.commits if found.has_history else None,
        "rows": found.rows,
        "differences": [
            {
                "sort": difference.sort,
                "count": difference.count,
                "examples": [{"subject": one.subject, "message": one.message} for one in difference.examples],
            }
            for difference in found.differences
        ],
    }


def verification_lines(answer: Answer) -> Iterator[str]:
    """A verification in a few lines: what was compared, then each sort of difference with its first examples."""
    kept = answer["commits"]
    yield f"history     {'this host keeps none' if kept is None else plural(kept, 'commit')}"
    yield f"live rows   {answer['rows']:,} of {commits.short(answer['applied'])}"
    total = 0
    for difference in answer["differences"]:
        total += difference["count"]
        yield f"{difference['sort']}: {difference['count']:,}"
        for one in difference["examples"]:
            yield visible(f"  {one['subject']}: {one['message']}")
        if difference["count"] > len(difference["examples"]):
            yield f"  and {difference['count'] - len(difference['examples']):,} more"
    yield f"{plural(total, 'difference')} found" if total else "everything is as git says"
