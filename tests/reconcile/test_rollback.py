"""Back to an earlier applied commit, and what goes live by itself after it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.duckdb.backup import back_up, restore
from reconciler.adapters.duckdb.store import open_store, open_temporary
from reconciler.errors import RefusedError, UsageError
from reconciler.model.intervals import IntervalEnd
from reconciler.model.rollback import ROLLED_BACK, Rollback, RollbackRequest, Skipped
from reconciler.reconcile.goback import recover_rollback, roll_back
from reconciler.reconcile.verify import Verifier
from reconciler.values import replace
from tests.support import configs
from tests.support.gitrepo import Content, GitRepo
from tests.support.laws import examples
from tests.support.memory.store import MemoryStore
from tests.support.world import CLOCK, World

if TYPE_CHECKING:
    from reconciler.ports import Store
    from reconciler.reconcile.sync import SyncResult

AT_MOST = """-- Nobody risks more than {most}
SELECT name || ' risks ' || risk_per_trade_percent AS message, 'user' AS kind, name, 'risk_per_trade_percent' AS field
FROM desired.user_config WHERE risk_per_trade_percent > {most}
"""
OTHERS = [f"other{number}" for number in range(8)]
"""So that one that goes is within the prune limit."""


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.create(tmp_path)


@pytest.fixture(params=["memory", "duckdb"])
def world(repo: GitRepo, request: pytest.FixtureRequest) -> World:
    """A host where ann's risk went from 1 to 3, and ben came with that."""
    store: Store = MemoryStore(CLOCK) if request.param == "memory" else open_temporary(CLOCK)
    world = World(repo.path, store=store)
    commit(world, repo, "ann", 1.0, {"others.yaml": "---\n".join(map(configs.user, OTHERS))})
    commit(world, repo, "ann", 3.0, {"ben.yaml": configs.user("ben")})
    return world


def commit(world: World, repo: GitRepo, name: str, risk: float, also: dict[str, Content] | None = None) -> SyncResult:
    repo.commit({f"{name}.yaml": configs.user(name, risk=risk), **(also or {})})
    return world.attempt()


def go_back(world: World, to: str | None = None) -> SyncResult:
    with world.reconciler() as reconciler:
        return roll_back(reconciler, RollbackRequest(to, "it loses money", "ines"))


def risks(world: World) -> dict[str, tuple[float, str]]:
    return {
        name: (row["risk_per_trade_percent"], row["status"]) for name, row in world.live()["User"] if name not in OTHERS
    }


def held(result: SyncResult) -> list[str]:
    return [one.message for one in result.plan.problems if one.is_error]


def test_it_goes_to_the_commit_before(repo: GitRepo, world: World) -> None:
    first, bad = repo.git("rev-parse", "HEAD~1").strip(), repo.git("rev-parse", "HEAD").strip()
    result = go_back(world)
    assert result.applied is not None
    assert result.applied.stamp.commit == first
    assert risks(world) == {"ann": (1.0, "ACTIVE"), "ben": (0.5, "INACTIVE")}
    rollback = world.store.rollback()
    assert rollback is not None
    assert (rollback.target, rollback.skipped, rollback.actor) == (first, bad, "ines")
    assert list(rollback.changes.names()) == ["User ben", "User ann risk_per_trade_percent"]
    (past,) = world.store.intervals_of([bad])
    assert past.ended is IntervalEnd.ROLLED_BACK
    events = [event.event for event in world.store.events_after(0, 100)]
    assert events[-2:] == ["applied", "rolled-back"]


def test_the_skipped_head_is_not_fought(repo: GitRepo, world: World) -> None:
    go_back(world)
    for _ in range(2):
        result = world.attempt()
        assert held(result) == [
            "User ann risk_per_trade_percent is still 3, which the rollback skipped",
            "User ben is still there, which the rollback skipped",
        ]
        problem = result.plan.problems[0]
        assert (problem.code, problem.path, problem.pointer) == (
            "rolled-back",
            "ann.yaml",
            "/spec/risk_per_trade_percent",
        )
    assert [one.code for one in world.ahead("HEAD").problems] == ["rolled-back", "rolled-back"]
    assert risks(world)["ann"] == (1.0, "ACTIVE")


def test_an_unrelated_commit_waits_and_a_fix_goes_live(repo: GitRepo, world: World) -> None:
    go_back(world)
    assert len(held(commit(world, repo, "cleo", 2.0))) == 2
    assert len(held(commit(world, repo, "ann", 2.0))) == 1
    assert set(risks(world)) == {"ann", "ben"}
    assert not held(commit(world, repo, "ann", 2.5, {"ben.yaml": None}))
    assert risks(world) == {"ann": (2.5, "ACTIVE"), "ben": (0.5, "INACTIVE"), "cleo": (2.0, "ACTIVE")}
    assert world.store.rollback() is None
    assert [event.event for event in world.store.events_after(0, 100)][-1] == "rollback-ended"
    assert not held(commit(world, repo, "ann", 3.0)), "the rollback is over"


