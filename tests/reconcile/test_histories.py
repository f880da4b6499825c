"""Histories that are not a straight line, and kinds that change along the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.bundled import find_example_repository
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.model.change import Op
from reconciler.model.commit import Status
from reconciler.reconcile import read, sync
from reconciler.reconcile.check import check_tree
from reconciler.reconcile.rules import Layout
from tests.support import configs
from tests.support.cases import some
from tests.support.gitrepo import GitRepo
from tests.support.world import FAULTS, SHIPPED, World

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.rows import VersionRow

BROKER_SCHEMA = "schemas/broker.schema.json"
BROKER = "brokers/ostrin-prime.yaml"


@pytest.fixture(params=some(["looked up", "loaded"], 1), autouse=True)
def state_before(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to the state that the store holds."""
    if request.param == "looked up":
        monkeypatch.setattr(sync, "ROWS_PER_LOOKUP", 0)


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.create(tmp_path)


def names(world: World) -> dict[str, Any]:
    return {name: values["risk_per_trade_percent"] for name, values in world.live()["User"]}


def version(world: World, sha: str) -> VersionRow:
    recorded = world.ledger.version(sha)
    assert recorded is not None
    return recorded


def same_as_anew(world: World) -> bool:
    anew = World(world.repository, world.branch)
    anew.sync()
    return (world.rows(), world.live(), world.ledger.recorded_commits()) == (
        anew.rows(),
        anew.live(),
        anew.ledger.recorded_commits(),
    )


def test_a_rewritten_history_replaces_rows_and_orphans_commits(repo: GitRepo) -> None:
    first = repo.commit({"a.yaml": configs.user("ann"), "b.yaml": configs.user("bob")})
    dropped = repo.commit({"c.yaml": configs.user("cai"), "b.yaml": configs.user("bob", risk=2.0)})
    world = World(repo.path)
    world.sync()
    repo.git("update-ref", "refs/heads/main", first)
    kept = repo.commit({"a.yaml": configs.user("ann", risk=1.0)})
    result = world.sync()
    assert names(world) == {"ann": 1.0, "bob": 0.5}
    assert {(change.op, change.resource.name) for change in result.plan.changes} == {
        (Op.DELETE, "cai"),
        (Op.UPDATE, "ann"),
        (Op.UPDATE, "bob"),
    }
    assert set(world.ledger.recorded_commits()) == {first, kept}
    assert version(world, dropped).orphaned
    repo.git("reset", "-q", "--soft", dropped)
    world.sync()
    assert not version(world, dropped).orphaned
    assert version(world, kept).orphaned


def test_a_branch_that_goes_back_takes_the_rows_back(repo: GitRepo) -> None:
    first = repo.commit({"a.yaml": configs.user("ann")})
    repo.commit({"a.yaml": configs.user("ann", risk=1.0), "b.yaml": configs.user("bob")})
    world = World(repo.path)
    world.sync()
    repo.git("update-ref", "refs/heads/main", first)
    world.sync()
    assert names(world) == {"ann": 0.5}
    assert same_as_anew(world)


def test_a_merge_the_other_way_round_makes_another_mainline(repo: GitRepo) -> None:
    root = repo.commit({"a.yaml": configs.user("ann")})
    ours = repo.commit({"a.yaml": configs.user("ann", risk=1.0)})
    world = World(repo.path)
    world.sync()
    theirs = repo.commit({"b.yaml": configs.user("bob")}, branch="theirs", parents=[root])
    merge = repo.commit({"a.yaml": configs.user("ann", risk=1.0)}, branch="theirs", parents=[theirs, ours])
    repo.git("update-ref", "refs/heads/main", merge)
    world.sync()
    assert world.ledger.recorded_commits() == {root: True, ours: False, theirs: True, merge: True}
    assert same_as_anew(world)


def test_a_side_branch_from_before_the_applied_commit_is_recorded_as_it_was(repo: GitRepo) -> None:
    repo.commit({"a.yaml": configs.user("ann"), "b.yaml": configs.user("bob")})
    broken = repo.commit({"b.yaml": configs.BROKEN})
    repo.commit({"b.yaml": configs.user("bob", risk=1.0), "c.yaml": configs.user("cai")})
    world = World(repo.path)
    world.sync()
    side = repo.commit({"b.yaml": configs.user("bob", risk=2.0)}, branch="side", parents=[broken])
    repo.commit({"d.yaml": configs.user("dan")})
    repo.commit({"b.yaml": configs.user("bob", risk=2.0)}, parents=[repo.git("rev-parse", "main"), side])
    world.sync()
    recorded = version(world, side)
    assert (recorded.status, recorded.height, recorded.mainline) == (Status.VALID, 3, False)
    assert (recorded.creates, recorded.updates, recorded.deletes) == (0, 1, 0)
    assert same_as_anew(world)


