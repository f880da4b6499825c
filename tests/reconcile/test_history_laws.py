"""The laws of looking back: what the history shows is what was live, and what a plan would have said."""

from __future__ import annotations

import random
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.clickhouse.ledger import open_ledger as open_clickhouse
from reconciler.adapters.duckdb.ledger import open_ledger as open_file
from reconciler.answers import to_json
from reconciler.errors import RetryLater
from reconciler.kinds.build import stored_kinds
from reconciler.ledger.connection import RecordedBranch
from reconciler.model.change import Prune
from reconciler.report.plans import build_change
from reconciler.service.context import History as OpenHistory
from reconciler.service.history import History
from reconciler.service.rows import Rows
from tests.reconcile.test_laws import Edit, build, edits, histories, scratch
from tests.support import configs
from tests.support.laws import examples
from tests.support.world import CLOCK, SHIPPED, World

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler import answers
    from reconciler.ports import Ledger, Store
    from reconciler.reconcile.plan import Planner

RULES = "apiVersion: reconciler/v1\nkind: Repository\nspec:\n  prune:\n    mode: {mode}\n"
modes = st.sampled_from(list(Prune)).map(lambda mode: Edit({"reconciler.yaml": RULES.format(mode=mode)}, aside=False))
pruning = st.lists(st.one_of(edits, edits, modes), min_size=1, max_size=8)


