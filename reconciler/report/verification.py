"""What a verification found, as text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.report import commits
from reconciler.report.problems import plural
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.pipeline.verifying import Verification

    Answer = Mapping[str, Any]


def as_json(found: Verification) -> dict[str, Any]:
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


def lines(answer: Answer) -> Iterator[str]:
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
