"""What only the DuckDB store has: a file, locks, host events, checks and a fence."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from reconciler.adapters.duckdb.connection import open_writable
from reconciler.adapters.duckdb.reader import SnapshotCache
from reconciler.adapters.duckdb.state import FORMAT_VERSION
from reconciler.adapters.duckdb.store import open_reader, open_store
from reconciler.errors import BugError, NeedsHuman, RetryLater
from reconciler.kinds.kind import Kinds
from reconciler.model.change import Prune
from reconciler.model.commit import Approval, Attempt
from reconciler.model.halt import DRILLED, Halt, Halts, HaltSelector
from reconciler.model.host import Suspension
from reconciler.model.problem import Problem, Severity
from reconciler.model.refusal import refusal_detail
from reconciler.model.rollback import Rollback, Skipped
from reconciler.values import replace
from tests.adapters.store.observing import answers, observe
from tests.support.cases import some
from tests.support.kinds import (
    GADGET,
    KINDS,
    WIDGET,
    FixedClock,
    gadget,
    owner,
    row,
    stamp,
    step,
    tombstone,
    uid,
    widget,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.adapters.duckdb.store import DuckDBStore

ROOT = Path(__file__).parents[3]


def fill(store: DuckDBStore) -> None:
    """Some of everything."""
    store.bind(owner("repo", "main"))
    store.apply(KINDS, step(1, row(widget("a"), 1), row(widget("b"), 1), row(gadget("g", widget=("a",)), 1)))
    store.apply(KINDS, step(2, tombstone(widget("b"), 1, 2)))


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        fill(store)
        before = (observe(store, KINDS), store.applied(), store.last_attempt(), store.events(9))
    with open_store(tmp_path, FixedClock()) as store:
        assert (observe(store, KINDS), store.applied(), store.last_attempt(), store.events(9)) == before
        assert list(store.kinds()["Widget"]) == list(WIDGET.schema)
        assert list(store.kinds()["Widget"]["about"]) == ["z", "a"]
        store.bind(owner("repo", "main"))
    reader = open_reader(tmp_path)
    assert reader is not None
    with reader:
        assert (reader.applied(), reader.last_attempt(), reader.events(9)) == before[1:]
        assert [one.name for one in reader.live(WIDGET)] == ["a", "b"]


def test_a_reader_creates_nothing(tmp_path: Path) -> None:
    assert open_reader(tmp_path / "state") is None
    assert list(tmp_path.iterdir()) == []


def test_a_reader_of_a_file_that_is_not_made_yet_finds_no_store(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "state.duckdb")).close()
    assert open_reader(tmp_path) is None


def test_main_tables_are_what_other_programs_see(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        store.apply(KINDS, step(1, row(widget("a", widget_id=uid(1), parts=None), 1)))
    with duckdb.connect(str(tmp_path / "state.duckdb"), read_only=True) as beside:
        described = beside.execute("DESCRIBE main.widget_config").fetchall()
        assert [(name, sql_type) for name, sql_type, *_ in described] == [
            ("widget_id", "UUID"),
            ("colour", "VARCHAR"),
            ("label", "VARCHAR"),
            ("weight", "DOUBLE"),
            ("ratio", "DOUBLE"),
            ("pieces", "INTEGER"),
            ("fragile", "BOOLEAN"),
            ("note", "VARCHAR"),
            ("parts", "JSON"),
            ("maker_id", "UUID"),
            ("status", "VARCHAR"),
            ("created_at", "TIMESTAMP"),
            ("updated_at", "TIMESTAMP"),
        ]
        found = beside.execute("SELECT widget_id::VARCHAR, ratio, created_at FROM widget_config").fetchall()
        assert found == [(uid(1), 0.1, stamp(1).time.replace(tzinfo=None))]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_the_owner_may_look(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    with open_store(folder, FixedClock()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "state.duckdb").stat().st_mode) == 0o600


HOLD = """
import sys, time
import duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[int]:
    """Another process that has the store open."""
    with open_store(tmp_path, FixedClock()) as store:
        fill(store)
    command = [sys.executable, "-c", HOLD, str(tmp_path / "state.duckdb")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid
        process.kill()


def test_a_store_in_use_says_by_whom(tmp_path: Path, holder: int) -> None:
    with pytest.raises(RetryLater, match=f"in use by process {holder} ") as caught:
        open_store(tmp_path, FixedClock())
    assert "wait" in caught.value.hint
    with pytest.raises(RetryLater, match=f"in use by process {holder} "):
        open_reader(tmp_path)


def broken(folder: Path, content: bytes) -> Path:
    """A state folder whose file is no store."""
    (folder / "state.duckdb").write_bytes(content)
    return folder


@pytest.mark.parametrize("content", [b"", b"\0" * 20, b"hello " * 5000], ids=["empty", "short", "text"])
def test_a_file_that_is_no_database_needs_a_human(tmp_path: Path, content: bytes) -> None:
    broken(tmp_path, content)
    for opened in (lambda: open_store(tmp_path, FixedClock()), lambda: open_reader(tmp_path)):
        with pytest.raises(NeedsHuman, match=r"state\.duckdb: it is damaged or no DuckDB file") as caught:
            opened()
        assert "git rebuilds it" in caught.value.hint
    assert (tmp_path / "state.duckdb").read_bytes() == content


@pytest.mark.parametrize("cut", [slice(0, 8192), slice(0, 100)], ids=["half", "start"])
def test_a_truncated_store_needs_a_human(tmp_path: Path, cut: slice) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        fill(store)
    broken(tmp_path, (tmp_path / "state.duckdb").read_bytes()[cut])
    with pytest.raises(NeedsHuman, match="damaged") as caught:
        open_store(tmp_path, FixedClock())
    assert "git rebuilds it" in caught.value.hint


def test_a_bad_block_needs_a_human(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        fill(store)
    content = bytearray((tmp_path / "state.duckdb").read_bytes())
    content[12288 + 64 : 12288 + 4096] = b"?" * 4032
    broken(tmp_path, bytes(content))
    with pytest.raises(NeedsHuman, match="damaged"):
        open_store(tmp_path, FixedClock())


def test_a_newer_format_needs_a_human(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()):
        pass
    with duckdb.connect(str(tmp_path / "state.duckdb")) as beside:
        beside.execute("UPDATE gitops.format SET version = version + 1")
    with pytest.raises(NeedsHuman, match=f"has format {FORMAT_VERSION + 1}") as caught:
        open_store(tmp_path, FixedClock())
    assert "update reconciler" in caught.value.hint
    with pytest.raises(NeedsHuman, match=f"has format {FORMAT_VERSION + 1}"):
        open_reader(tmp_path)
    with duckdb.connect(str(tmp_path / "state.duckdb")):
        """Nothing has kept the file."""


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "state.duckdb")) as beside:
        beside.execute("CREATE TABLE trades (id INTEGER)")
    with pytest.raises(NeedsHuman, match=r"no store of ours: it holds main\.trades"):
        open_store(tmp_path, FixedClock())
    with duckdb.connect(str(tmp_path / "state.duckdb")) as beside:
        assert beside.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("trades",)]


