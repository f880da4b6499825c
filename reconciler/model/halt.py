"""Halts: what people switched off on this host, whatever git says, and what became of the halts before.

Which fields a halt sets, and to what, is said by the schema of a kind (`x-reconciler.halt`).
"""

from __future__ import annotations

import hashlib
from datetime import datetime  # noqa: TC003  msgspec reads the types when it decodes a file
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, convert, field, json

from reconciler.model.selection import Condition  # noqa: TC001  the same
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from reconciler.canonical import Value
    from reconciler.model.change import Resource, Row
    from reconciler.model.commit import Applied
    from reconciler.model.host import HostEvent

DRILLED = "halt-drilled"
"""The host event of a drill: what a halt would do was done to a copy."""
HALT_FAILED = "halt-failed"
"""The host event of a halt that the tables of some kinds do not take, and of its end."""
MAX_CHANGES = 50
"""Changes that are remembered: what a store has not taken over yet becomes a host event of its own."""


class HaltSelector(Struct, frozen=True):
    """Which resources: some of a kind by their names and ids, those with some labels, or all.

    `kind` is a kind's name, in any case and also in the plural, or its table: so it may have been typed while no kinds
    could be read. Whoever knows the kinds puts the name in its place.
    Without one, of every kind. Without names and labels all are meant. A name stays halted under whichever id it comes
    back, and an id under whichever name.
    """

    kind: str = ""
    names: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    labels: tuple[Condition, ...] = ()

    @property
    def is_all(self) -> bool:
        """Whether it is a standing selector of whatever there is, and will be, of the kind."""
        return not (self.names or self.ids or self.labels)

    def is_of(self, kind: str, table: str = "") -> bool:
        """Whether it is of every kind, or of the one of this name, or with this table."""
        return not self.kind or _are_one_kind(self.kind, kind) or self.kind.lower() == table.lower()

    def is_same(self, other: HaltSelector) -> bool:
        """Whether both were written for the same; the order of names, conditions and their values does not matter."""
        if not _are_one_kind(self.kind, other.kind) or set(self.names) != set(other.names):
            return False
        return {one.normalized() for one in self.labels} == {one.normalized() for one in other.labels}

    def covers(self, kind: str, name: str, row_id: str, labels: Mapping[str, str], table: str = "") -> bool:
        """Whether it means the resource of this kind, name and id, with these labels."""
        if not self.is_of(kind, table):
            return False
        if self.names or self.ids:
            return name in self.names or row_id in self.ids
        return all(one.is_met_by_label(labels.get(one.field)) for one in self.labels)

    def __str__(self) -> str:
        """As people type it: `User ann ben`, `-l desk=fx`, `--all`, `User --all`."""
        if self.names or self.ids:
            return " ".join((self.kind, *(self.names or self.ids)))
        what = f"-l {','.join(map(str, self.labels))}" if self.labels else "--all"
        return f"{self.kind} {what}" if self.kind else what


class Halt(Struct, frozen=True):
    """One standing halt: `by` is who asked, `since` when (aware, UTC)."""

    id: str
    selector: HaltSelector
    reason: str
    by: str
    since: datetime


class HaltAct(StrEnum):
    """What somebody did to the standing halts; the name of the host event as well."""

    HALTED = "halted"
    RELEASED = "released"


class HaltChange(Struct, frozen=True):
    """One such act: the selector that was given, why, by whom and when. `number` is that of the halts after it."""

    number: int
    act: HaltAct
    selector: HaltSelector
    reason: str
    by: str
    at: datetime

    def detail(self) -> dict[str, Value]:
        """What a host event says of it."""
        return {"selector": str(self.selector), "reason": self.reason, "actor": self.by}


