"""Plans: the same whichever way they are made, and what a reconcile then does."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.change import Op
from reconciler.reconcile import plan as planning
from reconciler.reconcile.check import check_tree
from reconciler.reconcile.rules import Layout
from tests.reconcile.test_laws import NAMES, PATHS, Edit, build, histories, scratch, tree_of
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.laws import examples
from tests.support.world import FAULTS, SHIPPED, World

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.plan import Plan

ALL = 10**9


def tidy(path: str) -> st.SearchStrategy[str | None]:
    """A file of users that no other file declares, and of a signal that may follow one of another file."""
    people = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)
    risks = st.sampled_from([0.5, 1.0])
    users = st.builds(lambda names, risk: [configs.user(f"{one}-{path[0]}", risk=risk) for one in names], people, risks)
    follows = st.sampled_from([[], ["ann-a"], ["bob-b"]])
    signals = st.builds(lambda to: [configs.signal(f"s-{path[0]}", users=to)], follows)
    whole = st.builds(lambda some, more: "---\n".join([*some, *more]), users, st.just([]) | signals)
    return whole | whole | st.none()


tidy_edits = st.builds(
    Edit, st.fixed_dictionaries({}, optional={path: tidy(path) for path in PATHS}), st.just(value=False)
)
tidy_histories = st.lists(tidy_edits, min_size=2, max_size=4)
"""Histories most of whose commits are valid."""


def is_valid(repo: GitRepo, sha: str) -> bool:
    return not any(problem.is_error for problem in check_tree(tree_of(repo, sha), Layout(), SHIPPED, FAULTS).problems)


def shown(plan: Plan) -> tuple[object, ...]:
    """What a plan says but where its changes begin."""
    return plan.head, plan.changes, plan.problems, plan.unchanged, plan.partial, plan.files


def steps(plan: Plan) -> list[tuple[object, ...]]:
    """What a plan does, but for when and how rows leave."""
    return [(one.op, one.old, one.new) for one in plan.changes]


@settings(max_examples=examples(15))
@given(histories)
def test_searching_for_what_matters_equals_reading_everything(history: list[Edit]) -> None:
    searching_equals_reading(history)


@settings(max_examples=examples(10))
@given(tidy_histories)
def test_searching_equals_reading_where_little_is_wrong(history: list[Edit]) -> None:
    searching_equals_reading(history)


def searching_equals_reading(history: list[Edit]) -> None:
    """From every commit to the last one, both ways to plan come to the same."""
    with scratch() as folder:
        repo, mainline = build(folder, history)
        head = mainline[-1]
        ends_well = is_valid(repo, head)
        for base in mainline[:-1]:
            with World(folder).awake() as world:
                with patch.object(planning, "MAX_FILES_READ_WHOLE", ALL):
                    whole = world.between(base, head)
                with patch.object(planning, "MAX_FILES_READ_WHOLE", 0):
                    near = world.between(base, head)
            if is_valid(repo, base):
                assert shown(near) == shown(whole)
                assert near.state == whole.state == base
            elif ends_well:
                assert near.changes == whole.changes or near.state == base  # what is wrong may be out of sight


@settings(max_examples=examples(12))
@given(histories)
def test_a_plan_is_what_a_reconcile_then_does(history: list[Edit]) -> None:
    with scratch() as folder:
        repo, mainline = build(folder, history)
        base, head = mainline[len(mainline) // 2], mainline[-1]
        world = World(folder, branch="host")
        repo.git("update-ref", "refs/heads/host", base)
        world.sync()
        between, ahead = world.between(base, head), world.ahead(head)
        repo.git("update-ref", "refs/heads/host", head)
        done = world.sync().plan
        if is_valid(repo, head):
            assert steps(ahead) == steps(between) == steps(done)
            assert between.unchanged == ahead.unchanged
        elif is_valid(repo, base) and not any(is_valid(repo, sha) for sha in mainline[mainline.index(base) + 1 : -1]):
            # With a valid commit between, a reconcile also applies what that declares
            assert (steps(ahead), ahead.partial, ahead.files) == (steps(between), between.partial, between.files)
            assert between.unchanged == ahead.unchanged


@settings(max_examples=examples(5))
@given(histories)
def test_from_a_commit_to_itself_nothing_changes(history: list[Edit]) -> None:
    with scratch() as folder:
        repo, mainline = build(folder, history)
        plan = World(folder).between(mainline[-1], mainline[-1])
        assert plan.changes == ()
        assert plan.refused != is_valid(repo, mainline[-1])


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.create(tmp_path)


@pytest.mark.parametrize("few", [0, ALL])
def test_an_invalid_base_stands_for_the_last_valid_commit(
    repo: GitRepo, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MAX_FILES_READ_WHOLE", few)
    good = repo.commit({"a.yaml": configs.user("ann", risk=0.5), "b.yaml": configs.user("bob")})
    base = repo.commit({"a.yaml": configs.user("ann", risk=0.5).replace("BOTH", "LONG")})
    head = repo.commit({"a.yaml": configs.user("ann", risk=0.75)})
    plan = World(repo.path).between(base, head)
    (change,) = plan.changes
    assert [(one.field, one.old, one.new) for one in change.fields] == [("risk_per_trade_percent", 0.5, 0.75)]
    assert (plan.base, plan.state, plan.unchanged, plan.refused) == (base, good, 1, False)


def test_a_shallow_clone_of_two_commits_is_enough(repo: GitRepo, tmp_path_factory: pytest.TempPathFactory) -> None:
    for risk in (0.1, 0.2, 0.3, 0.4):
        repo.commit({"a.yaml": configs.user("ann", risk=risk), "b.yaml": configs.user("bob")})
    clone = tmp_path_factory.mktemp("clone") / "shallow"
    repo.git("clone", "--quiet", "--depth=2", f"file://{repo.path}", str(clone))
    plan = World(clone).between("HEAD~1", "HEAD")
    assert [one.fields[0].new for one in plan.changes] == [0.4]


def test_a_shallow_clone_with_an_invalid_base_compares_what_can_be_read(
    repo: GitRepo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    repo.commit({"a.yaml": configs.user("ann")})
    repo.commit({"a.yaml": configs.user("ann"), "b.yaml": configs.BROKEN})
    repo.commit({"b.yaml": configs.user("bob"), "a.yaml": configs.user("ann", risk=0.75)})
    clone = tmp_path_factory.mktemp("clone") / "shallow"
    repo.git("clone", "--quiet", "--depth=2", f"file://{repo.path}", str(clone))
    plan = World(clone).between("HEAD~1", "HEAD")
    assert [(one.op, one.resource.name) for one in plan.changes] == [(Op.CREATE, "bob"), (Op.UPDATE, "ann")]


def test_a_new_id_that_another_name_would_get_is_found_in_a_large_tree(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MAX_FILES_READ_WHOLE", 0)
    base = repo.commit({"a.yaml": configs.user("ann"), "b.yaml": configs.user("bob")})
    with_id = World(repo.path)
    with_id.sync()
    taken = next(row.resource.id for row in with_id.rows().values() if row.resource.name == "ann")
    head = repo.commit({"c.yaml": configs.user("cai", user_id=taken)})
    plan = with_id.between(base, head)
    assert {problem.code for problem in plan.problems} == {"duplicate-id"}


@pytest.mark.parametrize("spelt", ['"\\x61nn"', "'ann'", '"a\\\n    nn"', "&who ann"])
def test_however_a_name_is_spelt_it_is_found(repo: GitRepo, spelt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MAX_FILES_READ_WHOLE", 0)
    base = repo.commit({"a.yaml": configs.user("ann").replace("name: ann", f"name: {spelt}")})
    head = repo.commit({"b.yaml": configs.user("ann", user_id="0b9d6d6e-5f0c-4b43-8f5e-0d9a5f5f0001")})
    assert {problem.code for problem in World(repo.path).between(base, head).problems} == {"duplicate-name"}


def test_documents_that_are_not_laid_out_as_usual_are_counted(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MAX_FILES_READ_WHOLE", 0)
    flow = "{apiVersion: reconciler/v1, kind: Signal, metadata: {name: s}, spec: {entry_strategy: BREAKOUT, "
    flow += "exit_strategy: STOP_LOSS, lot_size_type: FIXED, risk_per_trade_percent: 1, "
    flow += "trade_direction: BUY, status: ACTIVE}}"
    two = configs.user("ann") + "---\n" + configs.user("bob")
    base = repo.commit({"a.yaml": two, "b.yml": flow, "c.yaml": configs.system("cai")})
    head = repo.commit({"c.yaml": configs.system("cai", level="WARN")})
    plan = World(repo.path).between(base, head)
    assert (plan.count(Op.UPDATE), plan.unchanged) == (1, 3)
