"""What goes wrong while one commit is judged: its own fault makes it invalid, the machine's fault is no verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler import __version__
from reconciler.adapters import freshprocess
from reconciler.adapters.bundled import find_example_repository
from reconciler.adapters.duckdb.store import open_store
from reconciler.errors import RetryLater
from reconciler.model.commit import Status
from reconciler.reconcile import faults
from reconciler.reconcile.read import name_file, read_in_parallel
from reconciler.values import replace
from reconciler.wiring import checkout
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.injected import inject
from tests.support.world import CLOCK, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.problem import Problem
    from reconciler.plan import Plan

POLICY = (
    "-- High risk\nSELECT 'high' AS message, 'User' AS kind, name, 'warning' AS severity FROM desired.user_config "
    "WHERE risk_per_trade_percent > 1.2\n"
)
SCHEMA = (find_example_repository() / "schemas/broker.schema.json").read_text(encoding="utf-8")
USER = {"users/poison.yaml": configs.user("poison", risk=1.5)}
KIND = {"schemas/poison.schema.json": SCHEMA.replace("Broker", "Poison").replace("broker", "poison")}
RULES = "apiVersion: reconciler/v1\nkind: Repository\nspec:\n  prune: {mode: delete}\n"
STAGES = {
    "read": ("reconciler.adapters.git.queries:parse_changes", USER),
    "decode": ("reconciler.reconcile.read:decode", USER),
    "rules": ("reconciler.reconcile.rules:_may_be_rule", USER),
    "schema": ("reconciler.reconcile.rules:load_kinds", KIND),
    "narrowing": ("reconciler.reconcile.walk:find_replaced_kinds", KIND),
    "validate": ("reconciler.validate.validator:Validator.check", USER),
    "tree": ("reconciler.snapshot.tree:_update_candidates", USER),
    "lineage": ("reconciler.snapshot.snapshot:_next_row", USER),
    "guards": ("reconciler.reconcile.admission:find_prune_problems", USER),
    "policies": ("reconciler.reconcile.admission:locate_violations", USER),
    "tables": ("reconciler.adapters.duckdb.writing:create_tables", KIND),
    "rows": ("reconciler.adapters.duckdb.writing:desired_values", USER),
}
OF_THE_STEP = ("guards", "policies", "tables", "rows")
"""Stages that judge the step to a commit: it is refused, and its own status stays."""
IN_SHORT = ("decode",)
"""The stage that stands for the others in `make test`: each starts processes."""
ONE_OF_A_KIND = dict.fromkeys(("read", "schema", "validate", "guards", "policies", "rows"), pytest.mark.slow)
MORE = pytest.mark.soak
"""Each takes nine looks at a step, four seconds: the other stages wait for the soak."""
CASES = [
    pytest.param(number, stage, id=stage, marks=() if stage in IN_SHORT else pytest.mark.slow)
    for number, stage in enumerate(STAGES)
]
OWN = ("KeyError", "RecursionError", "OverflowError", "BrokenDriver")
HOSTS = ("OSError", "MemoryError")


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    repo = GitRepo.create(tmp_path / "config")
    users = {"users/alice.yaml": configs.user("alice", risk=1.0)}
    repo.commit({**users, "policies/risk.sql": POLICY, "reconciler.yaml": RULES})
    return repo


@pytest.fixture
def world(tmp_path: Path, repo: GitRepo) -> Iterator[World]:
    with open_store(tmp_path / "state", CLOCK) as store:
        world = World(repo.path, store=store)
        world.sync()
        yield world


def risks(world: World) -> dict[str, float]:
    return {name: values["risk_per_trade_percent"] for name, values in world.live()["User"]}


@pytest.mark.parametrize(("number", "stage"), CASES)
def test_fault_of_the_commit(
    number: int, stage: str, repo: GitRepo, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, files = STAGES[stage]
    fault = OWN[number % len(OWN)]
    inject(monkeypatch, place, fault)
    bad = repo.commit(files)
    refused = world.attempt()
    assert [(problem.code, problem.severity) for problem in refused.plan.problems] == [("cannot-judge", "error")]
    assert fault in refused.plan.problems[0].message
    assert risks(world) == {"alice": 1.0}
    still_bad = repo.commit({"users/alice.yaml": configs.user("alice", risk=0.25)})
    assert world.attempt().plan.refused
    repo.commit(dict.fromkeys(files))
    assert not world.attempt().plan.refused
    assert risks(world) == {"alice": 0.25}
    statuses = [version.status for sha in (bad, still_bad) if (version := world.ledger.version(sha))]
    assert statuses == [Status.VALID if stage in OF_THE_STEP else Status.INVALID] * 2
    anew = World(repo.path)
    anew.sync()
    assert anew.rows() == world.rows()
    assert [anew.ledger.version(sha).status for sha in (bad, still_bad)] == statuses  # type: ignore[union-attr]


@pytest.mark.parametrize(("number", "stage"), CASES)
def test_fault_of_the_host(
    number: int, stage: str, repo: GitRepo, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, files = STAGES[stage]
    before = world.rows(), world.store.applied()
    with monkeypatch.context() as patches:
        inject(patches, place, HOSTS[number % len(HOSTS)])
        bad = repo.commit(files)
        with pytest.raises(RetryLater):
            world.attempt()
        assert (world.rows(), world.store.applied()) == before
        assert world.ledger.version(bad) is None or stage in OF_THE_STEP
    assert not world.attempt().plan.refused
    assert world.store.applied() != before[1]


@pytest.mark.parametrize(("stage", "fault"), [("guards", "KeyError"), ("policies", "RecursionError")])
def test_a_plan_says_that_the_commit_cannot_be_judged(
    stage: str, fault: str, repo: GitRepo, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, files = STAGES[stage]
    base, bad = repo.git("rev-parse", "main").strip(), repo.commit(files)
    good = repo.commit({**dict.fromkeys(files), "users/alice.yaml": configs.user("alice", risk=0.25)})
    inject(monkeypatch, place, fault, elsewhere=False)
    for plan in (world.between(base, bad), world.ahead(bad)):
        assert [(problem.code, fault in problem.message) for problem in plan.problems] == [("cannot-judge", True)]
        assert [change.resource.name for change in plan.changes] == ["poison"]
    assert not world.between(base, good).problems


def test_a_plan_that_the_machine_fails_is_no_verdict(
    repo: GitRepo, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, files = STAGES["guards"]
    base, bad = repo.git("rev-parse", "main").strip(), repo.commit(files)
    inject(monkeypatch, place, "OSError", elsewhere=False)
    for plan in (lambda: world.between(base, bad), lambda: world.ahead(bad)):
        with pytest.raises(RetryLater):
            plan()


def errors(plan: Plan) -> list[Problem]:
    return [problem for problem in plan.problems if problem.is_error]


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was tried in fresh processes."""
    tried: list[object] = []

    def call_fresh(*call: Any) -> Any:
        tried.append(call)
        return freshprocess.call_fresh(*call)

    monkeypatch.setattr(checkout, "call_fresh", call_fresh)
    return tried


