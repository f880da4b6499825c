"""How much a commit may add: judged by commit, and alike on every host."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.guards import GROWTH
from reconciler.reconcile import plan as plans
from reconciler.reconcile.sync import CommitApproval
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.laws import examples
from tests.support.world import World

if TYPE_CHECKING:
    from reconciler.plan import Plan

HEAD = "apiVersion: reconciler/v1\nkind: Repository\nspec: "
TRAILER = "x\n\nReconciler-Approve: growth"


def users(first: int, count: int) -> dict[str, str | None]:
    return {f"u{number}.yaml": configs.user(f"u{number}") for number in range(first, first + count)}


def limits(percent: float, count: int, **more: str) -> dict[str, str | None]:
    return {"reconciler.yaml": f"{HEAD}{{growth: {{max_new_percent: {percent}, max_new_count: {count}}}}}\n", **more}


@pytest.fixture
def world(tmp_path: Path) -> World:
    repo = GitRepo.create(tmp_path)
    repo.commit(users(0, 8))
    world = World(tmp_path)
    assert world.attempt().plan.problems == ()
    return world


@pytest.fixture
def repo(world: World) -> GitRepo:
    return GitRepo(world.repository)


def codes(plan: Plan) -> set[str]:
    return {problem.code for problem in plan.problems if problem.is_error}


def count_live(world: World) -> int:
    return len(world.live()["User"])


def test_more_than_both_limits_is_refused_with_what_to_do(repo: GitRepo, world: World) -> None:
    head = repo.commit(users(8, 21))
    (problem,) = world.attempt().plan.problems
    assert (problem.code, problem.path, problem.line) == (GROWTH, "u10.yaml", 1)
    assert problem.message == (
        "21 new User at once beside 8 before, more than 100 % and more than 20: u10, u11, u12, u13, u14 and 16 more"
    )
    assert "Reconciler-Approve: growth" in problem.hint
    assert count_live(world) == 8
    for plan in (world.between("HEAD~1", head), world.ahead(head)):
        assert codes(plan) == {GROWTH}
        assert len(plan.changes) == 21


@pytest.mark.parametrize(("first", "then"), [(0, 20), (20, 28)], ids=["few", "no-more-than-there-were"])
def test_one_limit_may_be_exceeded(repo: GitRepo, world: World, first: int, then: int) -> None:
    repo.commit(users(8, first))
    world.attempt()
    repo.commit(users(8 + first, then))
    assert codes(world.attempt().plan) == set()
    assert count_live(world) == 8 + first + then


def test_nothing_grows_where_nothing_was(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path)
    repo.commit(users(0, 30))
    assert codes(World(tmp_path).attempt().plan) == set()
    other = GitRepo.create(tmp_path / "other")
    other.commit({"README.md": "A desk"})
    world = World(other.path)
    world.attempt()
    other.commit(users(0, 30))
    assert codes(world.attempt().plan) == set()


def test_the_first_of_a_kind_are_counted_against_all_that_there_is(repo: GitRepo, world: World) -> None:
    base = repo.commit(users(8, 20))
    world.attempt()
    repo.commit({f"s{number}.yaml": configs.signal(f"s{number}") for number in range(29)})
    (problem,) = world.attempt().plan.problems
    assert problem.message.startswith("29 new Signal at once beside 28 resources of all kinds, more than 100 %")
    repo.git("reset", "-q", "--hard", base)
    repo.commit({f"s{number}.yaml": configs.signal(f"s{number}") for number in range(28)})
    assert codes(world.attempt().plan) == set()


def test_each_commit_is_judged_by_itself_however_long_a_host_slept(repo: GitRepo, world: World) -> None:
    for number in range(10):
        repo.commit(users(8 + number * 10, 10))
    assert codes(world.attempt().plan) == set()
    repo.commit(users(108, 10))
    large = repo.commit(users(200, 130))
    repo.commit(users(118, 10))
    for rejudge in (False, True):  # which walks the whole history
        (problem,) = world.attempt(rejudge=rejudge).plan.problems
        assert f"130 new User in {large[:8]} beside 118 before" in problem.message
    assert count_live(world) == 108


def test_what_is_taken_back_does_not_count(repo: GitRepo, world: World) -> None:
    repo.commit(users(8, 30))
    assert codes(world.attempt().plan) == {GROWTH}
    repo.commit(dict.fromkeys(users(8, 29)))
    assert codes(world.attempt().plan) == set()
    assert sum(values["status"] == "ACTIVE" for _, values in world.live()["User"]) == 9


def test_a_line_in_the_commit_approves_of_what_it_adds(repo: GitRepo, world: World) -> None:
    repo.commit(users(8, 30), TRAILER)
    repo.commit(users(38, 1), "Something else")
    plan = world.attempt().plan
    assert [(problem.code, problem.is_error) for problem in plan.problems] == [(GROWTH, False)]
    assert count_live(world) == 39


def test_a_line_does_not_cover_another_commit(repo: GitRepo, world: World) -> None:
    repo.commit(users(8, 1), TRAILER)
    repo.commit(users(9, 30))
    repo.commit(users(39, 1), TRAILER)
    assert codes(world.attempt().plan) == {GROWTH}


def test_a_person_approves_of_the_step(repo: GitRepo, world: World) -> None:
    repo.commit(users(8, 30))
    head = repo.commit({"README.md": "Thirty more"})
    (problem,) = world.attempt(CommitApproval(head, "maren")).plan.problems
    assert (problem.is_error, problem.hint) == (False, "approved by maren")
    assert count_live(world) == 38


def test_limits_cannot_be_loosened_and_used_at_once(repo: GitRepo, world: World) -> None:
    base = repo.git("rev-parse", "HEAD").strip()
    repo.commit({**users(8, 30), **limits(100, 50)})
    assert codes(world.attempt().plan) == {GROWTH}
    repo.git("reset", "-q", "--hard", base)
    repo.commit(limits(100, 50))
    repo.commit(users(8, 30))
    assert codes(world.attempt().plan) == {GROWTH}
    repo.git("reset", "-q", "--hard", "HEAD~1")
    world.attempt()
    repo.commit(users(8, 30))
    assert codes(world.attempt().plan) == set()


def test_limits_that_a_commit_brings_count_for_it(repo: GitRepo, world: World) -> None:
    repo.commit({**users(8, 1), **limits(10, 0)})
    assert codes(world.attempt().plan) == {GROWTH}
    repo.commit(limits(10, 0))
    assert codes(world.attempt().plan) == {GROWTH}, "by the limits of the commit that adds it"


def test_a_rewritten_history_is_counted_from_what_is_live(repo: GitRepo, world: World) -> None:
    repo.commit(users(0, 18), parents=[], branch="other")
    repo.commit(users(18, 22), branch="other")
    repo.git("update-ref", "refs/heads/main", "other")
    (problem,) = world.attempt().plan.problems
    assert problem.message.startswith("22 new User at once beside 8 before")


def test_a_part_of_a_large_repository_is_judged_by_all_of_it(
    repo: GitRepo, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "MAX_FILES_READ_WHOLE", 1)
    head = repo.commit(users(8, 21))
    assert codes(world.between("HEAD~1", head)) == {GROWTH}
    repo.commit(users(29, 29))
    assert codes(world.between("HEAD~1", "HEAD")) == set()


commits = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=5)
"""How many users each adds, and whether it changes one as well."""


@settings(max_examples=examples(15))
@given(commits)
def test_a_host_that_slept_judges_as_one_that_saw_every_commit(history: list[tuple[int, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        repo = GitRepo.create(Path(folder))
        with repo.bulk():
            mainline, there = [repo.commit({**users(0, 2), **limits(100, 2)})], 2
            for number, (new, changes) in enumerate(history):
                changed = {"u0.yaml": configs.user("u0", risk=0.5 + (number + 1) / 100)} if changes else {}
                mainline.append(repo.commit({**users(there, new), **changed}))
                there += new
        awake, asleep = World(Path(folder), branch="host"), World(Path(folder), branch="host")
        repo.git("update-ref", "refs/heads/host", mainline[0])
        asleep.attempt()
        for commit in mainline:
            repo.git("update-ref", "refs/heads/host", commit)
            refused = codes(awake.attempt().plan)
            if refused:
                break
        assert codes(asleep.attempt().plan) == refused
        assert refused or asleep.rows() == awake.rows()