@pytest.mark.parametrize(
    "files",
    [
        {"policies/risk.sql": AT_MOST.format(most=9)},
        {"reconciler.yaml": "apiVersion: reconciler/v1\nkind: Repository\nspec: {prune: {max_count: 7}}\n"},
        {"policies/risk.sql": AT_MOST.format(most=9), "dora.yaml": configs.user("dora")},
    ],
    ids=["a policy", "the settings", "a policy and a resource"],
)
def test_a_plan_from_git_alone_holds_what_the_store_holds(
    repo: GitRepo, world: World, files: dict[str, Content]
) -> None:
    target = repo.git("rev-parse", "HEAD").strip()
    repo.commit(files)
    world.attempt()
    go_back(world)
    rollback = world.store.rollback()
    assert rollback is not None
    repo.commit({"cleo.yaml": configs.user("cleo")})
    held = [one for one in world.ahead("HEAD").problems if one.code == "rolled-back"]
    assert len(held) == len(files)
    assert list(world.held_by_git(target, "HEAD", replace(rollback, changes=Skipped())).problems) == held


def test_a_revert_goes_live(repo: GitRepo, world: World) -> None:
    go_back(world)
    repo.checkout()
    repo.git("revert", "--no-edit", "HEAD")
    assert not held(world.attempt())
    assert world.store.rollback() is None
    fresh = World(repo.path)
    fresh.attempt()
    assert world.rows() == fresh.rows(), "as on a host that never was rolled back"


def test_verifying_knows_the_rows_that_it_left(world: World) -> None:
    go_back(world)
    with world.reconciler() as reconciler:
        source = reconciler.claimant.source
        verifier = Verifier(source, reconciler.processor, source.repository, "main", world.store, None)
        assert verifier.verify().differences == ()
        world.store.end_rollback("a test", "ines")
        assert "unknown-row" in [one.sort for one in verifier.verify().differences]


def test_ending_it_lets_the_head_through(repo: GitRepo, world: World) -> None:
    go_back(world)
    world.attempt()
    assert world.store.end_rollback("it was right", "ines") is not None
    assert world.store.end_rollback("it was right", "ines") is None
    assert not held(world.attempt())
    assert risks(world) == {"ann": (3.0, "ACTIVE"), "ben": (0.5, "ACTIVE")}


def test_it_never_goes_back_to_what_was_rolled_back(repo: GitRepo, world: World) -> None:
    go_back(world)
    with pytest.raises(UsageError, match="nothing was live here before"):
        go_back(world)
    with pytest.raises(UsageError, match="later than"):
        go_back(world, "HEAD")
    with pytest.raises(UsageError, match="live already"):
        go_back(world, "HEAD~1")
    commit(world, repo, "ann", 2.0, {"ben.yaml": None})
    commit(world, repo, "ann", 2.5)
    go_back(world)
    assert risks(world)["ann"] == (2.0, "ACTIVE")
    go_back(world)
    assert risks(world)["ann"] == (1.0, "ACTIVE")
    assert len(held(world.attempt())) == 1
    assert held(commit(world, repo, "ann", 2.0)), "what the first of the two rollbacks left is skipped as well"
    assert not held(commit(world, repo, "ann", 1.0))


def test_a_new_store_goes_on_with_it(repo: GitRepo, world: World) -> None:
    go_back(world)
    before = world.store.rollback()
    told = world.store.events(1, only=[ROLLED_BACK])[0]
    fresh = World(repo.path, ledger=world.ledger)
    with fresh.reconciler() as reconciler:
        assert recover_rollback(reconciler) is None
        fresh.store.recall(Rollback.of_event(told))
        step = recover_rollback(reconciler)
        assert step is not None
        assert recover_rollback(reconciler) is None
    after = fresh.store.rollback()
    assert before is not None
    assert after is not None
    assert (after.changes, after.reason, after.skipped) == (before.changes, before.reason, before.skipped)
    assert len(held(fresh.attempt())) == 2
    assert fresh.live() == world.live(), "also what the skipped commit created, which is off"


