"""Policies along a history: what is refused, under whose rules, and what gets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.reconcile import admission
from reconciler.reconcile.sync import CommitApproval
from tests.support import configs
from tests.support.gitrepo import Entry, GitRepo, submodule, symlink
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.plan import Plan

AT_MOST = """-- Nobody risks more than {most}
SELECT name || ' risks ' || risk_per_trade_percent AS message, 'user' AS kind, name, 'risk_per_trade_percent' AS field
FROM desired.user_config WHERE risk_per_trade_percent > {most}
"""
JUMP = """-- Risk never doubles at once
SELECT 'from ' || m.risk_per_trade_percent AS message, 'User' AS kind, d.name, 'risk_per_trade_percent' AS field
FROM desired.user_config d JOIN main.user_config m USING (user_id)
WHERE d.risk_per_trade_percent > 2 * m.risk_per_trade_percent
"""
RULE = "policies/at-most.sql"


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.create(tmp_path)


@pytest.fixture
def world(repo: GitRepo) -> World:
    repo.commit({"ann.yaml": configs.user("ann", risk=1.0), RULE: AT_MOST.format(most=2)})
    world = World(repo.path)
    assert not world.attempt().plan.refused
    return world


def risk(world: World) -> float:
    (row,) = world.live()["User"]
    value = row[1]["risk_per_trade_percent"]
    assert isinstance(value, float)
    return value


def codes(plan: Plan) -> list[str]:
    return [problem.code for problem in plan.problems if problem.is_error]


def test_a_violated_policy_changes_no_row_and_names_the_field(repo: GitRepo, world: World) -> None:
    repo.commit({"ann.yaml": configs.user("ann", risk=3.0)})
    plan = world.attempt().plan
    (problem,) = plan.problems
    assert (problem.path, problem.code, problem.pointer) == (
        "ann.yaml",
        "policy/at-most",
        "/spec/risk_per_trade_percent",
    )
    assert problem.column > 1
    assert "ann risks 3" in problem.message
    assert problem.hint == "rule: Nobody risks more than 2"
    assert risk(world) == 1.0
    assert world.between("HEAD~1", "HEAD").problems == world.ahead("HEAD").problems == plan.problems


def test_a_rule_cannot_be_loosened_and_its_gap_used_at_once(repo: GitRepo, world: World) -> None:
    repo.commit({RULE: AT_MOST.format(most=5), "ann.yaml": configs.user("ann", risk=3.0)})
    (problem,) = world.attempt().plan.problems
    assert problem.code == "policy/at-most"
    assert problem.message.endswith("(by this rule as it was before)")
    repo.commit({"ann.yaml": configs.user("ann", risk=1.5)})
    assert codes(world.attempt().plan) == []
    repo.commit({"ann.yaml": configs.user("ann", risk=3.0)})
    assert codes(world.attempt().plan) == []
    assert risk(world) == 3.0


@pytest.mark.parametrize(
    "loosened",
    [
        {RULE: None},
        {RULE: None, "policies/at-most-now.sql": AT_MOST.format(most=9)},
        {"reconciler.yaml": "apiVersion: reconciler/v1\nkind: Repository\nspec: {policies: elsewhere}\n"},
    ],
)
def test_nor_deleted_renamed_or_left_behind(repo: GitRepo, world: World, loosened: dict[str, str | None]) -> None:
    repo.commit({**loosened, "ann.yaml": configs.user("ann", risk=3.0)})
    assert codes(world.attempt().plan) == ["policy/at-most"]
    assert codes(world.between("HEAD~1", "HEAD")) == ["policy/at-most"]


def test_a_new_rule_counts_for_the_commit_that_brings_it(repo: GitRepo, world: World) -> None:
    repo.commit({RULE: AT_MOST.format(most=0.5)})
    assert codes(world.attempt().plan) == ["policy/at-most"]


def test_a_rule_about_changes_sees_what_is_live(repo: GitRepo, world: World) -> None:
    repo.commit({"policies/jump.sql": JUMP, "ann.yaml": configs.user("ann", risk=1.9)})
    assert codes(world.attempt().plan) == []
    repo.commit({RULE: AT_MOST.format(most=50)})
    world.attempt()
    for value in (3.0, 5.0):  # pushed together, they are one step
        repo.commit({"ann.yaml": configs.user("ann", risk=value)})
    assert codes(world.attempt().plan) == ["policy/jump"]
    assert risk(world) == 1.9
    repo.commit({"ann.yaml": configs.user("ann", risk=3.0)})
    assert codes(world.attempt().plan) == []


def test_approval_covers_policies_but_nothing_that_is_wrong(repo: GitRepo, world: World) -> None:
    head = repo.commit({"ann.yaml": configs.user("ann", risk=3.0)})
    result = world.attempt(CommitApproval(head, "teo"))
    assert (codes(result.plan), risk(world)) == ([], 3.0)
    assert [problem.hint for problem in result.plan.problems] == ["approved by teo"]
    head = repo.commit({"policies/broken.sql": "SELEKT 1"})
    assert codes(world.attempt(CommitApproval(head, "teo")).plan) == ["bad-policy"]


def test_a_broken_rule_of_the_base_can_be_mended(repo: GitRepo, world: World) -> None:
    repo.commit({RULE: "SELECT nothing FROM nowhere"})
    assert codes(world.attempt().plan) == ["bad-policy"]
    repo.commit({RULE: AT_MOST.format(most=2)})
    assert codes(world.between("HEAD~1", "HEAD")) == []
    assert codes(world.attempt().plan) == []


def test_a_rule_that_is_a_link_is_not_lost_in_silence(repo: GitRepo, world: World) -> None:
    repo.commit({RULE: symlink("elsewhere.sql")})
    assert set(codes(world.attempt().plan)) == {"not-a-file"}


@pytest.mark.parametrize("other", [symlink("elsewhere"), submodule("1" * 40)], ids=["link", "submodule"])
def test_a_folder_of_rules_that_is_a_link_is_not_lost_in_silence(repo: GitRepo, world: World, other: Entry) -> None:
    """Nor with a later commit, which sees no difference there; a plan says so before."""
    repo.commit({RULE: None, "policies": other})
    assert set(codes(world.between("HEAD~1", "HEAD"))) == set(codes(world.attempt().plan)) == {"not-a-file"}
    repo.commit({"ann.yaml": configs.user("ann", risk=1.5)})
    assert set(codes(world.between("HEAD~1", "HEAD"))) == set(codes(world.attempt().plan)) == {"not-a-file"}
    repo.commit({"policies": None, RULE: AT_MOST.format(most=2)})
    assert codes(world.attempt().plan) == []
    repo.commit({"ann.yaml": configs.user("ann", risk=3.0)})
    assert codes(world.attempt().plan) == ["policy/at-most"]


def test_a_warning_goes_live_and_is_told(repo: GitRepo, world: World) -> None:
    warned = AT_MOST.format(most=2).replace("SELECT name", "SELECT 'warning' AS severity, name")
    repo.commit({"policies/warned.sql": warned.replace("> 2", "> 0.5")})
    plan = world.attempt().plan
    assert [(one.code, one.severity) for one in plan.problems] == [("policy/warned", "warning")]
    assert not plan.refused


def test_a_violation_stands_at_the_file_of_what_did_not_change_or_goes(repo: GitRepo, world: World) -> None:
    told = """SELECT 'here' AS message, 'warning' AS severity, 'User' AS kind, name, 'name' AS field
        FROM desired.user_config"""
    repo.commit({"policies/told.sql": told, "bob.yaml": configs.user("bob")})
    assert not world.attempt().plan.refused
    repo.commit({"bob.yaml": None, "cai.yaml": "# cai\n" + configs.user("cai")})
    found = world.attempt(CommitApproval(repo.git("rev-parse", "main"), "teo")).plan.problems
    assert [(one.path, one.line) for one in found if one.code == "policy/told"] == [
        ("ann.yaml", 4),
        ("bob.yaml", 1),
        ("cai.yaml", 5),
    ]


def test_of_many_resources_each_violation_stands_at_its_own(repo: GitRepo, world: World) -> None:
    told = "SELECT name AS message, 'warning' AS severity, 'User' AS kind, name FROM desired.user_config"
    many = {f"u{number:03}.yaml": configs.user(f"u{number:03}") for number in range(admission.MAX_LOOKUPS + 20)}
    repo.commit(many, "All at once\n\nReconciler-Approve: growth")
    assert not world.attempt().plan.refused
    repo.commit({"policies/told.sql": told})
    found = world.attempt().plan.problems
    assert [(one.path, one.message) for one in found] == sorted(
        (f"{row[0]}.yaml", row[0]) for row in world.live()["User"]
    )
