"""A host does what a small model says, whatever is committed, halted, rolled back, lost, restored and altered by hand.

No halted resource is ever ACTIVE, no skipped value comes back by itself, and nothing else changes.
"""

from __future__ import annotations

import copy
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.adapters.machine import SystemClock
from reconciler.canonical import timestamp
from reconciler.errors import ReconcilerError
from reconciler.service.halts import HaltChoice
from reconciler.service.history import rows_at
from reconciler.service.localcontrol import LocalControl
from reconciler.service.past import open_past
from reconciler.settings import load
from reconciler.wiring.local import local_host
from tests.support import configs
from tests.support.gitrepo import Content, GitRepo
from tests.support.hostmodel import WITHOUT_STATUS, Host, Known, Selector, State
from tests.support.laws import examples
from tests.support.world import one_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from reconciler.service.local import LocalHost

    Event = tuple[str, Any]

IDS = {f"0000000{number}-0000-4000-8000-00000000000{number}": kind for number, kind in enumerate("UUUSSY")}
KINDS = {"U": "User", "S": "Signal", "Y": WITHOUT_STATUS}
TABLES = {
    "User": ("user_config", "user_id", "risk_per_trade_percent"),
    "Signal": ("signal_config", "config_id", "risk_per_trade_percent"),
    WITHOUT_STATUS: ("system_config", "config_id", "sync_interval_sec"),
}
NAMES = ("ann", "ben", "cleo", "dora")
DESKS = (None, "fx", "metals")
RISKS = (1.0, 2.0, 3.0)
SETTINGS = """apiVersion: reconciler/v1
kind: Repository
spec:
  prune: {max_percent: 100, max_count: 1000}
"""
HEAD = {"apiVersion": "reconciler/v1"}


def document(row_id: str, row: dict[str, Any]) -> str:
    """One resource as a file."""
    kind, risk = row["kind"], row["risk"]
    if kind == WITHOUT_STATUS:
        text = configs.system(row["name"])
        text = text.replace("sync_interval_sec: 5", f"sync_interval_sec: {int(risk)}\n  config_id: {row_id}")
    else:
        make = configs.user if kind == "User" else configs.signal
        text = make(row["name"], risk=risk).replace("status: ACTIVE", f"status: {row['status']}")
        text += f"  {TABLES[kind][1]}: {row_id}\n"
    if row["desk"]:
        text = text.replace("spec:\n", f"  labels:\n    desk: {row['desk']}\nspec:\n")
    return text


def typed(kind: str, names: Sequence[str], desk: str) -> HaltChoice:
    """What somebody types to halt or release."""
    return HaltChoice(kind, tuple(names), desk and f"desk={desk}", not (names or desk))


@dataclass
class Moment:
    at: datetime
    commit: int
    rows: dict[str, tuple[object, object]]


