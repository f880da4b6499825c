"""Halts as people ask for them: what they typed to what is halted, and the file before the rows.

Halted means: opens nothing new; it closes nothing.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater, UsageError
from reconciler.model.halt import Halt, HaltSelector
from reconciler.model.halt import Halts as StandingHalts
from reconciler.model.selection import Selection
from reconciler.report.halts import (
    Halted,
    Halts,
    Released,
    build_halted,
    build_released,
    build_standing,
    build_written,
    standing_line,
    standing_text,
)
from reconciler.service.context import Service
from reconciler.service.kinds import known_kinds
from reconciler.service.selection import UUID_TEXT, parse_labels
from reconciler.values import replace
from reconciler.words import list_words, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.haltfile import HaltFile
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.selection import Condition
    from reconciler.ports import Clock, LedgerReader
    from reconciler.reconcile.rules import BundledSchemas

    OpenLedger = Callable[[], AbstractContextManager[LedgerReader]]

MAX_NAMES = 500
"""Names of one halt."""
MAX_NOTES = 10
"""Names without a row of which a note tells."""
WAYS = "name what to halt: KIND NAME…, -l LABEL or --all"
LATER = "written to halts.json; the process that has the store obeys it before it does anything else"
NOT_LOOKED_UP = "the live rows cannot be read now: the names were not looked up, and are taken as they were typed"


class HaltChoice(Struct, frozen=True, omit_defaults=True):
    """What somebody wants to halt or release, as they typed it."""

    kind: str = ""
    names: tuple[str, ...] = ()
    label: str = ""
    all: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was typed."""
        return not (self.kind or self.names or self.label or self.all)


class HaltDesk(Struct, frozen=True):
    """Halts and releases on one host, for any thread.

    `open_rows` gives None before the first sync, and raises when the rows cannot be read at once. `obey` makes the rows
    obey the file, gives what was not told of it, and raises when that has to wait for another process. `judge` raises
    why a release that leaves some halts is refused, or cannot be judged.
    """

    file: HaltFile
    open_rows: Callable[[], AbstractContextManager[DuckDBReader | None]]
    obey: Callable[[], Sequence[str]]
    judge: Callable[[StandingHalts], None]
    bundled: BundledSchemas
    clock: Clock

    def halt(self, by: str, reason: str, choice: HaltChoice) -> Halted:
        """Halt, first in the file and then in the rows. Raises `UsageError` for what makes no sense."""
        reason = _check_reason(reason, "a halt needs a reason", 'say why, for others: --reason "the feed is wrong"')
        kinds, notes, selector = self._find(choice)
        halt = Halt(secrets.token_hex(4), selector, reason, by, self.clock.now())
        obeyed = self._obeyed(notes)
        after = self.file.change(lambda halts: halts if _same(halts, selector) else halts.add(halt), obeyed)
        stands = _same(after, selector) or halt
        if stands.id != halt.id:
            notes.append(f"it stands already: {standing_line(stands)}")
        applied = self._obey(notes)
        rows = self._count(kinds, selector) if applied else None
        left_out = () if selector.kind else tuple(kind.name for kind in kinds if not kind.halt)
        failed = self._failed() if applied else {}
        return build_halted(stands, after.number, rows, left_out, applied=applied, notes=notes, failed=failed)

    def release(self, by: str, reason: str, choice: HaltChoice) -> Released:
        """Release, first in the file and then in the rows.

        Raises `UsageError` where no such halt stands, `RefusedError` where rules are against it; then all stays halted.
        """
        reason = _check_reason(reason, "a release needs a reason", 'say why, for others: --reason "the feed is well"')
        obeyed = self._obeyed([])
        before = self.file.current(obeyed)
        selector = self._find_standing(choice, before)
        self.judge(before.release(selector, reason, by, self.clock.now()))
        after = self.file.change(lambda halts: halts.release(selector, reason, by, self.clock.now()), obeyed)
        left = {halt.id: halt for halt in after.standing}
        ended = tuple(halt for halt in before.standing if left.get(halt.id) != halt)
        notes = [
            f"{name} stays halted: {standing_line(other)}"
            for name in selector.names
            for other in after.standing
            if _covers_name(other.selector, selector.kind, name)
        ]
        if selector.is_all and after.standing:
            notes += [f"still halted: {standing_line(halt)}" for halt in after.standing]
        applied = self._obey(notes)
        failed = self._failed() if applied else {}
        return build_released(
            ended, str(selector), reason, by, after.number, applied=applied, notes=notes, failed=failed
        )

    def _obeyed(self, notes: list[str]) -> StandingHalts | None:
        """The halts that the rows obey, for a file that was lost or cannot be read; None where they cannot be read."""
        with suppress(ReconcilerError), self.open_rows() as store:
            return store.halts() if store else None
        try:
            self.file.read()
        except NeedsHuman as error:
            notes.append(f"{error}; what stood there is not known: halt again what has to be off")
        return None

    def _obey(self, notes: list[str]) -> bool:
        try:
            notes += self.obey()
        except ReconcilerError as error:
            notes += [LATER, f"until then: {error}"]
            return False
        return True

    def _failed(self) -> Mapping[str, str]:
        """The kinds that do not obey, and why, as far as that can be read."""
        with suppress(ReconcilerError), self.open_rows() as store:
            return store.failed_halts() if store else {}
        return {}

    def _find(self, choice: HaltChoice) -> tuple[tuple[Kind, ...], list[str], HaltSelector]:
        """The kinds there are, what is to be told, and what is meant."""
        try:
            with self.open_rows() as store:
                kinds = haltable_kinds(known_kinds(store, self.bundled), self.bundled.kinds)
                selector = parse_choice(choice, kinds)
                if store is None or not selector.names:
                    return kinds, [], selector
                found = look_up(store, kinds, selector)
                return kinds, found.notes, found.selector
        except UsageError:
            raise
        except ReconcilerError:
            kinds = haltable_kinds(self.bundled.kinds, self.bundled.kinds)
            selector = parse_choice(choice, kinds, all_known=False)
            unknown = selector.kind and not any(selector.is_of(kind.name) for kind in kinds)
            notes = [f"whether there is a kind {selector.kind} is not known now"] if unknown else []
            return kinds, [*notes, *([NOT_LOOKED_UP] if selector.names else [])], selector

    def _find_standing(self, choice: HaltChoice, halts: StandingHalts) -> HaltSelector:
        """What is to be released, as it stands."""
        if not halts.standing:
            raise UsageError("nothing is halted", hint="`reconciler halt` lists what is")
        if choice.is_empty:
            if len(halts.standing) > 1:
                raise UsageError("say which halt to release", hint=standing_text(halts.standing))
            return halts.standing[0].selector
        asked, ids = self._parse_standing(choice)
        selector = replace(asked, names=tuple(sorted(set(_names_of(asked, ids, halts)))), ids=())
        if halts.release(selector, "", "", self.clock.now()) == halts:
            covering = [halt for halt in halts.standing if _may_cover(halt.selector, selector)]
            why = f"{selector} is no halt of its own, but part of another" if covering else f"{selector} is not halted"
            raise UsageError(why, hint=standing_text(covering or halts.standing))
        return selector

    def _parse_standing(self, choice: HaltChoice) -> tuple[HaltSelector, Mapping[str, str]]:
        """What is to be released as it was typed, and by each name or id of it that of the live row."""
        try:
            with self.open_rows() as store:
                kinds = haltable_kinds(known_kinds(store, self.bundled), self.bundled.kinds)
                asked = parse_choice(choice, kinds, all_known=False, verb="released")
                kind = next((kind for kind in kinds if asked.kind == kind.name), None)
                return asked, _other_words(store, kind, asked.names) if store and kind else {}
        except UsageError:
            raise
        except ReconcilerError:
            return parse_choice(choice, tuple(self.bundled.kinds), all_known=False, verb="released"), {}

    def _count(self, kinds: Sequence[Kind], selector: HaltSelector) -> Mapping[str, int] | None:
        """How many live rows a selector covers, by kind; None where they cannot be read."""
        with suppress(ReconcilerError), self.open_rows() as store:
            return dict(_covered(store, kinds, selector)) if store else {}
        return None


