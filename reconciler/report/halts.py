"""Halts as answers and text: what stands, what a halt or release did, what a drill found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from reconciler import canonical
from reconciler.answers import Answer, Count, Drill, Moment, StandingHalt
from reconciler.model.halt import DRILLED
from reconciler.report.escape import EXACT, Moments, escape_line
from reconciler.report.problems import plural
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.model.halt import Halt
    from reconciler.model.halt import Halts as StandingHalts
    from reconciler.model.host import HostEvent
    from reconciler.status import Status

MEANING = "Halted means: opens nothing new; it closes nothing."
"""Said wherever somebody may halt."""
MAX_LISTED = 10
"""Standing halts that an error or a page lists."""


class Halted(Answer, frozen=True):
    """What is halted now. `rows` counts the live rows that the selector covers, by kind."""

    selector: str
    reason: str
    by: str
    since: Moment
    number: Annotated[Count, Meta(description="grows with each halt and release of this host")]
    rows: dict[str, Count]
    not_haltable: Annotated[tuple[str, ...], Meta(description="kinds whose schema names nothing that a halt sets")]
    applied: Annotated[bool, Meta(description="whether the live rows obey it; else the process that has them will")]
    notes: tuple[str, ...]
    counted: Annotated[bool, Meta(description="whether `rows` could be counted; else it is empty")]
    failed: Annotated[
        dict[str, str], Meta(description="kinds whose rows do not obey in full, and why; tried again by itself")
    ]


class Released(Answer, frozen=True):
    """What is halted no more. The rows are what git says again, as far as no other halt covers them."""

    selector: str
    reason: str
    by: str
    ended: Annotated[tuple[StandingHalt, ...], Meta(description="the halts that ended, or lost names, as they were")]
    number: Count
    applied: bool
    notes: tuple[str, ...]
    failed: Annotated[
        dict[str, str], Meta(description="kinds whose rows do not obey in full, and why; tried again by itself")
    ]


class Halts(Answer, frozen=True):
    """What stands. `rows` counts the live rows that are not as git says because of it, by kind."""

    halted: tuple[StandingHalt, ...]
    rows: dict[str, Count]
    applied: Annotated[bool, Meta(description="whether the live rows obey all of it")]
    drill: Drill | None
    rows_known: Annotated[bool, Meta(description="whether the rows could be read; else it is what halts.json says")]
    failed: Annotated[
        dict[str, str], Meta(description="kinds whose rows do not obey in full, and why; tried again by itself")
    ]


class Drilled(Answer, frozen=True):
    """What a drill did: rows of a copy of the store were halted and released."""

    at: Moment
    rows: Count
    seconds: float
    halted_in: Annotated[float, Meta(description="seconds from the request until the rows were off")]
    error: Annotated[str, Meta(description="what went wrong; empty when nothing did")]


def build_halt(halt: Halt) -> StandingHalt:
    return StandingHalt(
        id=halt.id,
        selector=str(halt.selector),
        kind=halt.selector.kind or None,
        names=halt.selector.names,
        label=",".join(map(str, halt.selector.labels)),
        all=halt.selector.is_all,
        reason=halt.reason,
        by=halt.by,
        since=canonical.timestamp(halt.since),
    )


def build_halted(  # noqa: PLR0913  one parameter for each field
    halt: Halt,
    number: int,
    rows: Mapping[str, int] | None,
    left_out: Sequence[str],
    *,
    applied: bool,
    notes: Sequence[str],
    failed: Mapping[str, str],
) -> Halted:
    """`rows` are None where they could not be counted."""
    return Halted(
        selector=str(halt.selector),
        reason=halt.reason,
        by=halt.by,
        since=canonical.timestamp(halt.since),
        number=number,
        rows=dict(rows or {}),
        counted=rows is not None,
        not_haltable=tuple(left_out),
        applied=applied and not failed,
        notes=tuple(notes),
        failed=dict(failed),
    )


def build_released(  # noqa: PLR0913  one parameter for each field
    ended: Sequence[Halt],
    selector: str,
    reason: str,
    by: str,
    number: int,
    *,
    applied: bool,
    notes: Sequence[str],
    failed: Mapping[str, str],
) -> Released:
    return Released(
        selector=selector,
        reason=reason,
        by=by,
        ended=tuple(map(build_halt, ended)),
        number=number,
        applied=applied and not failed,
        notes=tuple(notes),
        failed=dict(failed),
    )


def build_standing(status: Status) -> Halts:
    return Halts(
        halted=tuple(map(build_halt, status.halts.standing)),
        rows=dict(status.halted_rows),
        applied=status.obeys or status.applied is None,
        drill=build_drill(status.drill),
        rows_known=True,
        failed=dict(status.failed_halts),
    )


def build_written(halts: StandingHalts) -> Halts:
    """What the file says, while nobody says what the rows are."""
    standing = tuple(map(build_halt, halts.standing))
    return Halts(halted=standing, rows={}, applied=False, drill=None, rows_known=False, failed={})


def build_drill(event: HostEvent | None) -> Drill | None:
    """The last drill, out of its host event."""
    if event is None or event.event != DRILLED:
        return None
    seconds, error = event.detail.get("seconds"), event.detail.get("error")
    return Drill(
        at=canonical.timestamp(event.at),
        seconds=float(seconds) if isinstance(seconds, (int, float)) else 0.0,
        error=str(error or ""),
    )


def standing_line(halt: Halt) -> str:
    """`--all by maren since …: reason`."""
    reason = escape_line(halt.reason)
    return f"{escape_line(str(halt.selector))} by {escape_line(halt.by)} since {_told(halt)}: {reason}"


def _told(halt: Halt) -> str:
    return EXACT.full(canonical.timestamp(halt.since))


def standing_text(halts: Sequence[Halt]) -> str:
    """What stands, for a hint."""
    return f"what stands: {list_words((escape_line(str(halt.selector)) for halt in halts), MAX_LISTED)}"


def halt_line(halt: StandingHalt, moments: Moments = EXACT) -> str:
    """One standing halt: what, by whom, since when, and why."""
    return escape_line(f"{halt.selector} by {halt.by} since {moments.full(halt.since)}: {halt.reason}")


def halted_lines(halted: Halted, moments: Moments = EXACT) -> Iterator[str]:
    """What a halt did."""
    covered = f": {_rows_text(halted.rows)}" if halted.rows else ", which covers no live row yet"
    state = covered if halted.counted else ", and the live rows obey it" if halted.applied else ""
    yield escape_line(f"halted {halted.selector} since {moments.full(halted.since)}{state}")
    yield MEANING


def released_lines(released: Released, moments: Moments = EXACT) -> Iterator[str]:
    """What a release ended."""
    for halt in released.ended:
        yield f"released {escape_line(released.selector)}; it was halted as {halt_line(halt, moments)}"
    if released.applied:
        yield "the rows are what git says, as far as no other halt covers them"


def standing_lines(halts: Halts, moments: Moments = EXACT) -> Iterator[str]:
    """What stands, and the last drill."""
    if not halts.halted:
        yield "nothing is halted"
    for halt in halts.halted:
        yield f"halted {halt_line(halt, moments)}"
    if not halts.rows_known:
        yield "so says halts.json: the live rows cannot be read now, and the daemon does not answer"
        return
    yield from failed_lines(halts.failed)
    if halts.halted:
        if not halts.failed:
            yield _state_text(halts.rows, obeys=halts.applied)
        yield MEANING
    yield f"last drill {drill_text(halts.drill, moments)}"


def failed_lines(failed: Mapping[str, str]) -> Iterator[str]:
    """The kinds that are in the way."""
    for kind, why in failed.items():
        yield escape_line(f"{kind} does NOT obey: {why}")


def _state_text(rows: Mapping[str, int], *, obeys: bool) -> str:
    if not obeys:
        return "the live rows do not obey it yet: the process that has them does it next"
    if not any(rows.values()):
        return "no live row differs from git because of it; what comes live and is covered comes switched off"
    return f"kept off by it: {_rows_text(rows)}"


def _rows_text(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in rows.items() if count)


def drill_text(drill: Drill | None, moments: Moments = EXACT) -> str:
    """When it was, and what it gave."""
    if drill is None:
        return "never: `reconciler halt --drill`"
    if drill.error:
        return f"FAILED at {moments.full(drill.at)}: {escape_line(drill.error)}"
    return f"at {moments.full(drill.at)}: well, in {drill.seconds:.2f} s"


def drilled_lines(drilled: Drilled) -> Iterator[str]:
    if drilled.error:
        yield escape_line(f"the drill FAILED: {drilled.error}")
        return
    yield f"{plural(drilled.rows, 'row')} of a copy of the store: all were off {drilled.halted_in:.2f} s after the halt"
    yield f"released: all are as before; {drilled.seconds:.2f} s in all, and no live row was touched"