class Halts(Struct, frozen=True):
    """All standing halts of a host, and the newest changes of them. `number` grows with each change."""

    number: int = 0
    standing: tuple[Halt, ...] = ()
    changes: tuple[HaltChange, ...] = ()

    @property
    def digest(self) -> str:
        """Differs for halts that may halt other resources; empty without any."""
        if not self.standing:
            return ""
        selectors = sorted({json.encode(halt.selector) for halt in self.standing})
        return hashlib.sha256(b"\n".join(selectors)).hexdigest()

    def digest_without(self, failed: Collection[str]) -> str:
        """The same where the rows of some kinds do not obey yet."""
        if not failed or not self.standing:
            return self.digest
        return hashlib.sha256(f"{self.digest} without {' '.join(sorted(failed))}".encode()).hexdigest()

    def find(self, kind: str, name: str, row_id: str, labels: Mapping[str, str]) -> Halt | None:
        """The first halt that covers the resource of this kind, name and id, with these labels."""
        return next((halt for halt in self.standing if halt.selector.covers(kind, name, row_id, labels)), None)

    def of(self, resource: Resource, table: str = "") -> Halt | None:
        """The first halt that covers a resource, whose kind has this table."""
        return next(self.covering(resource, table), None)

    def covering(self, resource: Resource, table: str = "") -> Iterator[Halt]:
        """All halts that cover a resource."""
        kind, name, row_id, labels = resource.kind, resource.name, resource.id, resource.labels
        return (halt for halt in self.standing if halt.selector.covers(kind, name, row_id, labels, table))

    def named(self, tables: Iterable[tuple[str, str]]) -> Halts:
        """With the names of kinds in place of what was typed for them; pairs of a kind's name and its table."""
        known = tuple(tables)
        standing = tuple(_named(halt, known) for halt in self.standing)
        return self if standing == self.standing else replace(self, standing=standing)

    def add(self, halt: Halt) -> Halts:
        """With one more."""
        change = HaltChange(self.number + 1, HaltAct.HALTED, halt.selector, halt.reason, halt.by, halt.since)
        return self._changed((*self.standing, halt), change)

    def release(self, selector: HaltSelector, reason: str, by: str, at: datetime) -> Halts:
        """Without those of the same selector; of named resources, without these names. The same where none is."""
        left = tuple(halt for one in self.standing if (halt := _without(one, selector)) is not None)
        if left == self.standing:
            return self
        return self._changed(left, HaltChange(self.number + 1, HaltAct.RELEASED, selector, reason, by, at))

    def with_past(self, past: Halts) -> Halts:
        """With what stood on a host whose state folder was lost since, and these know nothing of, or are older than.

        Of these and of those, whichever made the newest change that both remember went on from the other. Where neither
        did, all stand.
        """
        if not past.number or _goes_on(self, past):
            return self
        if not self.number or _goes_on(past, self):
            return past
        both = replace(past, number=max(self.number, past.number))
        for one in self.standing:
            if not any(one.selector.is_same(other.selector) for other in past.standing):
                both = both.add(one)
        return both if both.number > self.number else replace(both, number=self.number + 1)

    def detail(self) -> Value:
        """All of it as JSON, as a host event has it."""
        found: Value = json.decode(json.encode(self))
        return found

    def changes_after(self, number: int) -> tuple[HaltChange, ...]:
        """The changes that came later, as far as they are remembered, the oldest first."""
        return tuple(change for change in self.changes if change.number > number)

    @classmethod
    def of_event(cls, event: HostEvent) -> Halts | None:
        """The halts that stood after a host event; None for one that does not say."""
        found = event.detail.get("halts")
        return None if found is None else convert(found, cls)

    def _changed(self, standing: tuple[Halt, ...], change: HaltChange) -> Halts:
        return Halts(change.number, standing, (*self.changes, change)[-MAX_CHANGES:])


class HaltStep(Struct, frozen=True):
    """What halts changed in the live rows: the states before and after, and how many rows of each kind differ.

    `rows` are these, None where there are very many. `changes` of the halts led here, and `failed` are the kinds
    that are in the way, and why. The states are None where nothing is live.
    """

    base: Applied | None
    applied: Applied | None
    counts: Mapping[str, int]
    rows: tuple[Row, ...] | None
    changes: tuple[HaltChange, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def _goes_on(later: Halts, earlier: Halts) -> bool:
    """Whether the newest change of some is among those of others; a kind may be written otherwise there."""
    known = {(change.number, change.at) for change in later.changes}
    return any((change.number, change.at) in known for change in earlier.changes[-1:])


def _without(halt: Halt, selector: HaltSelector) -> Halt | None:
    """What is left of a halt; None where nothing is."""
    own = halt.selector
    is_of_it = selector.is_of(own.kind)
    if (selector.is_all and is_of_it) or own.is_same(selector):
        return None
    if not own.names or not is_of_it or not selector.names:
        return halt
    pairs = [pair for pair in zip(own.names, own.ids or own.names, strict=True) if pair[0] not in selector.names]
    if not pairs:
        return None
    names, ids = (tuple(part) for part in zip(*pairs, strict=True))
    return replace(halt, selector=replace(own, names=names, ids=ids if own.ids else ()))


def _named(halt: Halt, tables: tuple[tuple[str, str], ...]) -> Halt:
    own = halt.selector
    found = next((kind for kind, table in tables if own.kind and own.is_of(kind, table)), own.kind)
    return halt if found == own.kind else replace(halt, selector=replace(own, kind=found))


def _are_one_kind(one: str, other: str) -> bool:
    """Whether two words mean the same kind: the case and an s of the plural do not matter."""
    one, other = one.lower(), other.lower()
    return one == other or (bool(one and other) and other in (f"{one}s", one.removesuffix("s")))