class HaltList(Service):
    """What stands on this host."""

    def all(self) -> Halts:
        """The standing halts, the newest last, and whether the rows obey them; of the file while nobody knows that."""
        try:
            return build_standing(self.context.status())
        except UsageError:
            raise
        except (NeedsHuman, RetryLater):
            return build_written(self.context.standing_halts())


def haltable_kinds(kinds: Kinds, bundled: Kinds) -> tuple[Kind, ...]:
    """Kinds with what a halt sets, also where a store has a schema from before that was said."""
    return tuple(
        replace(kind, halt=known.halt) if not kind.halt and (known := bundled.by_name.get(kind.name)) else kind
        for kind in kinds
    )


def parse_choice(
    choice: HaltChoice, kinds: Sequence[Kind], *, all_known: bool = True, verb: str = "halted"
) -> HaltSelector:
    """What is meant. Raises `UsageError` unless exactly one way is given, of a kind that can be halted.

    Where not all kinds are known, an unknown one is taken as it was typed.
    """
    ways = [bool(choice.names), bool(choice.label.strip()), choice.all]
    if sum(ways) > 1:
        raise UsageError(f"there are several ways to say what is {verb}", hint=WAYS)
    if not any(ways):
        told = f"which {choice.kind}? " if choice.kind else ""
        raise UsageError(f"{told}nothing says what is to be {verb}", hint=WAYS)
    if choice.names and not choice.kind:
        raise UsageError("names need a kind", hint=WAYS)
    if len(choice.names) > MAX_NAMES:
        raise UsageError(f"there are more than {MAX_NAMES} names", hint="a label, a kind or --all says it shorter")
    kind = _find_kind(choice.kind, kinds, all_known=all_known) if choice.kind else ""
    names = tuple(sorted(set(choice.names)))
    return HaltSelector(kind, names, tuple(map(_id_of, names)), _parse_labels(choice.label))


