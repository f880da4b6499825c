"""The chain of what a host did: its host events and live intervals as entries, and the daily roots over them.

Nothing is added to the tables for it: an entry is made of a row, and the order is that of the numbers that the store
gives. A root says up to which numbers it reaches, so whoever has the rows can compute it again.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Protocol

from msgspec import Meta, Struct, convert, to_builtins

from reconciler import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.canonical import Value
    from reconciler.model.host import HostEvent
    from reconciler.model.intervals import LiveInterval

Entry = dict[str, Any]
"""A JSON object in canonical form."""
FORMAT: Final = 1
"""Of entries and roots. `verify.py`, which is to run alone, has the same numbers and words."""
NAMESPACE: Final = "reconciler-evidence"
"""What a signature of a root is for, so that no other signature of the same key passes for one."""
START: Final = "0" * 64
"""The link before the first entry of a chain."""
ROOT_MADE: Final = "root-made"
"""The host event: its detail is the root with its signature. So the ledger has the roots, too."""
CLOCK_SLACK = timedelta(days=1)
"""How far in the future a root may have been made before the clock is taken to have been put back."""


Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
"""A number that stores give."""
Link = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Record(StrEnum):
    """What a host records with numbers."""

    EVENTS = "events"
    INTERVALS = "intervals"


class Span(Struct, frozen=True):
    """Numbers that one store gave: to events or to changes of intervals, greater than `after` and up to `to`."""

    of: Record
    store: str
    after: Count
    to: Count


class Root(Struct, frozen=True, kw_only=True):
    """What a host did until it was made. `head` is the link of the last entry, `previous` that of the root before.

    `day` is the last one (UTC) that was over, `entries` counts from the beginning of the chain. `spans` are the numbers
    since the root before, in the order of the chain; `events` and `intervals` the highest of them, ever.
    """

    format: Literal[1] = FORMAT
    host: str
    repository: str
    store: str
    day: str
    made_at: str
    entries: Count
    previous: Link
    head: Link
    events: Count
    intervals: Count
    spans: tuple[Span, ...]

    def to_json(self) -> Entry:
        """As it is signed."""
        json_object: Entry = to_builtins(self)
        return {**json_object, "spans": list(json_object["spans"])}


class Signature(Struct, frozen=True):
    """An SSH signature in its text form, and the fingerprint of the key."""

    text: str
    key: str


class SignedRoot(Struct, frozen=True):
    """A root with the SSH signature of its canonical JSON; without one, `unsigned` says why."""

    root: Root
    signature: str = ""
    key: str = ""
    unsigned: str = ""

    def detail(self) -> dict[str, Value]:
        """The detail of the host event that records it."""
        return {"root": self.root.to_json(), "signature": self.signature, "key": self.key, "unsigned": self.unsigned}

    @classmethod
    def of_event(cls, event: HostEvent) -> SignedRoot:
        """Raises `ValueError` where the event holds no root that could have been made before it."""
        signed = convert(event.detail, cls)
        root = signed.root
        if date.fromisoformat(root.day).isoformat() != root.day:
            raise ValueError(f"{root.day} is no day as roots have it")
        if datetime.fromisoformat(root.made_at).tzinfo is None:
            raise ValueError(f"{root.made_at} has no time zone")
        if root.store == event.store and root.events >= event.seq:
            raise ValueError(f"it is over event {root.events}, and was recorded as {event.seq}")
        return signed


class EntrySource(Protocol):
    """What has the rows of a host: its store, or the ledger."""

    def events_in(self, span: Span) -> Iterable[HostEvent]:
        """The host events of a span, in the order of their numbers."""

    def intervals_in(self, span: Span) -> Iterable[LiveInterval]:
        """The intervals that began or ended within a span, in any order."""


def event_entry(event: HostEvent) -> Entry:
    """A host event as an entry."""
    return {
        "what": "event",
        "store": event.store,
        "number": event.seq,
        "at": canonical.timestamp(event.at),
        "event": event.event,
        "commit": event.commit,
        "digest": event.digest,
        "duration_ms": canonical.shortest(event.duration_ms),
        "detail": canonical.normalize(dict(event.detail)),
    }


def interval_entries(intervals: Iterable[LiveInterval], after: int, to: int | None = None) -> list[Entry]:
    """Beginnings and ends of intervals with numbers greater than `after`, and up to `to`, in order.

    A row tells both: its number is that of the change that began it. An end without a change of its own was worked out
    later (of an older store, or one that was lost), and is no entry.
    """
    entries = [entry for one in intervals for entry in _both_ends(one)]
    within = (entry for entry in entries if after < entry["number"] and (to is None or entry["number"] <= to))
    return sorted(within, key=lambda entry: (entry["number"], entry["store"], entry["what"]))


def _both_ends(interval: LiveInterval) -> Iterator[Entry]:
    one = interval
    yield {
        "what": "live",
        "store": one.store,
        "number": one.seq,
        "commit": one.commit,
        "branch": one.branch,
        "digest": one.digest,
        "from": canonical.timestamp(one.since),
    }
    if one.until is not None and one.change > one.seq:
        yield {
            "what": "ended",
            "store": one.store,
            "number": one.change,
            "of": one.seq,
            "commit": one.commit,
            "until": canonical.timestamp(one.until),
            "ended": str(one.ended) if one.ended else None,
        }


def link(previous: str, entry: Entry) -> str:
    """The link of an entry that follows another one."""
    return canonical.digest({"entry": canonical.digest(entry), "previous": previous})


def link_entries(previous: str, entries: Iterable[Entry]) -> str:
    """The link of the last one, or `previous` where there is none."""
    for entry in entries:
        previous = link(previous, entry)
    return previous


class ChainState(Struct, frozen=True):
    """How far a chain has come while entries are added to it."""

    head: str = START
    entries: int = 0
    events: int = 0
    intervals: int = 0
    spans: tuple[Span, ...] = ()

    @classmethod
    def after(cls, root: Root | None) -> ChainState:
        """Where the chain goes on."""
        return cls() if root is None else cls(root.head, root.entries, root.events, root.intervals)

    def with_entries(self, of: Record, entries: Sequence[Entry]) -> ChainState:
        """With more entries, of one sort, whose numbers rise."""
        events, intervals, spans = self.events, self.intervals, list(self.spans)
        for entry in entries:
            store, number = str(entry["store"]), int(entry["number"])
            reached = events if of is Record.EVENTS else intervals
            if spans and (spans[-1].of, spans[-1].store) == (of, store):
                spans[-1] = Span(of, store, spans[-1].after, number)
            else:
                first = self.entries == 0 and reached == 0  # what was before the chain is older than its first number
                spans.append(Span(of, store, number - 1 if first else reached, number))
            events, intervals = (number, intervals) if of is Record.EVENTS else (events, number)
        head = link_entries(self.head, entries)
        return ChainState(head, self.entries + len(entries), events, intervals, tuple(spans))

    def to_root(self, host: str, repository: str, store: str, now: datetime, previous: Root | None) -> Root:
        """The root over all until now."""
        return Root(
            host=host,
            repository=repository,
            store=store,
            day=last_day(now).isoformat(),
            made_at=canonical.timestamp(now),
            entries=self.entries,
            previous=previous.head if previous else START,
            head=self.head,
            events=self.events,
            intervals=self.intervals,
            spans=self.spans,
        )


def last_day(now: datetime) -> date:
    """The last day (UTC) that is over."""
    return (now.astimezone(UTC) - timedelta(days=1)).date()


def is_due(last: Root | None, oldest: HostEvent | None, now: datetime) -> bool:
    """Whether a day is over that no root speaks of. `oldest` is the first host event that there is."""
    if last is None:
        return oldest is not None and oldest.at.astimezone(UTC).date() <= last_day(now)
    return last.day < last_day(now).isoformat() or datetime.fromisoformat(last.made_at) > now + CLOCK_SLACK


def until_due(now: datetime) -> float:
    """Seconds until the present day is over."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today + timedelta(days=1) - now).total_seconds()


