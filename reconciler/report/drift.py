"""Where the databases differ from git: drift, and the result of `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler import answers, canonical
from reconciler.model.rows import DriftType
from reconciler.report.commits import short_sha
from reconciler.report.escape import escape_line
from reconciler.report.problems import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.rows import Drifts
    from reconciler.reconcile.verify import Verification


SIGNS = {DriftType.MISSING: "-", DriftType.EXTRA: "+", DriftType.CHANGED: "~"}
NO_DRIFT = "the live rows are what git says"


def build_drift(drifts: Drifts) -> answers.Drift:
    rows = tuple(answers.from_json(drift.as_json(), answers.DriftedRow) for drift in drifts.reported)
    return answers.Drift(drift=rows, summary=dict(drifts.counts or {}))


def drift_lines(drift: answers.Drift) -> Iterator[str]:
    """Each row with the fields that differ, live and in git."""
    for row in drift.drift:
        yield f"{SIGNS[DriftType(row.what)]} {_heading(row)}"
        yield from _field_lines(row)
    more = sum(drift.summary.values()) - len(drift.drift)
    if more:
        yield f"… and {more:,} more"


def drift_summary(drift: answers.Drift, done: str = "") -> str:
    """`3 differences put right: 2 User, 1 Account`, where ` put right` is `done`."""
    total = sum(drift.summary.values())
    counts = ", ".join(f"{count:,} {kind}" for kind, count in drift.summary.items())
    return f"{plural(total, 'difference')}{done}: {counts}" if total else NO_DRIFT


def _heading(row: answers.DriftedRow) -> str:
    if row.id is None:
        state = "missing" if row.before is None else "altered"
        return escape_line(f"{row.kind}: the table {row.name} is {state}")
    name = f"{row.kind} {row.name}" if row.name is not None else f"{row.kind} {row.id}, unknown to git"
    return escape_line(f"{name} is missing" if row.what == DriftType.MISSING else name)


def _field_lines(row: answers.DriftedRow) -> Iterator[str]:
    before, after = row.before, row.after
    if before is None or after is None:
        return
    for field in row.fields:
        live, git = (escape_line(canonical.text(side.get(field))) for side in (before, after))
        yield f"    {escape_line(field)}: live {live}, git says {git}"


def build_verification(verification: Verification) -> answers.Verification:
    return answers.Verification(
        repository=verification.repository,
        branch=verification.branch,
        head=verification.head,
        applied=verification.applied,
        commits=verification.commits if verification.has_history else None,
        rows=verification.rows,
        differences=tuple(
            answers.Difference(
                sort=difference.sort,
                count=difference.count,
                examples=tuple(
                    answers.Example(subject=example.subject, message=example.message) for example in difference.examples
                ),
            )
            for difference in verification.differences
        ),
    )


def verification_lines(verification: answers.Verification) -> Iterator[str]:
    """What was compared, then each sort of difference with its first examples."""
    recorded = verification.commits
    yield f"history     {'this host keeps none' if recorded is None else plural(recorded, 'commit')}"
    yield f"live rows   {verification.rows:,} of {short_sha(verification.applied or '')}"
    total = 0
    for difference in verification.differences:
        total += difference.count
        yield f"{difference.sort}: {difference.count:,}"
        for example in difference.examples:
            yield escape_line(f"  {example.subject}: {example.message}")
        if difference.count > len(difference.examples):
            yield f"  and {difference.count - len(difference.examples):,} more"
    yield f"{plural(total, 'difference')} found" if total else "everything is as git says"