class FoundNames(NamedTuple):
    """A selector with the names and ids of live rows, and what is to be told of the names that none has."""

    selector: HaltSelector
    notes: list[str]


def look_up(store: DuckDBReader, kinds: Sequence[Kind], selector: HaltSelector) -> FoundNames:
    """The names and ids of the live rows; a name that none has stands for a row to come.

    Raises `UsageError` where none of the names is known.
    """
    kind = next(kind for kind in kinds if kind.name == selector.kind)
    rows = {word: store.live(kind, word)[:1] for word in selector.names}
    unknown = [word for word, found in rows.items() if not found]
    if len(unknown) == len(rows):
        hint = suggest(unknown[0], [row.name for row in store.live(kind)], f"see `reconciler get {kind.name.lower()}`")
        raise UsageError(f"no {kind.name} {unknown[0]} is live: nothing was halted", hint=hint)
    ids = {row.name: str(row.values[kind.key]) for found in rows.values() for row in found}
    ids |= {word: _id_of(word) for word in unknown}
    names = tuple(sorted(ids))
    notes = [f"no {kind.name} {word} is live: it is halted as soon as there is one" for word in unknown[:MAX_NOTES]]
    if len(unknown) > MAX_NOTES:
        notes.append(f"{len(unknown) - MAX_NOTES:,} more names are of nothing live")
    return FoundNames(replace(selector, names=names, ids=tuple(ids[name] for name in names)), notes)


def _parse_labels(text: str) -> tuple[Condition, ...]:
    """Conditions in one order, whatever the order they were typed in."""
    return tuple(sorted({one.normalized() for one in parse_labels(text)}, key=str))


def _id_of(word: str) -> str:
    """What may be an id, as rows have it."""
    return word.lower() if UUID_TEXT.fullmatch(word) else word


def _other_words(store: DuckDBReader, kind: Kind, words: Sequence[str]) -> dict[str, str]:
    """The name of what was called by its id, and the id of what was called by its name."""
    found = {}
    for word in words:
        for row in store.live(kind, word)[:1]:
            row_id = str(row.values[kind.key])
            found[word] = row.name if row_id == _id_of(word) else row_id
    return found


def _find_kind(word: str, kinds: Sequence[Kind], *, all_known: bool) -> str:
    from_words = {form: kind for kind in kinds for form in _forms(kind)}
    kind = from_words.get(word.lower())
    if kind is None:
        if not all_known:
            return word
        raise UsageError(f"there is no kind {word}", hint=suggest(word, [one.name.lower() for one in kinds]))
    if not kind.halt:
        haltable = list_words(one.name for one in kinds if one.halt)
        hint = f"these can be halted: {haltable}; `x-reconciler.halt` of a schema says what a halt sets"
        raise UsageError(f"{kind.name} cannot be halted: its schema names no field that a halt sets", hint=hint)
    return kind.name


def _forms(kind: Kind) -> tuple[str, ...]:
    return kind.name.lower(), f"{kind.name.lower()}s", kind.table.lower()


def _covered(store: DuckDBReader, kinds: Sequence[Kind], selector: HaltSelector) -> Iterator[tuple[str, int]]:
    counts = store.counts()
    for kind in kinds:
        if not kind.halt or not selector.is_of(kind.name):
            continue
        if selector.names:
            count = sum(len(store.live(kind, name)[:1]) for name in selector.names)
        elif selector.labels:
            count = len(store.selected(kind, Selection(labels=selector.labels), None, None))
        else:
            count = counts.get(kind.name, 0)
        if count:
            yield kind.name, count


def _same(halts: StandingHalts, selector: HaltSelector) -> Halt | None:
    """The standing halt of the same."""
    return next((one for one in halts.standing if one.selector.is_same(selector)), None)


def _names_of(asked: HaltSelector, others: Mapping[str, str], halts: StandingHalts) -> Iterator[str]:
    """The names that stand for words, which may be ids, or names of what was halted by its id."""
    stand = [
        (name, {name, one_id})
        for halt in halts.standing
        if halt.selector.is_of(asked.kind)
        for one_id, name in zip(halt.selector.ids, halt.selector.names, strict=False)
    ]
    for word in asked.names:
        called = {word, _id_of(word), others.get(word, word)}
        yield from [name for name, words in stand if words & called] or [word]


def _covers_name(selector: HaltSelector, kind: str, name: str) -> bool:
    """Whether a halt is sure to cover a name; of labels the file does not know."""
    return selector.is_of(kind) and (selector.is_all or name in selector.names)


def _may_cover(selector: HaltSelector, asked: HaltSelector) -> bool:
    if not selector.is_of(asked.kind):
        return False
    return selector.is_all or any(_covers_name(selector, asked.kind, name) for name in asked.names)


def _check_reason(reason: str, message: str, hint: str) -> str:
    if not reason.strip():
        raise UsageError(message, hint=hint)
    return reason.strip()
