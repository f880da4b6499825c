"""What people are told of: a change of how a host stands, told once and not again while it lasts.

Two things tell of changes. Host events are in the store from the transaction that they are about, so none is lost.
Conditions are compared with what was told of them, so that none is told twice, before and after a restart.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  msgspec looks at the annotation
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct, field

from reconciler.model.host import ConditionSeverity
from reconciler.model.receiver import Topic
from reconciler.model.refusal import REFUSED, Refusal
from reconciler.model.rollback import ROLLED_BACK
from reconciler.model.rows import DRIFT_FOUND, DRIFT_HEALED, RESTORED
from reconciler.notify.drifting import OTHERS, Drifting, Row, is_apart
from reconciler.report.commits import short_sha
from reconciler.report.problems import plural
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reconciler.canonical import Value
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
LONGER, LONGEST_RECOVERY = 4.0, 3600.0
"""What fails again within an hour has to work so many times longer before people are told, up to so many seconds."""
MAX_FLAPS = 4
"""Times after which it is the longest."""
MAX_REFUSED = 10_000
"""Commits that are remembered as refused: each may be refused once more with every head above it."""
ROW_NAMES = ("kind", "name", "id")
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


class Flaps(Struct, frozen=True):
    """How often people were told in a row that something works again, and when they last were."""

    times: int
    at: datetime


class Told(Struct, frozen=True):
    """What people were told, or never need to be: kept over restarts.

    `store` and `seq` are the newest host event that was read, and whose it is. `drift` and `healed` are what a version
    before `drifting` kept: rows of drift that lasts, and when people were told of one that was healed.
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
    flaps: dict[str, Flaps] = field(default_factory=dict)
    drifting: Drifting = Drifting()


def take_over(told: Told) -> Told:
    """What an older version of this program kept, as this one does."""
    if not (told.drift or told.healed):
        return told
    rows = {name: Row(differs=False, at=at, messages=1) for name, at in told.healed.items()}
    rows |= {name: Row(differs=True, known=True, messages=1) for name in told.drift}
    return replace(told, drift=(), healed={}, drifting=Drifting({**rows, **told.drifting.rows}))


def read_event(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    """What a host event says that was not told before."""
    read = READERS.get(event.event)
    after = replace(told, seq=event.seq)
    return (after, None) if read is None else read(after, event)


def without_values(event: HostEvent) -> HostEvent:
    """An event without the values of rows, which may be a megabyte, and which nobody is told."""
    detail = cast("Mapping[str, Any]", event.detail)
    rows = detail.get("rows") if isinstance(detail, dict) else None
    if not isinstance(rows, list):
        return event
    names: list[Value] = [{key: row.get(key) for key in ROW_NAMES} for row in rows if isinstance(row, dict)]
    return replace(event, detail={**detail, "rows": names})


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
        topic=Topic.LIVE, at=event.at, commit=event.commit, base=told.live, message=cut(message), live=event.commit
    )


