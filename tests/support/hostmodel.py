"""One host in plain dictionaries: what should be live after commits, halts, rollbacks, losses and restores.

It calls nothing of the program. Commits are numbers on one line of history; `None` is none.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TypeAlias

Resource: TypeAlias = "dict[str, object]"
"""`kind`, `name`, `status` (kinds that have one), `risk`, `desk` (a label), and `gone` for what left git."""
State: TypeAlias = "dict[str, Resource]"
"""Resources by their ids."""
FIELDS = ("name", "status", "risk", "desk")
WITHOUT_STATUS = "System"


@dataclass(frozen=True)
class Selector:
    """What is halted: names with the ids that they had, or those with a label, or all; of a kind or of any."""

    kind: str = ""
    names: tuple[tuple[str, str], ...] = ()
    desk: str = ""

    @property
    def written(self) -> tuple[str, frozenset[str], str]:
        return self.kind, frozenset(name for name, _ in self.names), self.desk

    def covers(self, row_id: str, row: Resource) -> bool:
        if row["kind"] == WITHOUT_STATUS or self.kind not in ("", row["kind"]):
            return False
        if self.names:
            return any(row["name"] == name or row_id == one_id for name, one_id in self.names)
        return self.desk in ("", row["desk"])


@dataclass(frozen=True)
class Skip:
    """What the way to a skipped commit did to one resource: `fields` that it changed, else it came or went."""

    row_id: str
    kind: str
    names: tuple[str, ...]
    fields: tuple[tuple[str, object], ...] = ()
    came: bool = False

    def found(self, state: State) -> list[Resource]:
        return [
            one
            for row_id, one in state.items()
            if row_id == self.row_id or (one["kind"] == self.kind and one["name"] in self.names)
        ]

    def is_held(self, state: State) -> bool:
        found = self.found(state)
        if self.fields:
            return any(one[name] == value for one in found for name, value in self.fields)
        return bool(found) is self.came

    def without(self, state: State) -> Skip | None:
        """What is left of it where a newer rollback goes to a state that says some of it."""
        if not self.fields:
            return None if self.is_held(state) else self
        found = self.found(state)
        left = tuple((name, value) for name, value in self.fields if all(one[name] != value for one in found))
        return Skip(self.row_id, self.kind, self.names, left) if left else None


@dataclass
class Rollback:
    target: int
    skipped: int
    skips: frozenset[Skip]


@dataclass(frozen=True)
class Halts:
    """What stands. `number` grows with each change of one `line`; another line began where nothing was known."""

    standing: tuple[Selector, ...] = ()
    number: int = 0
    line: int = 0


@dataclass
class Known:
    """What a store knows: what is live of git, halts, the rollback, and for each commit when it was live last.

    `acts` counts what changed the rollback, so that of two stores the newer one is known.
    """

    live: int | None = None
    rows: State = field(default_factory=dict)
    halts: Halts = field(default_factory=Halts)
    rollback: Rollback | None = None
    acts: int = 0
    lived: dict[int, tuple[int, bool]] = field(default_factory=dict)


@dataclass
class Host:
    """`commits` are what git declares, None for an invalid one; `file` is `halts.json`, `ledger` what was told last."""

    commits: list[State | None] = field(default_factory=list)
    store: Known | None = None
    file: Halts | None = None
    ledger: Known | None = None
    backups: list[Known] = field(default_factory=list)
    order: int = 0
    number: int = 0
    acts: int = 0

    def history(self, commit: int) -> State:
        """The rows that the history up to a commit makes: what left git stays, off."""
        rows: State = {}
        for state in self.commits[: commit + 1]:
            if state is not None:
                left = {row_id: {**row, "gone": True} for row_id, row in rows.items() if row_id not in state}
                rows = {**left, **copy.deepcopy(state)}
        return rows

    @property
    def expected(self) -> dict[str, tuple[object, object]]:
        """The status and the risk of each live row."""
        if self.store is None:
            return {}
        return {
            row_id: (self._status(row_id, row), row["risk"])
            for row_id, row in self.store.rows.items()
            if not (row.get("gone") and row["kind"] == WITHOUT_STATUS)
        }

    def covered(self) -> set[str]:
        store = self.store or Known()
        standing = store.halts.standing
        return {row_id for row_id, row in store.rows.items() if any(one.covers(row_id, row) for one in standing)}

    def _status(self, row_id: str, row: Resource) -> object:
        if row["kind"] == WITHOUT_STATUS:
            return None
        return "INACTIVE" if row.get("gone") or row_id in self.covered() else row["status"]

    def opened(self) -> Known:
        """Whoever opens the store obeys the file, or writes it where it is lost."""
        self.store = self.store or Known()
        self.file = self.store.halts = self.current()
        return self.store

    def current(self) -> Halts:
        """The halts of the file or the store, whichever is newer."""
        stored = self.store.halts if self.store else Halts()
        return self.file if self.file and self.file.number > stored.number else stored

    def _goes_live(self, store: Known, commit: int, *, back: bool = False) -> None:
        if store.live is not None and store.live != commit:
            store.lived[store.live] = (store.lived[store.live][0], back)
        self.order += 1
        store.live, store.lived[commit] = commit, (self.order, False)

    def sync(self) -> bool:
        """False where a rollback that was forgotten cannot be done again, as it would switch on what is halted."""
        store = self.opened()
        if not self._recall(store):
            return False
        valid = [number for number, state in enumerate(self.commits) if state is not None]
        newer = bool(valid) and (store.live is None or valid[-1] > store.live)
        rows = self.history(valid[-1]) if valid else {}
        if newer and not self.is_held(valid[-1]) and not self.switches_on(rows):
            self._goes_live(store, valid[-1])
            store.rows = rows
            if store.rollback is not None:
                self._turn(store, None)
        self._tell()
        return True

    def switches_on(self, rows: State) -> bool:
        """Whether rows have something on that is halted now: only a release may do that."""
        standing = self.store.halts.standing if self.store and self.store.live is not None else ()
        return any(
            row_id not in rows
            or (is_on(rows[row_id]) and not any(one.covers(row_id, rows[row_id]) for one in standing))
            for row_id in self.covered()
            if standing
        )

    def is_held(self, commit: int) -> bool:
        state, back = self.commits[commit], self.store and self.store.rollback
        if not back:
            return False
        assert state is not None
        return commit == back.skipped or any(skip.is_held(state) for skip in back.skips)

    def _turn(self, store: Known, rollback: Rollback | None) -> None:
        self.acts += 1
        store.rollback, store.acts = rollback, self.acts

    def _recall(self, store: Known) -> bool:
        """A new store, or one that was brought back, knows from the ledger what it missed."""
        told = self.ledger
        if told is not None and told.halts.line != store.halts.line:
            both = (*told.halts.standing, *(one for one in store.halts.standing if one not in told.halts.standing))
            self._write(both)
            store.halts = self.current()
        elif told is not None and told.halts.number > store.halts.number:
            self.file = store.halts = told.halts
        if told is not None and told.acts > store.acts:
            store.rollback, store.acts = told.rollback, told.acts
        if store.rollback is not None and store.live != store.rollback.target:
            rows = self.rows_back(store.rollback.target, store.rollback.skipped)
            if self.switches_on(rows):
                return False
            store.rows = rows
            self._goes_live(store, store.rollback.target, back=True)
        return True

    def rows_back(self, target: int, skipped: int | None = None) -> State:
        """What came later than a target stays, off: of what is live, and of what a rollback skips."""
        rows, later = self.history(target), self.store.rows if self.store else {}
        if skipped is not None:
            later = {**self.history(skipped), **later}
        return {**rows, **{row_id: {**row, "gone": True} for row_id, row in later.items() if row_id not in rows}}

    def target(self, to: int | None) -> int | None:
        """Where a rollback goes; None where there is nothing to go back to."""
        store, told = self.store, self.ledger or Known()
        if store is None or store.live is None:
            return None
        if to is not None:
            return to if to < store.live and (to in store.lived or to in told.lived) else None
        out = {store.live, store.rollback.skipped if store.rollback else None}
        for lived in (store.lived, told.lived):
            fitting = [
                (order, commit)
                for commit, (order, back) in lived.items()
                if not back and commit not in out and commit < store.live
            ]
            if fitting:
                return max(fitting)[1]
        return None

    def roll_back(self, target: int) -> None:
        store = self.opened()
        assert store.live is not None
        before, here, there = store.rollback, declared(store.rows), declared(self.history(target))
        skips = set(compare(there, here))
        if before is not None:
            skips |= {left for skip in before.skips if (left := skip.without(there)) is not None}
        head = before.skipped if before else store.live
        store.rows = self.rows_back(target)
        self._goes_live(store, target, back=True)
        self._turn(store, Rollback(target, head, frozenset(skips)))
        self._tell()

    def end(self) -> None:
        store = self.opened()
        if store.rollback is not None:
            self._turn(store, None)

    def _tell(self) -> None:
        """The history forgets nothing of former stores."""
        lived = self.ledger.lived if self.ledger else {}
        self.ledger = copy.deepcopy(self.store)
        if self.ledger is not None:
            self.ledger.lived = {**lived, **self.ledger.lived}

    def _write(self, standing: tuple[Selector, ...]) -> None:
        before = self.current()
        self.number += 1
        self.file = Halts(standing, self.number, before.line or self.number)

    def change_halts(self, standing: tuple[Selector, ...]) -> bool:
        """The file first, then the rows; whether anything changed."""
        if standing == self.current().standing:
            return False
        self._write(standing)
        if self.store is not None:
            self.opened()
        return True

    def called(self, kind: str, name: str) -> str | None:
        """The id of the row that goes by a name, one that git declares before one that left it."""
        rows = (self.store or Known()).rows
        found = [row_id for row_id, row in rows.items() if (row["kind"], row["name"]) == (kind, name)]
        return next(iter(sorted(found, key=lambda row_id: (bool(rows[row_id].get("gone")), row_id))), None)

    def halt(self, selector: Selector) -> bool:
        same = (one for one in self.current().standing if one.written == selector.written)
        return self.change_halts((*self.current().standing, *(() if any(same) else (selector,))))

    def release(self, selector: Selector) -> bool:
        """As it was made; all of a kind, or all, end what is of that. A name ends what has its row's id, too."""
        ended = {
            name
            for one in self.current().standing
            if one.kind == selector.kind
            for name, row_id in one.names
            for asked, asked_id in selector.names
            if {name, row_id} & {asked, asked_id}
        }
        left = []
        for one in self.current().standing:
            names = tuple(pair for pair in one.names if one.kind != selector.kind or pair[0] not in ended)
            is_all = not selector.names and not selector.desk and selector.kind in ("", one.kind)
            if not is_all and one.written != selector.written and (names or not one.names):
                left.append(Selector(one.kind, names, one.desk))
        return self.change_halts(tuple(left))

    def back_up(self) -> None:
        self.backups.append(copy.deepcopy(self.store or Known()))

    def restore(self, number: int) -> None:
        before, self.store = self.store, copy.deepcopy(self.backups[number])
        store = self.store
        if before is not None and before.halts.number > (self.file or Halts()).number:
            self.file = before.halts
        if before is not None and before.live is not None:
            store.lived, store.rollback, store.acts = before.lived, before.rollback, before.acts
            back_to, store.live = store.live, before.live
            if back_to is not None:
                self._goes_live(store, back_to)
        self.opened()


def is_on(row: Resource) -> bool:
    return row["status"] == "ACTIVE" and not row.get("gone")


def declared(rows: State) -> State:
    return {row_id: row for row_id, row in rows.items() if not row.get("gone")}


def compare(target: State, bad: State) -> list[Skip]:
    """What the way from a target to the bad state said."""
    skips = []
    for row_id in {**target, **bad}:
        was, now = target.get(row_id), bad.get(row_id)
        row = now or was
        assert row is not None
        kind, name = str(row["kind"]), str(row["name"])
        if was is None or now is None:
            skips.append(Skip(row_id, kind, (name,), came=was is None))
        elif fields := tuple((one, now[one]) for one in FIELDS if was[one] != now[one]):
            skips.append(Skip(row_id, kind, (name, str(was["name"])), fields))
    return skips