def test_a_state_folder_that_is_a_file_needs_a_human(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(NeedsHuman, match="cannot use the state folder"):
        open_store(tmp_path / "state", FixedClock())
    (tmp_path / "other" / "state.duckdb").mkdir(parents=True)
    with pytest.raises(NeedsHuman, match="cannot open the store"):
        open_store(tmp_path / "other", FixedClock())


@pytest.mark.parametrize(
    "statement",
    [
        "COPY main.widget_config TO '{folder}/out.csv'",
        "SELECT * FROM read_csv('{folder}/secret.csv')",
        "ATTACH '{folder}/other.duckdb' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET TimeZone = 'Asia/Tokyo'",
        "SELECT * FROM folder",
    ],
)
def test_the_connection_reaches_nothing_but_its_file(tmp_path: Path, statement: str) -> None:
    folder = tmp_path / "beside"
    folder.mkdir()
    (folder / "secret.csv").write_text("a\n1\n")
    connection = open_writable(tmp_path / "state.duckdb")
    with connection, pytest.raises(duckdb.Error, match=r"disabled|locked|while database is running|does not exist"):
        connection.execute(statement.format(folder=folder))
    assert [path.name for path in folder.iterdir()] == ["secret.csv"]


@pytest.mark.parametrize("how", some(["apply", "replace"], 1))
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"label": "x" * 21}, "length"),
        ({"colour": "BLUE"}, "IN"),
        ({"weight": None}, "NOT NULL"),
        ({"pieces": 2**40}, "INT32"),
    ],
    ids=["too long", "not allowed", "missing", "too large"],
)
def test_a_row_that_slipped_past_validation_changes_nothing(
    duckdb_store: DuckDBStore, how: str, wrong: dict[str, object], words: str
) -> None:
    fill(duckdb_store)
    before = (observe(duckdb_store, KINDS), duckdb_store.applied(), duckdb_store.last_attempt(), duckdb_store.events(9))
    with pytest.raises(BugError, match=words):
        getattr(duckdb_store, how)(KINDS, step(3, row(gadget("h"), 3), row(widget("c", **wrong), 3)))
    after = (observe(duckdb_store, KINDS), duckdb_store.applied(), duckdb_store.last_attempt(), duckdb_store.events(9))
    assert after == before
    duckdb_store.apply(KINDS, step(4, row(widget("c"), 4)))
    assert duckdb_store.counts() == {"Gadget": 1, "Widget": 3}


