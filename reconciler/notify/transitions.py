"""What people are told of: a change of how a host stands, told once and not again while it lasts.

Two things tell of changes. Host events are in the store from the transaction that they are about, so none is lost.
Conditions are compared with what was told of them, so that none is told twice, before and after a restart.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct, field

from reconciler.model.host import ConditionSeverity
from reconciler.model.receiver import Topic
from reconciler.model.refusal import REFUSED, Refusal
from reconciler.model.rows import DRIFT_FOUND, DRIFT_HEALED
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.model.host import HostCondition, HostEvent, Suspension
    from reconciler.status import Scan, Status

RECONCILING = "Reconciling"
"""The condition that says that nothing goes live."""
DRIFT, NOTIFICATIONS = "Drift", "Notifications"
SILENT = frozenset({DRIFT, NOTIFICATIONS})
"""Conditions that are told otherwise: by host events; not by what does not work itself."""
GRACE = {ConditionSeverity.RETRYING: 60.0, ConditionSeverity.STALLED: 5.0}
"""Seconds that something has not worked for when people are told: most of what is tried again works soon."""
RECOVERY = 15.0
"""Seconds that it has worked for when people are told that it does."""
DRIFT_OVER = 300.0
"""Seconds without drift after which it is over: another writer comes back sooner."""
WARM_UP = 60.0
"""Seconds of a daemon in which it may not have tried yet what did not work for the one before it."""
QUIET = timedelta(hours=1)
"""For so long after a row was healed nobody is told that it was healed again."""
MAX_REMEMBERED = 500
"""Rows and commits that are remembered as told."""
MAX_ROWS = 10
MAX_PROBLEMS = 3
MAX_TEXT = 500
"""Characters of one text in a transition."""


class CommitInfo(Struct, frozen=True):
    """A commit for people."""

    sha: str
    subject: str = ""
    author: str = ""


class Transition(Struct, frozen=True, kw_only=True):
    """One change, as it is kept until it is told. `message` says what happened, `hint` what to do.

    `commits` are those of the mainline that a commit brought, itself first, and `more` says that there are others;
    empty before git was asked. `base` is what was live before, `live` what is. `details` are lines: problems, rows.
    `lasted` is in seconds.
    """

    topic: Topic
    at: datetime
    about: str = ""
    reason: str = ""
    message: str = ""
    hint: str = ""
    commit: str | None = None
    base: str | None = None
    live: str | None = None
    details: tuple[str, ...] = ()
    omitted: int = 0
    lasted: float = 0.0
    commits: tuple[CommitInfo, ...] = ()
    more: bool = False


class Failing(Struct, frozen=True):
    """What people were told of a condition: that it began, how serious it is, since when."""

    severity: ConditionSeverity
    reason: str
    since: datetime


class Told(Struct, frozen=True):
    """What people were told, or never need to be: kept over restarts.

    `store` and `seq` are the newest host event that was read, and whose it is. `drift` are the rows of drift that
    lasts, `healed` when people were told of a row that was healed.
    """

    store: str = ""
    seq: int = 0
    live: str | None = None
    refused: tuple[str, ...] = ()
    held: str | None = None
    suspended: str = ""
    drift: tuple[str, ...] = ()
    healed: dict[str, datetime] = field(default_factory=dict)
    failing: dict[str, Failing] = field(default_factory=dict)


def read_event(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    """What a host event says that was not told before."""
    read = READERS.get(event.event)
    after = replace(told, seq=event.seq)
    return (after, None) if read is None else read(after, event)


def _read_applied(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    if event.commit == told.live:  # its rows were made anew, as by another release
        return told, None
    after = replace(told, live=event.commit, held=None, refused=())
    detail = cast("Mapping[str, Any]", event.detail)
    counts = {"created": "creates", "updated": "updates", "deleted": "deletes"}
    changed = ", ".join(f"{detail[key]:,} {word}" for word, key in counts.items() if detail.get(key))
    approved = "; ".join(
        f"{one['by']} approved {', '.join(one['codes'])}" for one in detail.get("approved", ()) if one.get("codes")
    )
    message = f"{changed or 'no rows changed'}{f' ({approved})' if approved else ''}"
    return after, Transition(
        topic=Topic.LIVE, at=event.at, commit=event.commit, base=told.live, message=_cut(message), live=event.commit
    )


def _read_refused(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    commit, refusal = event.commit or "", Refusal.of_event(event)
    after = replace(told, refused=(*told.refused, commit)[-MAX_REMEMBERED:])
    if commit in told.refused:  # a candidate is refused again with each head above it
        return told, None
    errors = [problem for problem in refusal.problems if problem.is_error]
    details = tuple(
        _cut(f"{one.path}:{one.line}: {one.message} [{one.code}]{f' ({one.hint})' if one.hint else ''}")
        for one in errors[:MAX_PROBLEMS]
    )
    left = max(0, refusal.total - len(details))
    rules = ", ".join(refusal.rules[:MAX_ROWS])
    return after, Transition(
        topic=Topic.REFUSED,
        at=event.at,
        commit=event.commit,
        live=told.live,
        reason=rules,
        details=details,
        omitted=left,
        hint="mend it with a new commit; `reconciler status` on that host says what else can be done",
    )


def _read_suspended(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    detail = cast("Mapping[str, Any]", event.detail)
    until = f"until {detail['until']}" if detail.get("until") else "until somebody resumes"
    message = _cut(f"{detail.get('actor', 'somebody')} suspended reconciling {until}: {detail.get('reason', '')}")
    after = replace(told, suspended=message)
    if message == told.suspended:
        return after, None
    hint = "commits do not go live; `reconciler resume` ends it"
    return after, Transition(topic=Topic.SUSPENDED, at=event.at, message=message, hint=hint)


def _read_resumed(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    detail = cast("Mapping[str, Any]", event.detail)
    by = detail.get("resumed_by")
    message = f"{by} resumed reconciling" if by else "the suspension has ended"
    return replace(told, suspended="", held=None), Transition(topic=Topic.RESUMED, at=event.at, message=_cut(message))


def _read_drift(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    rows = _rows(event)
    new = tuple(row for row in rows if row not in told.drift)
    after = replace(told, drift=(*told.drift, *new)[-MAX_REMEMBERED:])
    if not new:
        return after, None
    return after, Transition(
        topic=Topic.DRIFT,
        at=event.at,
        message="something else changed live rows, and they are not as git says",
        hint="`reconciler drift` on that host shows what differs; find the program or person that writes there",
        details=tuple(map(_cut, new[:MAX_ROWS])),
        omitted=max(0, _total(event, len(rows)) - len(rows) + len(new) - MAX_ROWS),
        live=told.live,
    )


def _read_healed(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    rows = _rows(event)
    recent = {row: at for row, at in told.healed.items() if event.at - at < QUIET}
    new = tuple(row for row in rows if row not in recent)
    left = tuple(row for row in told.drift if row not in rows)
    if not new and left == told.drift:
        return replace(told, healed=recent), None
    remembered = dict([*recent.items(), *((row, event.at) for row in new)][-MAX_REMEMBERED:])
    after = replace(told, healed=remembered, drift=left)
    total = _total(event, len(rows))
    return after, Transition(
        topic=Topic.HEALED,
        at=event.at,
        message="something else had changed live rows; they are as git says again",
        hint="find the program or person that writes there: `reconciler drift` and the history say what it wrote",
        details=tuple(map(_cut, (new or rows)[:MAX_ROWS])),
        omitted=max(0, total - MAX_ROWS),
        live=told.live,
    )


READERS: Mapping[str, Callable[[Told, HostEvent], tuple[Told, Transition | None]]] = {
    "applied": _read_applied,
    REFUSED: _read_refused,
    "suspended": _read_suspended,
    "resumed": _read_resumed,
    "suspension-expired": _read_resumed,
    DRIFT_FOUND: _read_drift,
    DRIFT_HEALED: _read_healed,
}
"""What is told of each host event, of others nothing. That drift is over shows when it has been so for a while."""


class Conditions:
    """Compares how a host stands with what people were told. For one thread; `now` is in monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._since: dict[tuple[str, str], float] = {}

    def compare(self, told: Told, status: Status, at: datetime, now: float) -> tuple[Told, tuple[Transition, ...]]:
        """What people have to be told, and what they were told then. `at` is the time, for people."""
        transitions: list[Transition] = []
        seen: set[tuple[str, str]] = set()
        active = {one.about: one for one in status.troubles if one.severity in GRACE and one.about not in SILENT}
        for about, condition in active.items():
            before = told.failing.get(about)
            is_new = before is None or (before.severity, condition.severity) == WORSE
            if is_new and self._lasts(seen, (about, condition.severity), GRACE[condition.severity], now):
                transitions.append(_failed(condition, status, at))
                failing = Failing(condition.severity, condition.reason, before.since if before else condition.since)
                told = replace(told, failing={**told.failing, about: failing})
        if status.running is not None and status.running.last_sync is not None and now - self._began > WARM_UP:
            for about, failing in told.failing.items():
                if about not in active and self._lasts(seen, (about, ""), RECOVERY, now):
                    transitions.append(_recovered(about, failing, at))
                    told = replace(told, failing={name: one for name, one in told.failing.items() if name != about})
        over = status.running is not None and _is_over(status.running.scan)
        if told.drift and over and self._lasts(seen, (DRIFT, ""), DRIFT_OVER, now):
            transitions.append(_gone(told, status, at))
            told = replace(told, drift=())
        self._since = {key: since for key, since in self._since.items() if key in seen}
        held = _held(told, status, at)
        if held is not None:
            transitions.append(held)
            told = replace(told, held=held.commit)
        return told, tuple(transitions)

    def _lasts(self, seen: set[tuple[str, str]], key: tuple[str, str], seconds: float, now: float) -> bool:
        seen.add(key)
        return now - self._since.setdefault(key, now) >= seconds