def test_a_history_without_a_common_root_can_be_merged(repo: GitRepo) -> None:
    repo.commit({"a.yaml": configs.user("ann")})
    world = World(repo.path)
    world.sync()
    other = repo.commit({"b.yaml": configs.user("bob")}, branch="other", parents=[])
    repo.commit({"b.yaml": configs.user("bob")}, parents=[repo.git("rev-parse", "main"), other])
    world.sync()
    assert (version(world, other).height, version(world, other).creates) == (1, 1)
    assert same_as_anew(world)


def test_what_leaves_and_returns_keeps_its_birthday(repo: GitRepo) -> None:
    repo.commit({"a.yaml": configs.user("ann"), "s.yaml": configs.system("lab")})
    world = World(repo.path)
    world.sync()
    born = dict(world.live()["User"])["ann"]["created_at"]
    repo.commit({"a.yaml": None, "s.yaml": None})
    world.sync()
    assert dict(world.live()["User"])["ann"]["status"] == "INACTIVE"
    assert world.live()["System"] == []
    repo.commit({"elsewhere/a.yaml": configs.user("ann")})
    world.sync()
    back = dict(world.live()["User"])["ann"]
    assert (back["status"], back["created_at"]) == ("ACTIVE", born)
    assert back["updated_at"] > born


def test_moving_a_file_changes_no_row(repo: GitRepo) -> None:
    repo.commit({"a.yaml": configs.user("ann")})
    world = World(repo.path)
    world.sync()
    before = world.live()
    repo.commit({"a.yaml": None, "b/c.yaml": "# moved\n\n" + configs.user("ann")})
    result = world.sync()
    assert result.plan.changes == ()
    assert world.live() == before
    (row,) = world.rows().values()
    assert (row.resource.path, row.resource.line) == ("b/c.yaml", 3)


def example(repo: GitRepo) -> dict[str, str]:
    folder = find_example_repository()
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def with_field(schema: str, name: str, definition: dict[str, Any], sql: str) -> str:
    changed = json.loads(schema)
    changed["properties"]["spec"]["properties"][name] = definition
    changed["x-reconciler"]["columns"][name] = sql
    return json.dumps(changed, indent=2)


def test_a_schema_that_gains_a_field_migrates_by_itself(repo: GitRepo) -> None:
    files = example(repo)
    repo.commit(files)
    world = World(repo.path)
    world.sync()
    note = {"type": "string", "description": "A note.", "maxLength": 40}
    repo.commit({BROKER_SCHEMA: with_field(files[BROKER_SCHEMA], "note", note, "VARCHAR(40)")})
    assert world.sync().plan.changes == ()
    assert dict(world.live()["Broker"])["ostrin-prime"]["note"] is None
    repo.commit({BROKER: files[BROKER].rstrip() + "\n  note: raw spreads\n"})
    world.sync()
    assert dict(world.live()["Broker"])["ostrin-prime"]["note"] == "raw spreads"
    assert same_as_anew(world)


@pytest.mark.slow
def test_a_schema_may_narrow_as_rows_allow_and_goes_with_its_resources_only(repo: GitRepo) -> None:
    files = example(repo)
    repo.commit(files)
    world = World(repo.path)
    world.sync()
    repo.commit({BROKER_SCHEMA: files[BROKER_SCHEMA].replace('"table": "broker_config"', '"table": "brokers"')})
    result = world.sync()
    assert [(one.code, one.path) for one in result.plan.problems] == [("schema-replaced", BROKER_SCHEMA)]
    assert result.plan.problems[0].hint
    repo.commit({BROKER_SCHEMA: None})
    assert {problem.code for problem in world.sync().plan.problems} == {"unknown-kind"}
    narrowed = json.loads(files[BROKER_SCHEMA])
    for part in (narrowed["properties"]["spec"]["properties"], narrowed["x-reconciler"]["columns"]):
        part.pop("limit_orders")
    spec = narrowed["properties"]["spec"]
    spec["required"] = [name for name in spec["required"] if name != "limit_orders"]
    narrowed["x-reconciler"].get("units", {}).pop("limit_orders", None)
    brokers = {
        path: "\n".join(line for line in text.splitlines() if "limit_orders" not in line) + "\n"
        for path, text in files.items()
        if path.startswith("brokers/")
    }
    repo.commit({BROKER_SCHEMA: json.dumps(narrowed, indent=2), **brokers})
    assert not any(problem.code.startswith("schema-") for problem in world.sync().plan.problems)
    repo.commit({BROKER_SCHEMA: None, **dict.fromkeys(brokers)})
    codes = {problem.code for problem in world.sync().plan.problems if problem.is_error}
    assert "dangling-reference" in codes
    assert not any(code.startswith("schema-") for code in codes)
    repo.commit({path: files[path] for path in (BROKER_SCHEMA, *brokers)})
    assert not any(problem.is_error for problem in world.sync().plan.problems)
    assert same_as_anew(world)