def test_an_approval_is_on_record(duckdb_store: DuckDBStore) -> None:
    fill(duckdb_store)
    approvals = (Approval("maren with --approve", ("guard/prune-limit", "policy/leverage-cap")),)
    duckdb_store.apply(KINDS, replace(step(3, row(widget("a"), 1)), approvals=approvals))
    (found,) = duckdb_store.events(1)
    assert found.detail["approved"] == [
        {"by": "maren with --approve", "codes": ["guard/prune-limit", "policy/leverage-cap"]}
    ]


def test_host_events_tell_what_was_done(duckdb_store: DuckDBStore) -> None:
    fill(duckdb_store)
    duckdb_store.bind(owner("repo", "next"))
    duckdb_store.bind(owner("repo", "next"))
    refused = Attempt(stamp(3), stamp(9).time, refused=True, problems=(Problem("a", 1, 1, "x", "", "m"),))
    duckdb_store.refuse(refused)
    duckdb_store.refuse(refused)
    duckdb_store.replace(KINDS, last := step(4, row(widget("a"), 1)))
    duckdb_store.refuse(refused)
    found = duckdb_store.events(100)
    assert [(one.event, one.commit) for one in reversed(found)] == [
        ("bound", None),
        ("applied", stamp(1).commit),
        ("applied", stamp(2).commit),
        ("bound", None),
        ("refused", stamp(3).commit),
        ("applied", stamp(4).commit),
        ("refused", stamp(3).commit),
    ]
    assert [one.seq for one in found] == sorted((one.seq for one in found), reverse=True)
    assert [dict(one.detail) for one in (found[1], found[2], found[3])] == [
        {"how": "replace", "creates": 1, "updates": 0, "deletes": 0},
        refusal_detail(refused.problems),
        {"repository": "repo", "branch": "next", "before": "main"},
    ]
    assert (found[1].digest, found[1].duration_ms > 0, found[1].at.tzinfo) == (last.digest, True, UTC)
    assert duckdb_store.events(2) == found[:2]


MANY = tuple(Problem("a", number, 1, "policy/x", "", "m", severity=Severity.WARNING) for number in range(1, 150))
REFUSED = Attempt(stamp(3), stamp(9).time, refused=True, problems=(Problem("a", 1, 1, "x", "", "m"),))
NOON = stamp(9).time
HALTING = Kinds((GADGET, replace(WIDGET, halt={"status": "INACTIVE"})))
HALT = Halts().add(Halt("1", HaltSelector(), "why", "ann", NOON))
ACTIVE = widget("on", status="ACTIVE")
ROLLBACK = Rollback(stamp(11).commit, stamp(14).commit, "why", "ann", NOON, Skipped((), ()))
WRITES: dict[str, Callable[[DuckDBStore], object]] = {
    "bind": lambda store: store.bind(owner("repo", "main")),
    "first": lambda store: store.apply(KINDS, step(1, row(widget("a"), 1), row(widget("b"), 1), warnings=MANY)),
    "update": lambda store: store.apply(KINDS, step(2, row(widget("a", weight=2.0), 1, 2))),
    "delete": lambda store: store.apply(KINDS, step(3, tombstone(widget("b"), 1, 3))),
    "prune": lambda store: store.apply(KINDS, step(4, tombstone(widget("b"), 1, 4, prune=Prune.DELETE))),
    "create": lambda store: store.apply(KINDS, step(5, row(widget("a"), 1, 5), row(gadget("g"), 5))),
    "replace": lambda store: store.replace(KINDS, step(6, row(widget("c"), 6))),
    "other kinds": lambda store: store.apply(Kinds((GADGET,)), step(7, tombstone(widget("c"), 6, 7))),
    "same kinds": lambda store: store.apply(KINDS, step(8, row(widget("d"), 8), row(widget("e"), 8))),
    "refuse": lambda store: store.refuse(REFUSED),
    "lose rows": lambda store: before_it_was_opened(store, "DELETE FROM main.widget_config"),
    "heal": lambda store: store.heal(KINDS),
    "record drift": lambda store: store.record_drift(KINDS),
    "lose a table": lambda store: before_it_was_opened(store, "DROP TABLE main.widget_config"),
    "update in a lost table": lambda store: store.apply(KINDS, step(9, row(widget("d", weight=3.0), 8, 9))),
    "learn": lambda store: store.keep_faults("1", {"a": "b"}),
    "learn for another": lambda store: store.keep_faults("2", {"c": "d"}),
    "suspend": lambda store: store.suspend(Suspension("why", "ann", NOON, None)),
    "resume": lambda store: store.resume("ann"),
    "suspend again": lambda store: store.suspend(Suspension("why", "ann", NOON, NOON)),
    "expire": lambda store: store.expire(),
    "note": lambda store: store.record_event("something", {}),
    "rebind": lambda store: store.bind(owner("repo", "next")),
    "drill": lambda store: store.record_event(DRILLED, {}),
    "learn what a halt sets": lambda store: store.apply(HALTING, step(10, row(widget("f"), 10))),
    "halt": lambda store: store.obey(HALTING, HALT),
    "create what is halted": lambda store: store.apply(HALTING, step(11, row(ACTIVE, 11))),
    "delete what is halted": lambda store: store.apply(HALTING, step(12, tombstone(ACTIVE, 11, 12))),
    "replace what is halted": lambda store: store.replace(HALTING, step(13, row(ACTIVE, 13))),
    "go back": lambda store: store.roll_back(HALTING, step(12, row(ACTIVE, 12)), ROLLBACK),
    "end the rollback": lambda store: store.end_rollback("over", "ann"),
    "go back again": lambda store: store.roll_back(HALTING, step(12, row(ACTIVE, 12)), ROLLBACK),
    "go on": lambda store: store.apply(HALTING, step(14, row(widget("h"), 14))),
    "release": lambda store: store.obey(HALTING, HALT.release(HaltSelector(), "over", "ann", NOON)),
    "update after all": lambda store: store.apply(HALTING, step(15, row(ACTIVE, 12, 15))),
    "drill again": lambda store: store.record_event(DRILLED, {"again": True}),
    "upload": lambda store: store.mark_uploaded(store.events(1)[0].seq),
}