WORSE = (ConditionSeverity.RETRYING, ConditionSeverity.STALLED)
"""What was tried again needs somebody now."""


def _failed(condition: HostCondition, status: Status, at: datetime) -> Transition:
    stalled = condition.severity is ConditionSeverity.STALLED
    held = stalled and condition.about == RECONCILING
    return Transition(
        topic=Topic.HELD if held else Topic.UNHEALTHY,
        at=at,
        about=condition.about,
        reason=condition.reason,
        message=_cut(condition.message),
        hint=_cut(condition.hint) or ("" if stalled else "it is tried again and again"),
        live=status.applied.stamp.commit if status.applied else None,
    )


def _recovered(about: str, failing: Failing, at: datetime) -> Transition:
    lasted = max(0.0, (at - failing.since).total_seconds())
    return Transition(topic=Topic.RECOVERED, at=at, about=about, reason=failing.reason, lasted=lasted)


def _is_over(scan: Scan | None) -> bool:
    return scan is not None and scan.found <= scan.healed


def _gone(told: Told, status: Status, at: datetime) -> Transition:
    return Transition(
        topic=Topic.HEALED,
        at=at,
        message="the live rows are as git says again",
        details=tuple(map(_cut, told.drift[:MAX_ROWS])),
        omitted=max(0, len(told.drift) - MAX_ROWS),
        live=status.applied.stamp.commit if status.applied else None,
    )