def _read_refused(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    commit, refusal = event.commit or "", Refusal.of_event(event)
    after = replace(told, refused=(*told.refused, commit)[-MAX_REFUSED:])
    if commit in told.refused:  # a candidate is refused again with each head above it
        return told, None
    errors = [problem for problem in refusal.problems if problem.is_error]
    details = tuple(
        cut(f"{one.path}:{one.line}: {one.message} [{one.code}]{f' ({one.hint})' if one.hint else ''}")
        for one in errors[:MAX_PROBLEMS]
    )
    left = max(0, refusal.total - len(details))
    rules = ", ".join(refusal.rules[:MAX_ROWS])
    return after, Transition(
        topic=Topic.HELD if refusal.rules == (ROLLED_BACK,) else Topic.REFUSED,
        at=event.at,
        commit=event.commit,
        live=told.live,
        reason=cut(rules),
        details=details,
        omitted=left,
        hint="mend it with a new commit; `reconciler status` on that host says what else can be done",
    )


def _read_suspended(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    detail = cast("Mapping[str, Any]", event.detail)
    until = f"until {detail['until']}" if detail.get("until") else "until somebody resumes"
    message = cut(f"{detail.get('actor', 'somebody')} suspended reconciling {until}: {detail.get('reason', '')}")
    after = replace(told, suspended=message)
    if message == told.suspended:
        return after, None
    hint = "commits do not go live; `reconciler resume` ends it"
    return after, Transition(topic=Topic.SUSPENDED, at=event.at, message=message, hint=hint)


def _read_resumed(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    detail = cast("Mapping[str, Any]", event.detail)
    by = detail.get("resumed_by")
    message = f"{by} resumed reconciling" if by else "the suspension has ended"
    return replace(told, suspended="", held=None), Transition(topic=Topic.RESUMED, at=event.at, message=cut(message))


def _read_restored(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    detail = cast("Mapping[str, Any]", event.detail)
    before = f"; {short_sha(detail['before'])} was live before" if detail.get("before") else ""
    return replace(told, live=event.commit, held=None, refused=()), Transition(
        topic=Topic.RESTORED,
        at=event.at,
        commit=event.commit,
        base=event.commit,
        live=event.commit,
        message=cut(f"the live rows are those of the backup {detail.get('file')}{before}"),
        hint="commits that are newer than the backup go live again with the next reconcile, unless it is suspended",
    )


def _read_moved(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    detail = cast("Mapping[str, Any]", event.detail)
    message = f"the repository is at {detail.get('url')}; it was at {detail.get('before')}"
    return told, Transition(topic=Topic.MOVED, at=event.at, about="repository", message=cut(message), live=told.live)


def _read_bound(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    """A host that follows its first branch, or none yet, is no news."""
    detail = cast("Mapping[str, Any]", event.detail)
    branch, before = detail.get("branch"), detail.get("before")
    if not branch or not before or branch == before:
        return told, None
    once = ", for this time" if detail.get("once") else ""
    message = f"this host follows the branch {branch}{once}; it followed {before}"
    return told, Transition(topic=Topic.MOVED, at=event.at, about="branch", message=cut(message), live=told.live)


def _read_drift(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    rows = _rows(event)
    seen = told.drifting.with_seen(rows, _total(event, len(rows)), event.at, differs=True)
    return _tell_drift(replace(told, drifting=seen), event.at, differs=True)


def _read_healed(told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
    rows = _rows(event)
    seen = told.drifting.with_seen(rows, _total(event, len(rows)), event.at, differs=False)
    return _tell_drift(replace(told, drifting=seen), event.at, differs=False)


def _tell_drift(told: Told, at: datetime, *, differs: bool) -> tuple[Told, Transition | None]:
    """Tell of rows that differ, or that are right again, if it is time."""
    due = told.drifting.due(at, differs=differs)
    if not due:
        return told, None
    named = [(name, row) for name, row in due.items() if name != OTHERS]
    others = told.drifting.others if OTHERS in due else 0
    transition = Transition(
        topic=Topic.DRIFT if differs else Topic.HEALED,
        at=at,
        message=_describe_drift([row for row in due.values() if row.messages], differs=differs),
        hint=DRIFT_HINTS[differs],
        details=tuple(f"{name}{_times(row)}" for name, row in named[:MAX_ROWS]),
        omitted=max(0, len(named) - MAX_ROWS) + others,
        live=told.live,
    )
    return replace(told, drifting=told.drifting.with_told(tuple(due), at)), transition


DRIFT_HINTS = {
    True: "`reconciler drift` on that host shows what differs; find the program or person that writes there",
    False: "find the program or person that writes there: `reconciler drift` and the history say what it wrote",
}


def _describe_drift(again: Sequence[Row], *, differs: bool) -> str:
    """`again` are the rows that people have been told of before."""
    times, since = sum(row.times for row in again), min((row.at for row in again if row.at), default=None)
    if times and since:
        end = "are not as git says" if differs else "are as git says again"
        return f"something else goes on changing live rows: {plural(times, 'time')} since {since:%H:%M} UTC; they {end}"
    if differs:
        return "something else changed live rows, and they are not as git says"
    return "something else had changed live rows; they are as git says again"


def _times(row: Row) -> str:
    return f" ({row.times} times)" if row.times > 1 else ""


READERS: Mapping[str, Callable[[Told, HostEvent], tuple[Told, Transition | None]]] = {
    "applied": _read_applied,
    REFUSED: _read_refused,
    "suspended": _read_suspended,
    "resumed": _read_resumed,
    "suspension-expired": _read_resumed,
    RESTORED: _read_restored,
    "repository-moved": _read_moved,
    "bound": _read_bound,
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
                if about not in active and self._lasts(seen, (about, ""), _recovery(told, about), now):
                    transitions.append(_recovered(about, failing, at))
                    told = _with_recovery(told, about, at)
        told, drift = self._compare_drift(seen, told, status, at, now)
        transitions += drift
        self._since = {key: since for key, since in self._since.items() if key in seen}
        held = _held(told, status, at)
        if held is not None:
            transitions.append(held)
            told = replace(told, held=held.commit)
        return told, tuple(transitions)

    def _compare_drift(
        self, seen: set[tuple[str, str]], told: Told, status: Status, at: datetime, now: float
    ) -> tuple[Told, list[Transition]]:
        """Drift that is over, and what waited for its time."""
        over = status.running is not None and _is_over(status.running.scan)
        if told.drifting.differing and over and self._lasts(seen, (DRIFT, ""), DRIFT_OVER, now):
            told = replace(told, drifting=told.drifting.with_all_right())
        transitions = []
        for differs in (True, False):
            told, transition = _tell_drift(told, at, differs=differs)
            transitions += [transition] if transition else []
        return told, transitions

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
        message=cut(condition.message),
        hint=cut(condition.hint) or ("" if stalled else "it is tried again and again"),
        live=status.applied.stamp.commit if status.applied else None,
    )


def _recovered(about: str, failing: Failing, at: datetime) -> Transition:
    lasted = max(0.0, (at - failing.since).total_seconds())
    return Transition(topic=Topic.RECOVERED, at=at, about=about, reason=failing.reason, lasted=lasted)


def _count_flaps(told: Told, about: str) -> int:
    """How often it has worked again before it failed this time, with less than an hour between."""
    flaps, failing = told.flaps.get(about), told.failing[about]
    return 0 if flaps is None or is_apart(failing.since, flaps.at) else flaps.times


def _recovery(told: Told, about: str) -> float:
    """Seconds for which it has to work."""
    longer: float = LONGER ** _count_flaps(told, about)
    return min(RECOVERY * longer, LONGEST_RECOVERY)


def _with_recovery(told: Told, about: str, at: datetime) -> Told:
    """After people were told that it works again."""
    times = min(_count_flaps(told, about) + 1, MAX_FLAPS)
    failing = {name: one for name, one in told.failing.items() if name != about}
    flaps = {name: one for name, one in told.flaps.items() if name in failing or not is_apart(at, one.at)}
    return replace(told, failing=failing, flaps={**flaps, about: Flaps(times, at)})


def _is_over(scan: Scan | None) -> bool:
    return scan is not None and scan.found <= scan.healed


def _held(told: Told, status: Status, at: datetime) -> Transition | None:
    """That the head does not go live because somebody suspended reconciling."""
    head, applied, suspension = status.head, status.applied, status.suspension
    if suspension is None or head is None or status.refused is not None or head == told.held:
        return None
    if applied is None or applied.stamp.commit == head:
        return None
    message = cut(f"reconciling is suspended by {suspension.actor}: {suspension.reason}")
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
        yield cut(f"{row.get('kind')} {row.get('name') or row.get('id')}")


def _total(event: HostEvent, least: int) -> int:
    counts = cast("Mapping[str, Any]", event.detail).get("counts") or {}
    return max(least, sum(int(count) for count in counts.values()))


def cut(text: str, longest: int = MAX_TEXT) -> str:
    """At most so many characters, of those that can be written to a file."""
    whole = text[: longest + 1].encode("utf-8", "replace").decode()
    return whole if len(whole) <= longest else f"{whole[: longest - 1]}…"
