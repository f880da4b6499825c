"""No commit switches on what people halted: whichever way it would, it is held until a release or a revert."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from reconciler.adapters.duckdb.store import open_temporary
from reconciler.errors import RefusedError
from reconciler.kinds.build import stored_kinds
from reconciler.model.halt import Halt, Halts, HaltSelector
from reconciler.model.rollback import RollbackRequest
from reconciler.model.selection import Condition
from reconciler.reconcile.goback import roll_back
from reconciler.report.formats import PLAN_FORMATS
from reconciler.report.plans import render_plan
from tests.support.gitrepo import GitRepo
from tests.support.kinds import START
from tests.support.memory.store import MemoryStore
from tests.support.world import CLOCK, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.plan import Plan

    Files = dict[str, str | None]
    Edit = Callable[[], Files]

SCHEMA, OTHER_SCHEMA = "schemas/venue.schema.json", "schemas/place.schema.json"
FX, ALL = HaltSelector(labels=(Condition("desk", ("fx",)),)), HaltSelector()
NAMED, KIND = HaltSelector("Venue", ("london",)), HaltSelector("Venue")
EVERY = (ALL, KIND, NAMED, FX)


def settings(mode: str = "deactivate") -> str:
    prune = {"mode": mode, "max_percent": 100}
    return yaml.safe_dump({"apiVersion": "reconciler/v1", "kind": "Repository", "spec": {"prune": prune}})


def schema(kind: str = "Venue", *, halt: dict[str, Any] | None = None, **more: Any) -> str:
    """A kind whose rows a halt sets INACTIVE, with no orders."""
    fields: dict[str, Any] = {
        "venue_id": {"description": "Its id.", "type": "string", "format": "uuid"},
        "orders": {"description": "At most.", "type": "integer", "minimum": 0, "maximum": 50},
        "status": {"description": "As ever.", "type": "string", "enum": ["ACTIVE", "INACTIVE", "PAUSED"]},
    }
    remark = {
        "table": "venue_config",
        "key": "venue_id",
        "columns": {"venue_id": "UUID", "orders": "INTEGER", "status": "VARCHAR(20)"},
        "indexes": [["venue_id", "status"]],
        "references": {},
        **({"halt": {"status": "INACTIVE", "orders": 0} if halt is None else halt} if halt != {} else {}),
        **more,
    }
    name = {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9][a-z0-9.-]*$"}
    labels = {"type": "object", "additionalProperties": {"type": "string"}}
    closed = {"type": "object", "additionalProperties": False}
    metadata = {**closed, "required": ["name"], "properties": {"name": name, "labels": labels}}
    spec = {**closed, "required": ["orders", "status"], "properties": fields}
    return json.dumps(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "description": "A venue.",
            **closed,
            "required": ["apiVersion", "kind", "metadata", "spec"],
            "properties": {
                "apiVersion": {"const": "reconciler/v1"},
                "kind": {"const": kind},
                "metadata": metadata,
                "spec": spec,
            },
            "x-reconciler": remark,
        },
        indent=2,
    )


def venue(name: str, *, desk: str = "fx", kind: str = "Venue", **spec: Any) -> str:
    values = {"orders": 9, "status": "ACTIVE", **spec}
    metadata = {"name": name, "labels": {"desk": desk}}
    whole = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": metadata, "spec": values}
    return yaml.safe_dump(whole, sort_keys=False)


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.create(tmp_path)


@pytest.fixture(params=["looked up", *(pytest.param(one, marks=pytest.mark.slow) for one in ("memory", "duckdb"))])
def world(repo: GitRepo, request: pytest.FixtureRequest) -> World:
    """A host with london and tokyo live."""
    store = MemoryStore(CLOCK) if request.param == "memory" else open_temporary(CLOCK)
    world = World(repo.path, store=store, rows_per_lookup=0 if request.param == "looked up" else None)
    repo.commit({"reconciler.yaml": settings(), SCHEMA: schema(), "london.yaml": venue("london")})
    repo.commit({"tokyo.yaml": venue("tokyo", desk="jp")})
    assert world.attempt().plan.problems == ()
    return world


def halt(world: World, *selectors: HaltSelector) -> None:
    halts = world.store.halts()
    for selector in selectors:
        halts = halts.add(Halt(f"{halts.number:08}", selector, "the feed is wrong", "maren", START))
    world.store.obey(stored_kinds(world.store.kinds()), halts)


def release(world: World) -> None:
    halts = world.store.halts()
    world.store.obey(stored_kinds(world.store.kinds()), halts.release(ALL, "well", "maren", START))


def live(world: World) -> dict[str, tuple[str, int]]:
    kinds = stored_kinds(world.store.kinds())
    rows = [row for kind in kinds if kind.table == "venue_config" for row in world.store.live(kind)]
    return {str(row.name): (row.values["status"], row.values["orders"]) for row in rows}


def codes(plan: Plan) -> list[str]:
    return [problem.code for problem in plan.problems]


OFF = ("INACTIVE", 0)
SWITCHING: dict[str, tuple[tuple[HaltSelector, ...], Files]] = {
    "no halt any more": (EVERY, {SCHEMA: schema(halt={})}),
    "half of a halt": (EVERY, {SCHEMA: schema(halt={"status": "INACTIVE"})}),
    "the other half": (EVERY, {SCHEMA: schema(halt={"orders": 0})}),
    "another value": (EVERY, {SCHEMA: schema(halt={"status": "PAUSED", "orders": 0})}),
    "another kind in its table": (
        (KIND, NAMED),
        {SCHEMA: schema("Place"), "london.yaml": venue("london", kind="Place"), "tokyo.yaml": None},
    ),
    "another kind in its table, without a halt": (
        EVERY,
        {SCHEMA: schema("Place", halt={}), "london.yaml": venue("london", kind="Place"), "tokyo.yaml": None},
    ),
    "another label": ((FX,), {"london.yaml": venue("london", desk="metals")}),
    "another name and id": ((NAMED,), {"reconciler.yaml": settings("delete"), "london.yaml": venue("paris")}),
    "its row deleted": (EVERY, {"reconciler.yaml": settings("delete"), "london.yaml": None}),
    "a label that goes with a field that changes": ((FX,), {"london.yaml": venue("london", desk="metals", orders=7)}),
}
KEEPING: dict[str, tuple[tuple[HaltSelector, ...], Files]] = {
    "more of a halt": (EVERY, {SCHEMA: schema(halt={"status": "INACTIVE", "orders": 0}, importance=["status"])}),
    "another field": (EVERY, {"london.yaml": venue("london", orders=8)}),
    "a row that leaves git and stays": (EVERY, {"london.yaml": None}),
    "another label, while its name is halted": ((FX, NAMED), {"london.yaml": venue("london", desk="metals")}),
    "another label and off in git": (
        (FX,),
        {"london.yaml": venue("london", desk="metals", status="INACTIVE", orders=0)},
    ),
    "another label of what is not halted": ((FX,), {"tokyo.yaml": venue("tokyo", desk="metals")}),
    "a deleted row that is not halted": ((NAMED,), {"reconciler.yaml": settings("delete"), "tokyo.yaml": None}),
    "the kind gone, and its table": (EVERY, {SCHEMA: None, "london.yaml": None, "tokyo.yaml": None}),
    "another kind in its table, which is halted too": (
        (ALL, FX),
        {SCHEMA: schema("Place"), "london.yaml": venue("london", kind="Place"), "tokyo.yaml": None},
    ),
    "a new kind that cannot be halted": (EVERY, {OTHER_SCHEMA: schema("Place", halt={}, table="place_config")}),
}


def cases(table: dict[str, tuple[tuple[HaltSelector, ...], Files]]) -> list[Any]:
    """One halt each, but where all of several stand together; all but one of each are left to `make slow`."""
    return [
        pytest.param(
            chosen,
            files,
            id=f"{name}: {' and '.join(map(str, chosen))}",
            marks=[pytest.mark.slow] if (number + position) % len(each) else [],
        )
        for number, (name, (selectors, files)) in enumerate(table.items())
        for each in [[selectors] if "while" in name else [(one,) for one in selectors]]
        for position, chosen in enumerate(each)
    ]


def commit(repo: GitRepo, files: Files) -> None:
    """A prune mode counts from the commit after it."""
    settled = {path: text for path, text in files.items() if path == "reconciler.yaml"}
    if settled:
        repo.commit(settled)
    repo.commit({path: text for path, text in files.items() if path not in settled})
    repo.checkout()


@pytest.mark.parametrize(("selectors", "files"), cases(SWITCHING))
def test_what_would_switch_on_a_halted_row_is_held(
    repo: GitRepo, world: World, selectors: tuple[HaltSelector, ...], files: Files
) -> None:
    halt(world, *selectors)
    assert live(world)["london"] == OFF
    before = live(world)
    commit(repo, files)
    for plan in (world.attempt().plan, world.attempt(rejudge=True).plan, world.ahead("HEAD")):
        assert "halted" in codes(plan)
        first = next(problem for problem in plan.problems if problem.code == "halted")
        assert "maren (the feed is wrong)" in first.message
        assert f"`reconciler release {selectors[0]} --reason …`" in first.hint
    assert live(world) == before
    attempt = world.store.last_attempt()
    assert attempt is not None
    assert attempt.refused
    bad = repo.git("rev-parse", "HEAD").strip()
    repo.git("revert", "--no-edit", bad)
    mended = repo.commit({"notes.txt": "mended"})
    result = world.attempt()
    assert (result.plan.problems, result.applied and result.applied.stamp.commit) == ((), mended)
    assert live(world) == before
    repo.checkout()
    repo.git("cherry-pick", bad)
    assert "halted" in codes(world.attempt().plan)
    release(world)
    assert "halted" not in codes(world.attempt().plan)


@pytest.mark.parametrize(("selectors", "files"), cases(KEEPING))
def test_what_keeps_halted_rows_off_goes_live(
    repo: GitRepo, world: World, selectors: tuple[HaltSelector, ...], files: Files
) -> None:
    halt(world, *selectors)
    commit(repo, files)
    assert "halted" not in codes(world.ahead("HEAD"))
    assert "halted" not in codes(world.attempt().plan)
    assert live(world).get("london", OFF)[0] == "INACTIVE"


def test_a_rollback_switches_nothing_on_either(repo: GitRepo, world: World) -> None:
    repo.commit({SCHEMA: schema(halt={})})
    world.attempt()
    repo.commit({SCHEMA: schema()})
    world.attempt()
    halt(world, KIND)
    with world.reconciler() as reconciler, pytest.raises(RefusedError, match="halted"):
        roll_back(reconciler, RollbackRequest(None, "a test", "ines"))
    assert set(live(world).values()) == {OFF}
    release(world)
    with world.reconciler() as reconciler:
        roll_back(reconciler, RollbackRequest(None, "a test", "ines"))


def test_a_host_with_nothing_live_switches_nothing_on(repo: GitRepo, world: World) -> None:
    other = World(repo.path)
    halt(other, ALL)
    assert codes(other.attempt().plan) == []
    assert set(live(other).values()) == {OFF}
    assert other.store.halts() != Halts()


def test_plans_and_syncs_say_which_changed_rows_stay_off(repo: GitRepo, world: World) -> None:
    halt(world, FX)
    halts = world.store.halts()
    before = repo.git("rev-parse", "HEAD").strip()
    files = {"london.yaml": venue("london", orders=5), "tokyo.yaml": venue("tokyo", desk="jp", orders=5)}
    repo.commit({**files, "paris.yaml": venue("paris"), "oslo.yaml": venue("oslo", status="INACTIVE", orders=0)})
    planned, kinds = world.ahead_with_kinds("HEAD")
    for plan in (planned, world.between(before, "HEAD", halts), world.attempt().plan):
        halted = {change.resource.name: dict(change.halted or {}) for change in plan.changes}
        off = {"status": "INACTIVE", "orders": 0}
        assert halted == {"london": off, "paris": off, "tokyo": {}, "oslo": {}}
    assert {change.halted for change in world.between(before, "HEAD").changes} == {None}
    text = render_plan(planned, kinds)
    assert "+ Venue paris  paris.yaml:1  (halted: comes INACTIVE, orders 0 until release)" in text
    assert "~ Venue london  london.yaml:1  (halted: stays INACTIVE, orders 0 until release)" in text
    assert "~ Venue tokyo  tokyo.yaml:1\n" in text
    told = json.loads(PLAN_FORMATS["json"](planned, kinds))
    said = {change["name"]: change.get("halted") for change in told["changes"]}
    assert said == {"london": off, "paris": off, "tokyo": None, "oslo": None}
    for form in ("markdown", "github"):
        assert "2 of these are halted on this host, and stay off" in PLAN_FORMATS[form](planned, kinds)
    assert "(halted: stays INACTIVE, orders 0 until release)" in PLAN_FORMATS["junit"](planned, kinds)


@pytest.mark.parametrize(
    ("selectors", "files"), [SWITCHING["no halt any more"], SWITCHING["another label"], SWITCHING["half of a halt"]]
)
def test_a_plan_beside_a_daemon_knows_what_its_halts_hold(
    repo: GitRepo, world: World, selectors: tuple[HaltSelector, ...], files: Files
) -> None:
    halt(world, *selectors)
    before = repo.git("rev-parse", "HEAD").strip()
    repo.commit(files)
    assert world.between(before, "HEAD", world.store.halts()).problems == world.ahead("HEAD").problems
    assert codes(world.between(before, "HEAD")) == []