def entries_of(root: Root, source: EntrySource) -> Iterator[Entry]:
    """The entries of a root, read again."""
    for span in root.spans:
        if span.of is Record.EVENTS:
            yield from map(event_entry, source.events_in(span))
        else:
            yield from interval_entries(source.intervals_in(span), span.after, span.to)


def is_whole(root: Root, source: EntrySource) -> bool:
    """Whether a source has the entries of a root as they were when it was made."""
    return link_entries(root.previous, entries_of(root, source)) == root.head


def find_outside(recorded: Iterable[Span], roots: Sequence[Root]) -> tuple[Span, ...]:
    """What is recorded and no root is over, although it is neither older than the first root nor newer than the last.

    Somebody put it there, or a store was lost before its day was over.
    """
    if not roots:
        return ()
    covered: dict[tuple[Record, str], list[Span]] = {}
    for root in roots:
        for span in root.spans:
            covered.setdefault((span.of, span.store), []).append(span)
    present = roots[-1].store
    outside = []
    for one in recorded:
        spans = covered.get((one.of, one.store))
        if spans is None:
            if one.store != present:
                outside.append(one)
        elif one.to > (reached := max(span.to for span in spans)) and one.store != present:
            outside.append(Span(one.of, one.store, reached, one.to))
    return tuple(outside)