@dataclass
class Play:
    """A real host beside its model."""

    folder: Path
    model: Host = field(default_factory=Host)
    shas: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    past: list[Moment] = field(default_factory=list)
    told: int = 0
    recorded: int = 0
    ships: bool = False
    random: random.Random = field(default_factory=lambda: random.Random(0))

    def __post_init__(self) -> None:
        self.repo = GitRepo.create(self.folder / "config")
        self.state = self.folder / "state"
        flags = {
            "repository.url": str(self.repo.path),
            "state.dir": str(self.state),
            "history.url": "duckdb",
            "redis.url": "none",
            "publish.path": "none",
            "host.name": "desk",
        }
        self.settings = load(None, flags, {})
        self.git: State = {}
        self.start()

    def start(self) -> None:
        """A new process."""
        self.host: LocalHost = local_host(self.settings)
        self.control = LocalControl(self.host)

    # What happens

    def edit(self, edits: Sequence[tuple[int, str, Any]]) -> None:
        """What somebody changes in the files, as far as git's rules allow."""
        for number, what, value in edits:
            row_id, before = list(IDS)[number], copy.deepcopy(self.git)
            kind = KINDS[IDS[row_id]]
            if what == "gone":
                self.git.pop(row_id, None)
            else:
                free = next(name for name in NAMES if name not in self.names(kind, row_id))
                fresh = {"kind": kind, "name": free, "status": "ACTIVE", "risk": 1.0, "desk": None}
                self.git.setdefault(row_id, fresh)[what] = value
            if len(set(self.names(kind))) < len(self.names(kind)):
                self.git = before

    def names(self, kind: str, without: str = "") -> list[object]:
        return [row["name"] for row_id, row in self.git.items() if row["kind"] == kind and row_id != without]

    def commit(self, *, valid: bool = True) -> None:
        files: dict[str, Content] = {f"{row_id}.yaml": None for row_id in IDS}
        files = {path: None for path in files if self.model.commits and self.exists(path)}
        files |= {f"{row_id}.yaml": document(row_id, row) for row_id, row in self.git.items()}
        files["reconciler.yaml"] = SETTINGS
        if not valid:
            files["broken.yaml"] = configs.BROKEN
        elif self.exists("broken.yaml"):
            files["broken.yaml"] = None
        self.shas.append(self.repo.commit(files, f"Commit {len(self.shas)}"))
        self.present = {path for path, text in files.items() if text is not None}
        self.model.commits.append(copy.deepcopy(self.git) if valid else None)

    present: set[str] = field(default_factory=set)

    def exists(self, path: str) -> bool:
        return path in self.present

    def do_commit(self, edits: Sequence[tuple[int, str, Any]]) -> None:
        self.edit(edits)
        self.commit()

    def do_invalid(self, edits: Sequence[tuple[int, str, Any]]) -> None:
        self.edit(edits)
        self.commit(valid=False)

    def do_revert(self, steps: int) -> None:
        """Back to what an earlier commit declared."""
        valid = [state for state in self.model.commits if state is not None]
        self.git = copy.deepcopy(valid[-1 - steps % len(valid)])
        self.commit()

    def do_sync(self, _: None) -> None:
        done = self.model.sync()
        self.expect(lambda: self.control.sync("me").result(), refused=not done)
        self.recorded, self.ships = (len(self.shas), True) if done else (self.recorded, False)

    def do_halt(self, asked: tuple[str, Sequence[str], str]) -> None:
        kind, names, desk = asked
        selector = self.selector(kind, names, desk)
        known = [self.model.called(kind, name) for name in names]
        refused = bool(names) and self.model.store is not None and not any(known)
        self.expect(lambda: self.control.halt("me", "why", typed(*asked)).result(), refused=refused)
        if not refused:
            self.model.halt(selector)

    def do_release(self, asked: tuple[str, Sequence[str], str]) -> None:
        changed = self.model.release(self.selector(*asked))
        self.expect(lambda: self.control.release("me", "over", typed(*asked)).result(), refused=not changed)

    def selector(self, kind: str, names: Sequence[str], desk: str) -> Selector:
        return Selector(kind, tuple((name, self.model.called(kind, name) or name) for name in sorted(set(names))), desk)

    def do_rollback(self, to: int | None) -> None:
        if to is not None:
            to %= len(self.shas)
        target = self.model.target(to)
        self.model.opened()
        if target is not None and self.model.switches_on(self.model.rows_back(target)):
            target = None
        self.expect(
            lambda: self.control.roll_back("me", "it loses", None if to is None else self.shas[to]).result(),
            refused=target is None,
        )
        if target is not None:
            self.model.roll_back(target)
            self.ships = True

    def do_end(self, _: None) -> None:
        ended = self.control.end_rollback("me", "it was right").result().ended
        assert (ended is None) == (self.model.opened().rollback is None)
        self.model.end()

    def do_backup(self, _: None) -> None:
        there = self.model.store is not None
        made = self.expect(lambda: self.control.back_up("me").result(), refused=not there)
        if there:
            self.files.append(Path(made.file))
            self.model.back_up()

    def do_restore(self, number: int) -> None:
        if self.files:
            number %= len(self.files)
            restored = self.control.restore("me", str(self.files[number])).result()
            assert restored.differences == ()
            self.model.restore(number)

    def do_lose(self, what: str) -> None:
        """Files of the state folder are deleted."""
        model = self.model
        for file in self.state.iterdir() if self.state.is_dir() else ():
            is_store = file.name.startswith("state.duckdb")
            is_history = file.name.startswith("history.duckdb")
            if (
                (what == "store" and is_store)
                or (what == "halts" and file.name == "halts.json")
                or (what == "folder" and not is_history)
                or what == "everything"
            ):
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        if what != "halts":
            model.store = None
        if what != "store":
            model.file = None
        if what in ("folder", "everything"):
            model.backups, self.files = [], []
        if what == "everything":
            model.ledger = None
            self.told = self.recorded = 0
        if what != "halts":
            del self.past[self.told :]

    def do_tamper(self, edits: Sequence[tuple[int, str, Any]]) -> None:
        """Something else writes to the live rows; a heal puts them right."""
        if self.model.store is None or self.model.store.live is None:
            return
        expected, altered = self.model.expected, set()
        with duckdb.connect(str(self.state / "state.duckdb")) as connection:
            for number, column, value in edits:
                row_id = list(IDS)[number]
                table, key, risk = TABLES[KINDS[IDS[row_id]]]
                if row_id not in expected or (table == "system_config" and column != "risk"):
                    continue
                if column == "gone":
                    connection.execute(f"DELETE FROM main.{table} WHERE {key} = ?", [row_id])
                else:
                    name = {"risk": risk, "status": "status"}[column]
                    connection.execute(f"UPDATE main.{table} SET {name} = ? WHERE {key} = ?", [value, row_id])
        now = self.live()
        altered = {row_id for row_id in expected if now.get(row_id) != expected[row_id]}
        found = self.control.heal("me").result()
        told = {one.id for one in found.drift}
        assert told == altered

    def expect(self, call: Callable[[], Any], *, refused: bool) -> Any:
        if not refused:
            return call()
        with pytest.raises(ReconcilerError) as error:
            call()
        return error

    # What is looked at

    def live(self) -> dict[str, tuple[object, object]]:
        """The live rows, without the program."""
        found: dict[str, tuple[object, object]] = {}
        if not (self.state / "state.duckdb").exists():
            return found
        with duckdb.connect(str(self.state / "state.duckdb"), read_only=True) as connection:
            for table, key, risk in TABLES.values():
                if connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [table]).fetchall():
                    status = "NULL" if table == "system_config" else "status"
                    query = f"SELECT {key}::VARCHAR, {status}, {risk} FROM main.{table}"
                    found |= {row_id: rest for row_id, *rest in connection.execute(query).fetchall()}
        return {row_id: tuple(rest) for row_id, rest in found.items()}

    def look(self, event: Event) -> None:
        model = self.model
        live, store = self.live(), model.store
        assert live == model.expected, event
        assert all(live[row_id][0] != "ACTIVE" for row_id in model.covered() if row_id in live)
        if store is None or store.live is None:
            return
        status = self.host.status()
        assert (status.applied and status.applied.stamp.commit) == self.shas[store.live]
        back = store.rollback
        assert (status.rollback and (status.rollback.target, status.rollback.skipped)) == (
            back and (self.shas[back.target], self.shas[back.skipped])
        )
        assert len(status.halts.standing) == len(model.current().standing)
        assert self.control.heal("me").result().drift == ()
        if event[0] != "restore":
            unlike = {one.sort for one in self.control.verify("me").result().differences}
            assert unlike <= self.unlike(store), (event, unlike)
        if self.ships:
            self.told, self.ships = len(self.past) + 1, False
        self.past.append(Moment(SystemClock().now(), store.live, live))

    def unlike(self, store: Known) -> set[str]:
        """What is rightly told: commits that no sync has seen, and rows that a rollback left, once it is ended."""
        assert store.live is not None
        left = store.rollback is None and store.rows.keys() - self.model.history(store.live).keys()
        return {
            *({"missing-version"} if self.recorded < len(self.shas) else ()),
            *({"unknown-row"} if left else ()),
        }

    def look_back(self) -> None:
        """The history tells what was live at earlier moments."""
        moment = self.random.choice(self.past) if self.past else None
        if moment is None or self.model.store is None or self.model.store.live is None:
            return
        declares = self.model.history(moment.commit)
        with open_past(self.host.context()) as past:
            for kind, (_, key, risk) in TABLES.items():
                told = rows_at(past, kind, None, timestamp(moment.at))
                assert told.at.commit == self.shas[moment.commit]
                rows = {str(row.values[key]): (row.values.get("status"), row.values[risk]) for row in told.rows}
                expected = {
                    row_id: moment.rows[row_id]
                    for row_id in moment.rows
                    if row_id in declares and KINDS[IDS[row_id]] == kind
                }
                assert rows == expected


