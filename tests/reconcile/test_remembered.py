"""Back to an earlier applied commit while git is gone: out of what store and history hold, where that can be proved."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.duckdb.store import open_temporary
from reconciler.errors import NeedsHuman, ReconcilerError, RefusedError, UsageError
from reconciler.kinds.kind import STATUS_FIELD
from reconciler.model.rollback import RollbackRequest
from reconciler.reconcile.goback import go_back, recover_rollback
from reconciler.reconcile.remembered import Memory
from reconciler.reconcile.verify import Verifier
from reconciler.values import replace
from tests.reconcile.test_rollback import AT_MOST, OTHERS, commit, held, risks
from tests.reconcile.test_rollback import go_back as go_back_in_git
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.laws import examples
from tests.support.memory.store import MemoryStore
from tests.support.world import CLOCK, FAULTS, SHIPPED, World, engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.ports import Store
    from reconciler.reconcile.sync import SyncResult

HOST = "desk"


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.create(tmp_path)


@pytest.fixture(params=["memory", "duckdb"])
def world(repo: GitRepo, request: pytest.FixtureRequest) -> World:
    store: Store = MemoryStore(CLOCK) if request.param == "memory" else open_temporary(CLOCK)
    return World(repo.path, store=store)


def went_wrong(world: World, repo: GitRepo, **first: str | None) -> None:
    """Ann's risk goes from 1 to 3, and ben comes."""
    commit(world, repo, "ann", 1.0, {"others.yaml": "---\n".join(map(configs.user, OTHERS)), **first})
    commit(world, repo, "ann", 3.0, {"ben.yaml": configs.user("ben")})


def memory(world: World) -> Memory:
    world.ledger.record_events(HOST, world.store.events_after(0, 1_000))
    world.ledger.record_intervals(HOST, world.store.intervals_after(0, 1_000))
    return Memory(world.store, lambda: nullcontext(world.ledger), HOST, "", SHIPPED, FAULTS, engine)


def go_back_without_git(world: World, to: str | None = None) -> SyncResult:
    request = RollbackRequest(to, "it loses money", "ines")
    return go_back(world.store, memory(world).past(), request, CLOCK)


def values(world: World) -> object:
    """What programs read, and what git is told to say.

    Of what left git the history has the status that it was left with, and not the one before, until git can be read.
    """
    said = {
        row_id: ({**row.resource.values, **({STATUS_FIELD: None} if row.removed else {})}, row.removed is None)
        for row_id, row in world.rows().items()
    }
    return world.live(), said


def test_it_is_the_rollback_that_git_would_have_made(repo: GitRepo, world: World) -> None:
    went_wrong(world, repo, **{"policies/at-most.sql": AT_MOST.format(most=5)})
    other = World(repo.path, store=MemoryStore(CLOCK))
    for sha in reversed(repo.git("rev-list", "HEAD").split()):
        repo.git("update-ref", "refs/heads/main", sha)
        other.attempt()
    go_back_without_git(world)
    go_back_in_git(other)
    assert values(world) == values(other)
    ours, theirs = world.store.rollback(), other.store.rollback()
    assert ours is not None
    assert theirs is not None
    assert (ours.target, ours.skipped, ours.changes) == (theirs.target, theirs.skipped, theirs.changes)
    applied, same = world.store.applied(), other.store.applied()
    assert applied is not None
    assert same is not None
    assert (applied.stamp, applied.digest, applied.height) == (same.stamp, same.digest, same.height)
    assert (applied.rebuilt, same.rebuilt) == (True, False)


