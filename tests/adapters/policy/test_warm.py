"""An engine that is told what changed says what one says that is given everything, whatever came in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.kinds.kind import Column, Kinds, SqlType
from reconciler.model.change import Between, Prune, Row
from tests.adapters.policy.conftest import policy
from tests.support.kinds import GADGET, KINDS, WIDGET, gadget, make_kind, resource, row, tombstone, widget
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.change import RowId
    from reconciler.model.problem import Policy

    State = dict[RowId, Row]

WIDER = Kinds((GADGET, make_kind("Widget", (*WIDGET.columns, Column("size", SqlType.FLOAT, required=False)))))
DUMPS = [
    f"SELECT string_agg(x::VARCHAR, '|' ORDER BY {key}) AS message FROM {schema}.{table} AS x HAVING count(*) > 0"
    for table, key in (("widget_config", "widget_id"), ("gadget_config", "gadget_id"))
    for schema in ("desired", "main")
]
"""Everything there is to be seen."""
RULES = [
    policy(sql, f"rule-{number}")
    for number, sql in enumerate(
        [
            *DUMPS,
            "SELECT count(*)::VARCHAR AS message FROM desired.widget_config",
            "SELECT concat(name, weight) AS message FROM desired.widget_config WHERE weight > 2",
            """SELECT concat(new.name, old.weight, new.weight) AS message, 'Widget' AS kind, new.name
                FROM desired.widget_config AS new JOIN main.widget_config AS old USING (widget_id)
                WHERE old.weight IS DISTINCT FROM new.weight""",
            "SELECT 'fewer' AS message WHERE (SELECT count(*) FROM desired.gadget_config) < (FROM main.gadget_config \
                SELECT count(*))",
            "WITH x AS (SELECT * FROM main.widget_config) SELECT max(pieces)::VARCHAR AS message FROM x, \
                desired.gadget_config WHERE speed IS NOT NULL HAVING count(*) > 0",
            "SELECT (SELECT name FROM desired.widget_config WHERE weight > 1) AS message",
        ]
    )
]
ENDLESS = policy(
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n FROM t) SELECT count(*)::VARCHAR AS message \
    FROM t, main.widget_config"
)
DEADLY = policy("SELECT lpad('x', 2147483647, 'y') AS message FROM desired.widget_config")


@dataclass(frozen=True)
class Move:
    """One step: what it does to the rows, whether it is then refused, under which kinds and rules, and what happens."""

    changes: dict[int, int | None]
    refused: bool = False
    rewrites: bool = False
    kinds: Kinds = KINDS
    rules: tuple[Policy, ...] = tuple(RULES)
    accident: str = ""


ACCIDENTS = [*[""] * 20, "again", "again", "killed", "rest", "slow", "deadly", "stranger"]
moves = st.builds(
    Move,
    st.dictionaries(st.integers(0, 5), st.one_of(st.integers(0, 3), st.none()), max_size=3),
    st.booleans(),
    st.sampled_from([False, False, False, False, True]),
    st.sampled_from([KINDS, KINDS, KINDS, WIDER]),
    st.sampled_from([tuple(RULES), tuple(RULES), tuple(RULES[:1]), tuple(RULES[4:7]), tuple(reversed(RULES)), ()]),
    st.sampled_from(ACCIDENTS),
)


def changed(number: int, value: int | None, height: int, old: Row | None) -> Row | None:
    """A row of its own for each number, widgets and gadgets; None as value takes it away."""
    if value is None:
        if old is None or old.removed is not None:
            return None
        return tombstone(old.resource, 1, height, prune=list(Prune)[number % 3])
    if number % 2:
        speed = {"path": "C:\\g", "speed": float(value) if value else None}
        return row(resource(GADGET, f"g{number}", speed), 1, height)
    return row(widget(f"w{number}", weight=float(value), pieces=number + 1, note="it's" if value else None), 1, height)


def after(state: State, move: Move, height: int) -> State:
    """The rows of the next state that differ."""
    found = ((number, changed(number, value, height, state.get(_id(number)))) for number, value in move.changes.items())
    return {one.row_id: one for _, one in found if one is not None}


def _id(number: int) -> RowId:
    return (gadget(f"g{number}") if number % 2 else widget(f"w{number}")).row_id


@pytest.fixture(scope="module")
def cold() -> Iterator[Sandbox]:
    with Sandbox(seconds=15) as engine:
        yield engine


@settings(max_examples=examples(9), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(moves, min_size=2, max_size=7))
def test_told_what_changed_it_says_the_same(sandbox: Sandbox, cold: Sandbox, history: list[Move]) -> None:
    live: State = {}
    at, warm = "nothing", sandbox
    for height, move in enumerate(history, 2):
        touched = after(live, move, height)
        state = {**({} if move.rewrites else live), **touched}
        key = f"{at} {height} {touched!r}{move.rewrites}"
        step = Between(at, key, None if move.rewrites else tuple(touched.values()))
        happen(warm, move, live, state, step)
        for _ in range(2 if move.accident == "again" else 1):
            said = warm.run(move.rules, move.kinds, live.values(), state.values(), step)
            assert said == cold.run(move.rules, move.kinds, live.values(), state.values())
        if not move.refused:
            live, at = state, key


def happen(warm: Sandbox, move: Move, live: State, state: State, step: Between) -> None:
    """What may come between two steps, or into the middle of one."""
    if move.accident == "killed" and warm._process is not None:
        warm._process._process.kill()
        warm._process._process.wait()
    elif move.accident == "rest":
        warm.close_idle()
    elif move.accident == "stranger":
        warm.run([RULES[0]], move.kinds, (), [row(widget("stranger"), 1)])
    elif move.accident in {"slow", "deadly"}:
        patient, warm._seconds = warm._seconds, 0.1
        asked = [ENDLESS if move.accident == "slow" else DEADLY]
        try:
            warm.run(asked, move.kinds, live.values(), state.values(), step)
        finally:
            warm._seconds = patient


def test_an_engine_that_was_started_early_runs_policies_in_that_process() -> None:
    states = ([row(widget("one"), 1)], [row(widget("two"), 2)])
    with Sandbox() as early, Sandbox() as late:
        early.start()
        started = early._process
        early.start()
        assert early.run(RULES, KINDS, *states) == late.run(RULES, KINDS, *states)
        assert started is not None
        assert early._process is started
        assert not started.has_ended
    assert started.has_ended


def test_an_engine_that_was_started_early_for_nothing_ends() -> None:
    with Sandbox() as early:
        early.start()
        started = early._process
    assert started is not None
    assert started.has_ended


def test_an_early_process_that_was_killed_is_replaced() -> None:
    with Sandbox() as early:
        early.start()
        assert early._process is not None
        early._process._process.kill()
        early._process._process.wait()
        (verdict,) = early.run([policy("SELECT 'x' AS message")], KINDS, (), ())
    assert [violation.message for violation in verdict.violations] == ["x"]