def test_a_restored_backup_does_not_bring_it_back(repo: GitRepo, tmp_path: Path) -> None:
    state, now = tmp_path / "state", CLOCK.now()
    for deed in ("good", "bad", "back", "again"):
        with open_store(state, CLOCK) as store:
            world = World(repo.path, store=store)
            if deed in ("good", "bad"):
                assert not held(commit(world, repo, "ann", 1.0 if deed == "good" else 3.0))
            elif deed == "back":
                go_back(world)
            else:
                assert risks(world) == {"ann": (3.0, "ACTIVE")}
                with world.reconciler() as reconciler:
                    assert recover_rollback(reconciler) is not None
                assert held(world.attempt())
                assert risks(world) == {"ann": (1.0, "ACTIVE")}
        if deed == "bad":
            made = back_up(state, now)
        elif deed == "back":
            restore(made, state, lambda owner, applied: True, now)


@dataclass
class Model:
    """A host in few words: what git says, what is live, and which values of whom may not come back by themselves."""

    git: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("ann", "ben", "cleo"), 0.5))
    applied: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    live: int = 0
    height: int = 0
    skipped: set[tuple[str, float]] = field(default_factory=set)
    head: int = 0

    @property
    def rows(self) -> dict[str, float]:
        return dict(next(state for height, state in reversed(self.applied) if height == self.live))

    def commit(self, values: dict[str, float]) -> None:
        self.git |= values
        self.height += 1
        self.look()

    def look(self) -> None:
        if self.head != self.height and not self.skipped & set(self.git.items()) and self.live != self.height:
            self.live, self.head, self.skipped = self.height, 0, set()
            self.applied.append((self.height, dict(self.git)))
            self.left.discard(self.height)

    def back(self) -> bool:
        was, order = self.rows, list(dict.fromkeys(height for height, _ in reversed(self.applied)))
        target = next((one for one in order if one < self.live and one not in self.left), None)
        if target is None:
            return False
        self.head = self.head or self.live
        self.left.add(self.live)
        self.left.discard(target)
        self.live = target
        self.applied.append((target, self.rows))
        now = self.rows
        changed = {(name, value) for name, value in was.items() if now[name] != value}
        self.skipped = {(name, value) for name, value in self.skipped | changed if now[name] != value}
        return True

    def end(self) -> None:
        self.head, self.skipped = 0, set()
        self.look()


VALUES = st.dictionaries(st.sampled_from(["ann", "ben", "cleo"]), st.sampled_from([0.1, 0.2, 0.3]), min_size=1)


@settings(max_examples=examples(40, quick=4))
@given(st.lists(st.one_of(VALUES, st.sampled_from(["back", "back", "end", "again"])), min_size=4, max_size=9))
def test_no_skipped_value_comes_back_by_itself(deeds: list[dict[str, float] | str]) -> None:
    with TemporaryDirectory() as folder:
        repo, model = GitRepo.create(Path(folder)), Model()
        world = World(repo.path)
        with world.awake():
            for deed in ({}, *deeds):
                if isinstance(deed, dict):
                    model.commit(deed)
                    repo.commit({f"{name}.yaml": configs.user(name, risk=value) for name, value in model.git.items()})
                elif deed == "end":
                    world.store.end_rollback("a test", "ines")
                    model.end()
                elif deed == "back":
                    can = model.back()
                    with nullcontext() if can else pytest.raises(UsageError, match="nothing was live here before"):
                        go_back(world)
                world.attempt()
                live = {name: row["risk_per_trade_percent"] for name, row in world.live()["User"]}
                assert live == model.rows, deed


def test_what_never_was_live_is_no_target(repo: GitRepo, world: World) -> None:
    repo.commit({"ann.yaml": configs.user("ann", risk=1.5)})
    between = repo.git("rev-parse", "HEAD").strip()
    commit(world, repo, "ann", 2.0)
    with pytest.raises(UsageError, match="never live on this host"):
        go_back(world, between)


def test_rules_of_both_sides_judge_it(repo: GitRepo, world: World) -> None:
    assert not held(commit(world, repo, "ann", 1.5, {"policies/at-most.sql": AT_MOST.format(most=2)}))
    before = risks(world)
    with pytest.raises(RefusedError, match="ann risks 3") as refused:
        go_back(world)
    assert "reconciler halt --all" in refused.value.hint
    assert risks(world) == before
    assert world.store.rollback() is None


def test_a_skipped_rule_does_not_come_back_either(repo: GitRepo, world: World) -> None:
    repo.commit({"policies/at-most.sql": AT_MOST.format(most=3)})
    world.attempt()
    repo.commit({"policies/at-most.sql": AT_MOST.format(most=9)})
    world.attempt()
    go_back(world)
    assert held(commit(world, repo, "ann", 2.0)) == [
        "policies/at-most.sql is still as the rollback skipped it",
    ]
    assert not held(commit(world, repo, "ann", 2.5, {"policies/at-most.sql": AT_MOST.format(most=3)}))
