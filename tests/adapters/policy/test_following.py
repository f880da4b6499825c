"""What an engine that follows one step after another does not do, and that nothing of it outlives who started it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.sandbox import engine
from reconciler.adapters.sandbox.database import Database
from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.adapters.sandbox.runner import PolicyRunner
from reconciler.adapters.sandbox.screen import Planner
from reconciler.model.change import Between
from tests.adapters.policy.conftest import policy
from tests.support.kinds import KINDS, row, widget
from tests.support.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.sandbox.database import Reads
    from reconciler.adapters.sandbox.protocol import Answer
    from reconciler.model.change import Row

BOTH = policy(
    """SELECT concat((SELECT string_agg(weight, ' ' ORDER BY name) FROM desired.widget_config), ' / ',
    (SELECT string_agg(weight, ' ' ORDER BY label) FROM main.widget_config)) AS message"""
)
ONE = row(widget("one", weight=1.0), 1)
TWO = row(widget("two", weight=2.0), 1)
TWO_LATER = row(widget("two", weight=3.0), 1, 2)
ENDLESS = "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n FROM t) SELECT count(*)::VARCHAR AS message FROM t"


class Forbidden:
    """Rows that nobody may go through."""

    def __iter__(self) -> Iterator[Row]:
        raise AssertionError


def said(engine: Sandbox, old: str, new: str, *changed: Row) -> str:
    (verdict,) = engine.run([BOTH], KINDS, Forbidden(), Forbidden(), Between(old, new, changed))
    assert verdict.fault is None, verdict.fault
    return verdict.violations[0].message


@pytest.fixture
def warm() -> Iterator[Sandbox]:
    """One that holds the step from a to b: a second widget."""
    with Sandbox(seconds=15) as engine:
        engine.run([BOTH], KINDS, [ONE], [ONE, TWO], Between("a", "b", (TWO,)))
        yield engine


def test_a_step_that_goes_on_is_told_by_what_differs(warm: Sandbox) -> None:
    assert said(warm, "b", "c", TWO_LATER) == "1.0 3.0 / 1.0 2.0"
    assert said(warm, "c", "d") == "1.0 3.0 / 1.0 3.0"


def test_after_a_refused_step_it_goes_on_from_what_is_live(warm: Sandbox) -> None:
    assert said(warm, "a", "c", TWO_LATER) == "1.0 3.0 / 1.0"
    assert said(warm, "a", "c", TWO_LATER) == "1.0 3.0 / 1.0"
    assert said(warm, "a", "b", TWO) == "1.0 2.0 / 1.0"


def test_a_state_it_has_not_seen_is_loaded(warm: Sandbox) -> None:
    (verdict,) = warm.run([BOTH], KINDS, [TWO], [ONE], Between("x", "y", None))
    assert verdict.violations[0].message == "1.0 / 2.0"
    assert said(warm, "y", "z", TWO) == "1.0 2.0 / 1.0"


def test_at_rest_it_has_no_process_and_wakes_with_all_rows(warm: Sandbox) -> None:
    process = warm._process
    assert process is not None
    warm.close_idle()
    assert process.has_ended
    assert warm._process is None
    (verdict,) = warm.run([BOTH], KINDS, [ONE, TWO], [ONE, TWO_LATER], Between("b", "c", (TWO_LATER,)))
    assert verdict.violations[0].message == "1.0 3.0 / 1.0 2.0"


def test_thousands_of_rows_in_one_step(warm: Sandbox) -> None:
    many = [row(widget(f"w{number:04}", weight=4.0), 2) for number in range(3_000)]
    count = policy(
        "SELECT (SELECT count(*) FROM desired.widget_config) || ' ' || count(*) AS message FROM main.widget_config"
    )

    def counted(old: str, new: str, *changed: Row) -> str:
        (verdict,) = warm.run([count], KINDS, Forbidden(), Forbidden(), Between(old, new, changed))
        return verdict.violations[0].message

    assert counted("b", "c", *many) == "3002 2"
    assert counted("b", "d", TWO_LATER) == "2 2"
    assert counted("d", "e", *many) == "3002 2"
    assert counted("e", "f") == "3002 3002"


def test_large_policies_with_large_answers_do_not_block_each_other(sandbox: Sandbox) -> None:
    sql = f"-- {'x' * 5_000}\nSELECT repeat('y', 900) AS message FROM range(300)"
    verdicts = sandbox.run([policy(f"{sql} -- {number}") for number in range(20)], KINDS, (), ())
    assert {len(verdict.violations) for verdict in verdicts} == {300}


READS: list[tuple[str, Reads | None]] = [
    ("SELECT name FROM desired.widget_config WHERE weight > 3", {("desired", "widget_config"): {"name", "weight"}}),
    ("SELECT count(*) FROM main.widget_config", {("main", "widget_config"): set()}),
    ("WITH x AS (SELECT * FROM main.widget_config) SELECT note FROM x", {("main", "widget_config"): {"note"}}),
    ("SELECT 1 FROM desired.gadget_config WHERE false", {("desired", "gadget_config"): set()}),
    ("SELECT declared_path FROM desired.gadget_config", {("desired", "gadget_config"): {"declared_path"}}),
    (
        "SELECT a.pieces FROM desired.widget_config AS a JOIN main.widget_config AS b USING (label)",
        {("desired", "widget_config"): {"pieces", "label"}, ("main", "widget_config"): {"label"}},
    ),
    (
        "SELECT (SELECT max(g.speed) FROM main.gadget_config AS g WHERE g.path = w.note) FROM main.widget_config AS w",
        {("main", "gadget_config"): {"speed", "path"}, ("main", "widget_config"): {"note"}},
    ),
    ("SELECT range FROM range(3)", {}),
    ("SELECT rowid FROM main.widget_config", None),
    ("SELECT estimated_size FROM duckdb_tables", None),
    ("SELECT table_name FROM information_schema.tables", None),
    ("SELECT nothing FROM nowhere", None),
]


@pytest.fixture(scope="module")
def planner() -> Iterator[Planner]:
    found = Planner()
    request = engine.build_load((), KINDS, ())
    found.learn(request.statements, request.pairs)
    with closing(found.connection):
        yield found


@pytest.mark.parametrize(("sql", "reads"), READS)
def test_what_a_query_reads_is_known_by_column(planner: Planner, sql: str, reads: Reads | None) -> None:
    assert planner.reads(sql) == reads


@pytest.mark.parametrize("whole", ["SELECT w FROM main.widget_config AS w", "FROM main.widget_config"])
def test_a_whole_row_is_all_of_its_columns(planner: Planner, whole: str) -> None:
    reads = planner.reads(whole)
    assert reads is not None
    assert {"widget_id", "parts", "status", "updated_at"} <= set(reads["main", "widget_config"])


def test_what_reads_nothing_that_changed_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database()
    judge = PolicyRunner(database, Planner())
    names = frozenset({"Widget"})
    database.load(engine.build_load(names, KINDS, [ONE, TWO]))
    ran: list[str] = []
    run = PolicyRunner._run

    def noted(self: PolicyRunner, asked: tuple[str, tuple[str, ...]], seconds: float) -> Answer:
        ran.append(asked[0])
        return run(self, asked, seconds)

    monkeypatch.setattr(PolicyRunner, "_run", noted)
    weight = "SELECT name AS message FROM desired.widget_config WHERE weight > 2"
    pieces = "SELECT label AS message FROM main.widget_config WHERE pieces > 2"
    rows = []
    for step in ((TWO_LATER,), (), (row(widget("two", weight=3.0, pieces=1), 1, 3),), (), ()):
        database.advance(engine.build_advance(names, KINDS, step, settled=True))
        rows.append([judge.answer(sql, 15)["rows"] for sql in (weight, pieces)])
        ran.append("|")
    assert "".join({weight: "w", pieces: "p"}.get(one, one) for one in ran) == "wp|wp||p||"  # then it is looked up
    assert [[len(found) for found in one] for one in rows] == [[1, 2], [1, 2], [1, 2], [1, 1], [1, 1]]


def test_what_policies_read_is_looked_up_while_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    database, looked = Database(), []
    judge = PolicyRunner(database, Planner())
    names = frozenset({"Widget"})
    database.load(engine.build_load(names, KINDS, [ONE, TWO]))
    monkeypatch.setattr(Planner, "reads", lambda self, query: looked.append(query) or {})
    for step in ((TWO_LATER,), (TWO,)):
        assert not judge.look_ahead(15)
        database.advance(engine.build_advance(names, KINDS, step, settled=True))
        assert "rows" in judge.answer(BOTH.sql, 15)
    assert not looked
    assert judge.look_ahead(15)
    assert not judge.look_ahead(15)
    assert len(looked) == 1
    database.advance(engine.build_advance(names, KINDS, (TWO_LATER,), settled=True))
    assert "rows" in judge.answer(BOTH.sql, 15)
    assert len(looked) == 1


PARENT = """
import sys
from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.model.problem import Policy
from tests.support.kinds import KINDS
engine = Sandbox(seconds=2)
engine.run([Policy("a", "a", "a", "SELECT 'x' AS message")], KINDS, (), ())
print(engine._process._process.pid, flush=True)
if sys.argv[1]:
    engine.run([Policy("b", "b", "b", sys.argv[1])], KINDS, (), ())
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("busy", ["", ENDLESS])
def test_it_ends_when_who_started_it_is_killed(busy: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(0.3 if busy else 0)
        parent.send_signal(signal.SIGKILL)
    until(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