def test_a_bad_schema_is_the_only_problem_until_it_is_mended(repo: GitRepo) -> None:
    files = example(repo)
    repo.commit(files)
    world = World(repo.path)
    world.sync()
    repo.commit({BROKER_SCHEMA: files[BROKER_SCHEMA].replace('"maximum"', '"maximun"', 1)})
    first = world.sync().plan.problems
    assert {(one.code, one.path) for one in first} == {("bad-schema", BROKER_SCHEMA)}
    repo.commit({"a.yaml": configs.user("ann")})
    assert world.sync().plan.problems == first
    repo.commit({BROKER_SCHEMA: files[BROKER_SCHEMA]})
    assert not any(problem.is_error for problem in world.sync().plan.problems)
    assert same_as_anew(world)


def test_another_release_with_other_kinds_makes_the_rows_anew(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit({"a.yaml": configs.user("ann")})
    world = World(repo.path)
    world.sync()
    before = world.rows()
    stored = {name: {**schema, "title": "an older release"} for name, schema in world.store.kinds().items()}
    monkeypatch.setattr(world.store, "kinds", lambda: stored)
    result = world.sync()
    monkeypatch.undo()
    assert result.plan.changes == ()
    assert world.rows() == before
    assert all("an older release" not in json.dumps(dict(schema)) for schema in world.store.kinds().values())


def test_an_interrupted_recording_resumes_and_records_nothing_twice(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    shas = [repo.commit({"a.yaml": configs.user("ann", risk=1 + number / 10)}) for number in range(6)]
    world = World(repo.path)
    monkeypatch.setattr("reconciler.reconcile.record.BATCH_WEIGHT", 4)
    record, calls = world.ledger.record, []

    def fail_later(versions: Any) -> None:
        calls.append([one.commit.sha for one in versions])
        if len(calls) == 2:
            raise RetryLater("the server went away")
        record(versions)

    monkeypatch.setattr(world.ledger, "record", fail_later)
    result = world.sync()
    assert result.history is not None
    assert isinstance(result.history.error, RetryLater)
    assert list(world.ledger.recorded_commits()) == shas[:2]
    assert names(world) == {"ann": 1.5}
    repo.commit({"a.yaml": configs.user("ann")})
    world.sync()
    assert [sha for call in calls[2:] for sha in call] == [*shas[2:], repo.git("rev-parse", "main")]
    assert same_as_anew(world)


def test_a_bug_in_the_ledger_is_not_taken_for_an_outage(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit({"a.yaml": configs.user("ann")})
    world = World(repo.path)

    def fail(versions: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(world.ledger, "record", fail)
    with pytest.raises(ZeroDivisionError):
        world.sync()
    assert names(world) == {"ann": 0.5}


def test_a_store_is_not_taken_over_by_another_repository(tmp_path: Path) -> None:
    ours, theirs = GitRepo.create(tmp_path / "ours"), GitRepo.create(tmp_path / "theirs")
    for repo, risk in ((ours, 1), (theirs, 2)):
        repo.commit({"a.yaml": configs.user("ann", risk=risk)})
    world = World(ours.path)
    world.sync()
    with pytest.raises(NeedsHuman):
        World(theirs.path, store=world.store).sync()


def test_many_files_are_read_on_all_cores_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{number}.yaml": configs.user(f"u{number}", risk=number % 3).encode() for number in range(700)}
    alone = check_tree(dict(files), Layout(), SHIPPED, FAULTS)
    monkeypatch.setattr(read, "PARALLEL_FROM", 100)
    together = check_tree(dict(files), Layout(), SHIPPED, FAULTS)
    assert together.problems == alone.problems
    assert len(alone.problems) == 234
    assert together.entries == alone.entries