@pytest.mark.parametrize(
    ("number", "stage"),
    [
        pytest.param(number, stage, id=stage, marks=() if stage in IN_SHORT else ONE_OF_A_KIND.get(stage, MORE))
        for number, stage in enumerate(STAGES)
    ],
)
def test_a_verdict_is_given_once_by_each_version(
    number: int,
    stage: str,
    repo: GitRepo,
    world: World,
    tries: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, files = STAGES[stage]
    inject(monkeypatch, place, OWN[number % len(OWN)])
    bad = repo.commit(files)
    refused = world.attempt().plan.problems
    assert tries
    tries.clear()
    assert world.attempt().plan.problems == refused
    assert errors(world.ahead(bad)) == list(refused)
    still_bad = repo.commit({"users/alice.yaml": configs.user("alice", risk=0.25)})
    again = world.attempt().plan.problems
    assert [problem.code for problem in again] == ["cannot-judge"]
    assert not tries or stage not in ("decode", "validate", "schema")  # what is one file's fault, no commit pays for
    tries.clear()
    assert (world.attempt().plan.problems, errors(world.ahead(still_bad))) == (again, list(again))
    assert not tries
    monkeypatch.setattr(faults, "__version__", "another")
    renamed = [replace(one, message=one.message.replace(__version__, "another")) for one in again]
    assert list(world.attempt().plan.problems) == renamed
    assert tries
    tries.clear()
    assert world.attempt(rejudge=True).plan.refused
    assert tries


@pytest.mark.slow
def test_a_large_commit_is_read_without_the_files_at_fault() -> None:
    text = configs.user("poison", risk=1.5).encode()
    files = [("a.yaml", text), ("b.yaml", text)]
    kinds = checkout.bundled_kinds().kinds
    found = read_in_parallel(kinds, files, {name_file(kinds, "a.yaml", text)})
    assert [entry is None for _, entry in found] == [True, False]


@pytest.mark.slow
def test_a_daemon_judges_again_what_it_has_read(repo: GitRepo, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.reconciler() as reconciler:
        for stage in ("decode", "schema"):
            place, files = STAGES[stage]
            with monkeypatch.context() as patches:
                inject(patches, place, "KeyError")
                repo.commit(files)
                assert reconciler.sync().plan.refused
            assert reconciler.sync().plan.refused
            assert not reconciler.sync(rejudge=True).plan.refused


def test_what_can_be_judged_now_is_live_after_judging_all_again(
    repo: GitRepo, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patches:
        inject(patches, STAGES["decode"][0], "KeyError")
        bad = repo.commit(USER)
        assert world.attempt().plan.refused
    assert not world.attempt(rejudge=True).plan.refused
    assert risks(world) == {"alice": 1.0, "poison": 1.5}
    version = world.ledger.version(bad)
    assert version is not None
    assert version.status == Status.VALID
    anew = World(repo.path)
    anew.sync()
    assert anew.rows() == world.rows()