def test_git_that_comes_back_puts_right_what_no_digest_covers(repo: GitRepo, world: World) -> None:
    """A file that was moved is where it was for the history, which records what changes."""
    commit(world, repo, "ann", 1.0, {"others.yaml": "---\n".join(map(configs.user, OTHERS))})
    repo.commit({"ann.yaml": None, "users.yaml": configs.user("ann", risk=1.0)})
    world.attempt()
    repo.commit({"users.yaml": configs.user("ann", risk=3.0)})
    world.attempt()
    go_back_without_git(world)
    with world.reconciler() as reconciler:
        assert recover_rollback(reconciler) is not None
        assert recover_rollback(reconciler) is None
        source = reconciler.claimant.source
        verifier = Verifier(source, reconciler.processor, source.repository, "main", world.store, None)
        assert verifier.compare_rows() == ()
    assert held(world.attempt())
    repo.commit({"users.yaml": None})
    assert not held(world.attempt()), "ann is gone with the file that she is in"
    assert risks(world)["ann"] == (3.0, "INACTIVE")


def test_ended_before_git_comes_back(repo: GitRepo, world: World) -> None:
    went_wrong(world, repo)
    go_back_without_git(world)
    world.store.end_rollback("a test", "ines")
    assert not held(world.attempt())
    fresh = World(repo.path)
    fresh.attempt()
    assert world.rows() == fresh.rows()


def test_rules_of_both_sides_judge_it(repo: GitRepo, world: World) -> None:
    went_wrong(world, repo)
    commit(world, repo, "ann", 1.5, {"policies/at-most.sql": AT_MOST.format(most=2)})
    before = risks(world)
    with pytest.raises(RefusedError, match="ann risks 3") as refused:
        go_back_without_git(world)
    assert "reconciler halt --all" in refused.value.hint
    assert risks(world) == before
    assert world.store.rollback() is None


def test_a_skipped_rule_is_held_once_git_is_back(repo: GitRepo, world: World) -> None:
    for most in (3, 9):
        repo.commit({"policies/at-most.sql": AT_MOST.format(most=most), "ann.yaml": configs.user("ann")})
        world.attempt()
    go_back_without_git(world)
    assert held(commit(world, repo, "ann", 2.0)) == ["policies/at-most.sql is still as the rollback skipped it"]


def test_targets_are_those_that_were_live(repo: GitRepo, world: World) -> None:
    went_wrong(world, repo)
    first, bad = repo.git("rev-parse", "HEAD~1").strip(), repo.git("rev-parse", "HEAD").strip()
    for revision, said in (
        ("main", "is no sha of the history"),
        ("HEAD~1", "is no sha of the history"),
        ("0" * 40, "is no sha of the history"),
        (bad, "is live already"),
    ):
        with pytest.raises(UsageError, match=said):
            go_back_without_git(world, revision)
    go_back_without_git(world, first[:9])
    with pytest.raises(UsageError, match="is later than"):
        go_back_without_git(world, bad)
    with pytest.raises(UsageError, match="nothing was live here before"):
        go_back_without_git(world)


class Altered:
    """A ledger of which one answer is another."""

    def __init__(self, ledger: object, **answers: object) -> None:
        self._ledger, self._answers = ledger, answers

    def __getattr__(self, name: str) -> object:
        return self._answers.get(name) or getattr(self._ledger, name)


def test_what_cannot_be_proved_is_no_target(repo: GitRepo, world: World) -> None:
    went_wrong(world, repo)
    before, held_here = values(world), memory(world)
    ledger = world.ledger
    rows_at, version = ledger.rows_at, ledger.version

    def missing(kind: object, point: object, name: object = None) -> object:
        return rows_at(kind, point, name)[1:]

    def altered(kind: object, point: object, name: object = None) -> object:
        rows = rows_at(kind, point, name)
        return tuple(
            replace(row, values={**row.values, STATUS_FIELD: "INACTIVE"}) if STATUS_FIELD in row.values else row
            for row in rows
        )

    def told_otherwise(sha: str) -> object:
        found = version(sha)
        return found and replace(found, digest="1" * 64)

    for answers, said in (
        ({"rows_at": missing}, "another digest than the history has"),
        ({"rows_at": altered}, "another digest than the history has"),
        ({"version": told_otherwise}, "another digest than the history has"),
        ({"version": lambda sha: None, "branches": lambda sha="": ()}, "does not have it as a valid commit"),
    ):
        one = replace(held_here, open_ledger=lambda answers=answers: nullcontext(Altered(ledger, **answers)))
        with pytest.raises(NeedsHuman, match=said):
            go_back(world.store, one.past(), RollbackRequest(None, "a test", "ines"), CLOCK)
    with pytest.raises(NeedsHuman, match="keeps no history"):
        go_back(world.store, replace(held_here, open_ledger=None).past(), RollbackRequest(None, "x", "y"), CLOCK)
    assert values(world) == before
    assert world.store.rollback() is None