def _held(told: Told, status: Status, at: datetime) -> Transition | None:
    """That the head does not go live because somebody suspended reconciling."""
    head, applied, suspension = status.head, status.applied, status.suspension
    if suspension is None or head is None or status.refused is not None or head == told.held:
        return None
    if applied is None or applied.stamp.commit == head:
        return None
    message = _cut(f"reconciling is suspended by {suspension.actor}: {suspension.reason}")
    return Transition(
        topic=Topic.HELD,
        at=at,
        reason="Suspended",
        commit=head,
        base=applied.stamp.commit,
        live=applied.stamp.commit,
        message=message,
        hint=f"it goes live when {_end(suspension)}",
    )


def _end(suspension: Suspension) -> str:
    until = f"the suspension ends at {suspension.until:%Y-%m-%d %H:%M} UTC, or " if suspension.until else ""
    return f"{until}somebody runs `reconciler resume`"


def _rows(event: HostEvent) -> tuple[str, ...]:
    """The rows of an event about drift, by kind and name."""
    rows = cast("Mapping[str, Any]", event.detail).get("rows", ())
    return tuple(_names(rows))


def _names(rows: Any) -> Iterator[str]:
    for row in rows:
        yield f"{row.get('kind')} {row.get('name') or row.get('id')}"


def _total(event: HostEvent, least: int) -> int:
    counts = cast("Mapping[str, Any]", event.detail).get("counts") or {}
    return max(least, sum(int(count) for count in counts.values()))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