class Past:
    """The questions to a host with these rows and this history. Git is not asked."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        kinds = lambda: stored_kinds(store.kinds())  # noqa: E731
        history = OpenHistory(ledger, None, kinds, self._unasked, "main", lambda: nullcontext(store))
        context: Any = SimpleNamespace(
            name="host",
            bundled=SHIPPED,
            clock=CLOCK,
            open_rows=lambda: nullcontext(store),
            open_history=lambda wait: nullcontext(history),
            open_planner=self._without_git,
        )
        self.rows, self.history = Rows(context), History(context)

    @staticmethod
    def _without_git() -> AbstractContextManager[tuple[Planner, str]]:
        raise RetryLater("git is out of reach")

    @staticmethod
    def _unasked(revision: str) -> str | None:
        raise AssertionError(f"git was asked about {revision}")


def said(answer: answers.Rows) -> list[Any]:
    """Rows less where they are declared: a file that moved is no change, so the history does not know of it."""
    return [(row.name, row.path is None, row.values) for row in answer.rows]


def got(world: World, kind: str) -> list[Any]:
    if kind not in world.store.kinds():
        return []
    return said(past_of(world).rows.page(kind))


def past_of(world: World) -> Past:
    return Past(world.ledger, world.store)


@pytest.mark.parametrize("mode", list(Prune))
def test_what_left_git_is_shown_as_it_was_got(mode: Prune) -> None:
    """Each way with a row, of a kind that has a status and of one that has none; then it comes back."""
    both: dict[str, str | None] = {"a.yaml": configs.user("ann"), "b.yaml": configs.system("bob")}
    rules: dict[str, str | None] = {"reconciler.yaml": RULES.format(mode=mode)}
    test_a_row_is_shown_as_it_was_got.hypothesis.inner_test(  # type: ignore[attr-defined]
        [Edit(files, aside=False) for files in ({**both, **rules}, dict.fromkeys(both), both)]
    )


@settings(max_examples=examples(10))
@given(pruning)
def test_a_row_is_shown_as_it_was_got(history: list[Edit]) -> None:
    with scratch() as folder:
        repo, mainline = build(folder, history)
        whole, host = World(folder), World(folder, branch="host")
        whole.sync()
        past = past_of(whole)
        for commit in mainline:
            repo.git("update-ref", "refs/heads/host", commit)
            host.sync()
            for kind in SHIPPED.kinds:
                shown = past.rows.page(kind.name, commit[:12])
                assert sorted(said(shown), key=str) == sorted(got(host, kind.name), key=str)
                for row in shown.rows:
                    (one,) = past.rows.row(kind.name, row.name, commit).rows
                    assert one.values == past_of(host).rows.row(kind.name, row.name).rows[0].values


@settings(max_examples=examples(8))
@given(pruning, st.lists(edits, min_size=1, max_size=3))
def test_what_a_force_push_dropped_is_shown_as_it_was_got(history: list[Edit], instead: list[Edit]) -> None:
    with scratch() as folder:
        repo, mainline = build(folder, history)
        host = World(folder)
        host.sync()
        before = {kind.name: got(host, kind.name) for kind in SHIPPED.kinds}
        repo.git("update-ref", "refs/heads/main", mainline[len(mainline) // 2])
        for edit in instead:
            repo.commit(edit.files, "Another way")
        host.sync()
        past = past_of(host)
        for kind, rows in before.items():
            assert sorted(said(past.rows.page(kind, mainline[-1])), key=str) == sorted(rows, key=str)
            now = said(past.rows.page(kind, repo.git("rev-parse", "main")))
            assert sorted(now, key=str) == sorted(got(host, kind), key=str)


def where_it_is(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in change.items() if name not in ("path", "line", "text")}


@settings(max_examples=examples(8))
@given(histories)
def test_a_diff_is_the_plan_from_one_commit_to_the_other(history: list[Edit]) -> None:
    with scratch() as folder:
        _, mainline = build(folder, history)
        world = World(folder)
        world.sync()
        past = past_of(world)
        valid = {row.commit.sha for row in world.ledger.versions(limit=1_000) if row.mainline and row.status == "VALID"}
        for base in mainline:
            for head in mainline[-1:] if mainline[-1] in valid else ():
                plan, diff = world.between(base, head), past.history.diff(base, head)
                planned = [where_it_is(to_json(build_change(change, SHIPPED.kinds))) for change in plan.changes]
                assert [where_it_is(to_json(change)) for change in diff.changes] == planned
                assert diff.summary.unchanged == plan.unchanged


@settings(max_examples=examples(8))
@given(pruning)
def test_the_changes_of_a_history_lead_to_what_is_there(history: list[Edit]) -> None:
    """All changes, oldest first, one upon the other; and blame says of each field where that value came from."""
    with scratch() as folder:
        build(folder, history)
        world = World(folder)
        world.sync()
        past = past_of(world)
        for kind in SHIPPED.kinds:
            for row in past.rows.page(kind.name, "2999-01-01").rows:
                blamed = {one.field: one for one in past.history.blame(kind.name, row.name).fields}
                told = past.history.changes(kind.name, row.values[kind.key], 1_000).changes
                told = tuple(one for one in told if one.id == row.values[kind.key])
                for column in kind.columns:
                    of_field = [(one, step) for one in told for step in one.fields if step.field == column.name]
                    assert blamed[column.name].value == row.values[column.name]
                    last = next((one for one, step in of_field), None)
                    if last is not None and told[0].op != "delete":
                        assert (blamed[column.name].commit, told[0].op) == (last.commit, told[0].op)


@pytest.mark.parametrize("engine", ["duckdb", "chdb"])
@pytest.mark.parametrize("number", [10, pytest.param(120, marks=pytest.mark.slow)])
def test_many_commits_of_a_random_history(tmp_path: Path, number: int, engine: str) -> None:
    """In each engine without a server, on one kind whose rows stay when they leave git."""
    chance = random.Random(6)
    drawn = [
        chance.choice([configs.user(name, risk=risk) for name in "abcd" for risk in (0.5, 1.0)]) for _ in range(number)
    ]
    texts: list[str | None] = [None if chance.random() < 0.25 else text for text in drawn]
    texts = [configs.BROKEN if chance.random() < 0.1 else text for text in texts]
    history = [Edit({f"{chance.randrange(4)}.yaml": text}, aside=False) for text in texts]
    repo, mainline = build(tmp_path / "config", history)
    open_ledger = open_file if engine == "duckdb" else partial(open_clickhouse, engine)
    with open_ledger(tmp_path, RecordedBranch("config", "main"), CLOCK) as ledger:
        whole, host = World(tmp_path / "config", ledger=ledger), World(tmp_path / "config", branch="host")
        whole.sync()
        past = past_of(whole)
        shown = 0
        with host.awake():
            for commit in mainline:
                repo.git("update-ref", "refs/heads/host", commit)
                host.sync()
                rows = said(past.rows.page("user", commit))
                assert sorted(rows, key=str) == sorted(got(host, "User"), key=str)
                shown += len(rows)
        assert shown > number