def before_it_was_opened(store: DuckDBStore, statement: str) -> None:
    """Somebody did this."""
    store._connection.execute(statement)
    store._known.clear()
    store._moments = SnapshotCache()


def test_it_remembers_what_it_has_written(duckdb_store: DuckDBStore) -> None:
    for name, write in WRITES.items():
        write(duckdb_store)
        with duckdb_store.another() as beside:
            assert answers(duckdb_store) == answers(beside), name


def test_what_failed_is_not_remembered(duckdb_store: DuckDBStore) -> None:
    fill(duckdb_store)
    before = answers(duckdb_store)
    with pytest.raises(BugError, match="twice"):
        duckdb_store.apply(KINDS, step(3, row(widget("c"), 3), row(widget("c"), 3)))
    assert answers(duckdb_store) == before


def test_event_numbers_never_come_again(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        fill(store)
        (newest,) = store.events(1)
    with duckdb.connect(str(tmp_path / "state.duckdb")) as beside:
        beside.execute("DELETE FROM gitops.events")
    with open_store(tmp_path, FixedClock()) as store:
        store.bind(owner("repo", "next"))
        assert store.events(1)[0].seq > newest.seq


def test_warnings_of_the_applied_commit_outlive_a_refusal(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        store.apply(KINDS, step(1, warnings=[Problem("a", 1, 1, "policy/x", "", "hm")]))
        store.refuse(Attempt(stamp(2), stamp(2).time, refused=True, problems=()))
    with duckdb.connect(str(tmp_path / "state.duckdb"), read_only=True) as beside:
        found = beside.execute("SELECT warnings->>'$[0].code' FROM gitops.applied").fetchall()
    assert found == [("policy/x",)]


def test_a_row_that_git_does_not_know_shows_by_its_id(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        store.apply(KINDS, step(1, row(widget("a", widget_id=uid(1)), 1)))
    with duckdb.connect(str(tmp_path / "state.duckdb")) as beside:
        beside.execute(
            "INSERT INTO main.widget_config SELECT * REPLACE (? AS widget_id) FROM main.widget_config", [uid(2)]
        )
    with open_store(tmp_path, FixedClock()) as store:
        store.apply(KINDS, step(2, row(widget("b"), 2)))
        assert [(one.name, one.path is None) for one in store.live(WIDGET, uid(2))] == [(uid(2), True)]
        assert store.counts()["Widget"] == 3


ELSEWHERE = """
from pathlib import Path
import sys
from reconciler.adapters.duckdb.store import open_store
from tests.support.kinds import *
with open_store(Path(sys.argv[1]), FixedClock()) as store:
    store.apply(KINDS, step(1, row(widget("a"), 1)))
    assert store.applied().stamp == stamp(1)
    assert store.base(KINDS).row(widget("a").row_id) == row(widget("a"), 1)
"""


def test_the_time_zone_of_the_machine_does_not_matter(tmp_path: Path) -> None:
    environment = {**os.environ, "TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(tmp_path)], env=environment, check=True, timeout=60)
    with open_store(tmp_path, FixedClock()) as store:
        assert store.base(KINDS).row(widget("a").row_id) == row(widget("a"), 1)
    with duckdb.connect(str(tmp_path / "state.duckdb"), read_only=True) as beside:
        assert beside.execute("SELECT created_at FROM widget_config").fetchall() == [
            (stamp(1).time.replace(tzinfo=None),)
        ]