def test_rules_that_the_store_does_not_keep(repo: GitRepo) -> None:
    """As of commits that an older version applied."""
    store = open_temporary(CLOCK)
    world = World(repo.path, store=store)
    went_wrong(world, repo)
    store._connection.execute("DELETE FROM gitops.rules")
    with pytest.raises(NeedsHuman, match="does not keep its policies and schemas"):
        go_back_without_git(world)


PRUNE = "apiVersion: reconciler/v1\nkind: Repository\nspec: {{prune: {{mode: {mode}, max_percent: 100}}}}\n"
NAMES = "abcdefgh"
DEEDS = st.one_of(
    st.tuples(st.just("risks"), st.sampled_from(NAMES), st.sampled_from([0.1, 0.2, 0.3])),
    st.tuples(st.just("goes"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("moves"), st.sampled_from(NAMES), st.sampled_from(["x", "y"])),
    st.tuples(st.just("prunes"), st.just(""), st.sampled_from(["deactivate", "delete", "off"])),
)


def files_after(files: dict[str, str], deeds: list[tuple[str, str, object]]) -> dict[str, str]:
    found = dict(files)
    for deed, name, value in deeds:
        place = next((path for path in found if path.rpartition("/")[2] == f"{name}.yaml"), f"{name}.yaml")
        if deed == "risks":
            found[place] = configs.user(name, risk=float(str(value)))
        elif deed == "goes":
            found.pop(place, None)
        elif deed == "moves" and place in found:
            found[f"{value}/{name}.yaml"] = found.pop(place)
        elif deed == "prunes":
            found["reconciler.yaml"] = PRUNE.format(mode=value)
    return found


@settings(max_examples=examples(24, quick=3))
@given(st.lists(st.lists(DEEDS, min_size=1, max_size=3), min_size=1, max_size=4), st.data())
def test_whatever_happened_it_is_what_git_would_have_made(
    commits: list[list[tuple[str, str, object]]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        repo = GitRepo.create(Path(folder))
        ours = World(repo.path, store=open_temporary(CLOCK))
        theirs = World(repo.path, store=MemoryStore(CLOCK))
        files: dict[str, str] = {f"{name}.yaml": configs.user(name) for name in NAMES}
        for deeds in ([("prunes", "", "deactivate")], *commits):
            after = files_after(files, deeds)
            repo.commit(
                {path: after.get(path) for path in {*files, *after} if files.get(path) != after.get(path)} or after
            )
            files = after
            for world in (ours, theirs):
                world.attempt()
        live = [one.commit for one in ours.store.newest_intervals(100)]
        to = data.draw(st.sampled_from([None, *live]))
        outcomes = [outcome_of(lambda: go_back_without_git(ours, to)), outcome_of(lambda: go_back_in_git(theirs, to))]
        assert outcomes[0] == outcomes[1]
        assert values(ours) == values(theirs)
        found, expected = ours.store.rollback(), theirs.store.rollback()
        assert (found and found.changes) == (expected and expected.changes)
        with ours.reconciler() as reconciler:
            recover_rollback(reconciler)
        assert ours.rows() == theirs.rows()


def outcome_of(deed: Callable[[], SyncResult]) -> str:
    try:
        deed()
    except ReconcilerError as error:
        return f"{type(error).__name__}: {error}"
    return "it went back"