EDITS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 5), st.just("risk"), st.sampled_from(RISKS)),
        st.tuples(st.integers(0, 4), st.just("status"), st.sampled_from(["ACTIVE", "INACTIVE"])),
        st.tuples(st.integers(0, 5), st.just("desk"), st.sampled_from(DESKS)),
        st.tuples(st.integers(0, 5), st.just("name"), st.sampled_from(NAMES)),
        st.tuples(st.integers(0, 5), st.just("gone"), st.none()),
    ),
    min_size=1,
    max_size=3,
)
TAMPERING = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 5), st.just("risk"), st.sampled_from((4.0, 5.0))),
        st.tuples(st.integers(0, 4), st.just("status"), st.sampled_from(["ACTIVE", "INACTIVE"])),
        st.tuples(st.integers(0, 5), st.just("gone"), st.none()),
    ),
    min_size=1,
    max_size=2,
)
SELECTED = st.one_of(
    st.tuples(
        st.sampled_from(["User", "Signal"]),
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True),
        st.just(""),
    ),
    st.tuples(st.sampled_from(["", "User", "Signal"]), st.just(()), st.sampled_from(["", "fx", "metals"])),
)
LOSSES = ("store", "store", "folder", "folder", "halts", "halts", "everything")
EVENTS = st.one_of(
    st.tuples(st.just("commit"), EDITS),
    st.tuples(st.just("commit"), EDITS),
    st.tuples(st.just("invalid"), EDITS),
    st.tuples(st.just("revert"), st.integers(0, 4)),
    st.tuples(st.just("sync"), st.none()),
    st.tuples(st.just("sync"), st.none()),
    st.tuples(st.just("halt"), SELECTED),
    st.tuples(st.just("release"), SELECTED),
    st.tuples(st.just("rollback"), st.none()),
    st.tuples(st.just("rollback"), st.integers(0, 8)),
    st.tuples(st.just("end"), st.none()),
    st.tuples(st.just("backup"), st.none()),
    st.tuples(st.just("restore"), st.integers(0, 3)),
    st.tuples(st.just("lose"), st.sampled_from(LOSSES)),
    st.tuples(st.just("tamper"), TAMPERING),
)
"""Mostly what has been seen at desks, and what is rare there as often."""
FIRST = [(0, "risk", 1.0), (1, "desk", "fx"), (2, "risk", 2.0), (3, "desk", "metals"), (5, "risk", 1.0)]


def play(events: Sequence[Event]) -> int:
    with TemporaryDirectory() as folder, one_engine():
        host = Play(Path(folder))
        begin: list[Event] = [
            ("commit", FIRST), ("sync", None), ("commit", [(0, "risk", 3.0), (4, "risk", 2.0)]), ("sync", None)
        ]  # fmt: skip
        for event in (*begin, *events):
            what, argument = event
            getattr(host, f"do_{what}")(argument)
            host.look(event)
            if what in ("sync", "rollback"):
                host.look_back()
    return len(begin) + len(events)


@pytest.mark.slow  # each event is a command of its own
@settings(max_examples=examples(12), suppress_health_check=list(HealthCheck))
@given(st.lists(EVENTS, min_size=6, max_size=14))
def test_a_host_does_what_the_model_says(events: list[Event]) -> None:
    play(events)
