"""What guards refuse, what an approval lets through, and that no commit can loosen a rule and use the gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import UsageError
from reconciler.model.change import Op
from reconciler.reconcile.sync import CommitApproval
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.plan import Plan

LIMIT = "guard/prune-limit"
NAMES = ("ann", "bob", "cai", "dan", "eve", "fay", "gus", "hal")
HEAD = "apiVersion: reconciler/v1\nkind: Repository\nspec: "


@pytest.fixture
def world(tmp_path: Path) -> World:
    repo = GitRepo.create(tmp_path)
    repo.commit({f"{name}.yaml": configs.user(name) for name in NAMES})
    world = World(tmp_path)
    world.sync()
    return world


@pytest.fixture
def repo(world: World) -> GitRepo:
    return GitRepo(world.repository)


def statuses(world: World) -> dict[str, str]:
    return {name: values["status"] for name, values in world.live()["User"]}


def without(*names: str, **files: str | None) -> dict[str, str | None]:
    return {**{f"{name}.yaml": None for name in names}, **files}


def codes(plan: Plan) -> set[str]:
    return {problem.code for problem in plan.problems if problem.is_error}


def test_three_of_eight_are_too_many(repo: GitRepo, world: World) -> None:
    base = world.store.applied()
    head = repo.commit(without("ann", "bob", "cai"))
    result = world.attempt()
    (problem,) = result.plan.problems
    assert (problem.code, problem.path, problem.line) == (LIMIT, "ann.yaml", 1)
    assert "3 of 8 User" in problem.message
    assert "ann, bob, cai" in problem.message
    assert result.plan.changes == ()
    assert set(statuses(world).values()) == {"ACTIVE"}
    assert world.store.applied() == base
    assert result.attempt is not None
    assert (result.attempt.refused, result.attempt.stamp.commit) == (True, head)


def test_one_of_eight_is_not(repo: GitRepo, world: World) -> None:
    repo.commit(without("ann"))
    assert codes(world.attempt().plan) == set()
    assert statuses(world)["ann"] == "INACTIVE"


def test_approval_lets_the_commit_through_and_is_on_record(repo: GitRepo, world: World) -> None:
    head = repo.commit(without("ann", "bob", "cai"))
    world.attempt()
    result = world.attempt(CommitApproval(head[:10], "maren"))
    assert [change.op for change in result.plan.changes] == [Op.DELETE] * 3
    (problem,) = result.plan.problems
    assert (problem.is_error, problem.hint) == (False, "approved by maren")
    assert [name for name, status in statuses(world).items() if status == "INACTIVE"] == ["ann", "bob", "cai"]


def test_approval_is_for_one_commit(repo: GitRepo, world: World) -> None:
    head = repo.commit(without("ann", "bob", "cai"))
    repo.commit(without("dan"))
    with pytest.raises(UsageError, match="is not the commit to go live"):
        world.attempt(CommitApproval(head, "maren"))
    assert set(statuses(world).values()) == {"ACTIVE"}


def test_a_trailer_in_the_commit_approves_of_what_it_removes(repo: GitRepo, world: World) -> None:
    repo.commit(without("ann", "bob", "cai"), "Close three books\n\nReviewed-by: Teo\nreconciler-approve: prune\n")
    repo.commit({"dan.yaml": configs.user("dan", risk=0.6)}, "Something else, later")
    result = world.attempt()
    assert codes(result.plan) == set()
    assert {problem.code for problem in result.plan.problems} == {LIMIT}
    assert statuses(world)["ann"] == "INACTIVE"


@pytest.mark.parametrize(
    "message",
    [
        "Reconciler-Approve: prune\n\nbut not at the end",
        "x\n\nReconciler-Approve: policy",
        "x\n\nWe reconciler-approve: prune",
    ],
)
def test_other_words_approve_of_nothing(repo: GitRepo, world: World, message: str) -> None:
    repo.commit(without("ann", "bob", "cai"), message)
    assert codes(world.attempt().plan) == {LIMIT}


def test_a_trailer_does_not_cover_another_commit(repo: GitRepo, world: World) -> None:
    repo.commit(without("ann"), "x\n\nReconciler-Approve: prune")
    repo.commit(without("bob", "cai", "dan"))
    assert codes(world.attempt().plan) == {LIMIT}


def test_limits_cannot_be_loosened_and_used_at_once(repo: GitRepo, world: World) -> None:
    wide = HEAD + "{prune: {max_percent: 100}}\n"
    repo.commit(without("ann", "bob", "cai", **{"reconciler.yaml": wide}))
    assert codes(world.attempt().plan) == {LIMIT}
    repo.git("reset", "-q", "--soft", "HEAD~1")
    repo.commit({"reconciler.yaml": wide})
    assert codes(world.attempt().plan) == set()
    repo.commit(without("ann", "bob", "cai"))
    assert codes(world.attempt().plan) == set()


def test_a_limit_that_a_commit_brings_counts_for_it(repo: GitRepo, world: World) -> None:
    repo.commit(without("ann", **{"reconciler.yaml": HEAD + "{prune: {max_count: 0}}\n"}))
    assert codes(world.attempt().plan) == {LIMIT}


@pytest.mark.parametrize(("mode", "left"), [("deactivate", "INACTIVE"), ("delete", None), ("off", "ACTIVE")])
def test_a_mode_decides_what_becomes_of_a_row(repo: GitRepo, world: World, mode: str, left: str | None) -> None:
    repo.commit({"reconciler.yaml": HEAD + f"{{prune: {{mode: {mode}}}}}\n"})
    world.attempt()
    repo.commit(without("ann"))
    (change,) = world.attempt().plan.changes
    assert statuses(world).get("ann") == left
    assert change.destructive == (mode != "off")
    anew = World(world.repository)
    anew.attempt()
    assert (anew.rows(), anew.live()) == (world.rows(), world.live())


def test_a_harder_mode_cannot_be_chosen_and_used_at_once(repo: GitRepo, world: World) -> None:
    repo.commit(without("ann", **{"reconciler.yaml": HEAD + "{prune: {mode: delete}}\n"}))
    world.attempt()
    assert statuses(world)["ann"] == "INACTIVE"


def test_rows_that_stay_do_not_count(repo: GitRepo, world: World) -> None:
    repo.commit({"reconciler.yaml": HEAD + "{prune: {mode: off}}\n"})
    world.attempt()
    repo.commit(without(*NAMES[:6]))
    assert codes(world.attempt().plan) == set()
    assert set(statuses(world).values()) == {"ACTIVE"}


def test_plans_say_so_before(repo: GitRepo, world: World) -> None:
    head = repo.commit(without("ann", "bob", "cai"))
    for plan in (world.between("HEAD~1", head), world.ahead(head)):
        assert codes(plan) == {LIMIT}
        assert [change.op for change in plan.changes] == [Op.DELETE] * 3
        assert plan.unchanged == 5


def test_a_rewritten_history_is_guarded_too(repo: GitRepo, world: World) -> None:
    repo.commit({"ann.yaml": configs.user("ann")}, parents=[], branch="other")
    repo.git("update-ref", "refs/heads/main", "other")
    assert codes(world.attempt().plan) == {LIMIT}
    assert len(statuses(world)) == 8
