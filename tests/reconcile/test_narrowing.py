"""A schema may narrow as far as rows allow: what was widened can be taken back, and no refusal outlasts its cause."""

from __future__ import annotations

import copy
import json
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.duckdb.store import open_store
from reconciler.adapters.git.repository import open_repository
from reconciler.reconcile.outbox import PendingVersion
from reconciler.reconcile.sync import CommitApproval
from reconciler.reconcile.walk import CommitProcessor, WalkStart, walk_history
from tests.support import configs
from tests.support.cases import some
from tests.support.gitrepo import GitRepo
from tests.support.laws import examples
from tests.support.world import CLOCK, FAULTS, SHIPPED, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.plan import Plan

    Edit = Callable[[dict[str, Any], dict[str, Any], dict[str, str]], Any]

pytestmark = pytest.mark.slow  # whole hosts; `make test` has the parts

SCHEMA = "schemas/venue.schema.json"
SETTINGS = "apiVersion: reconciler/v1\nkind: Repository\nspec: {prune: {max_percent: 100}}\n"
NARROWED = "schema-narrowed"


def venue_schema() -> dict[str, Any]:
    """A kind of venues: what is deleted stays as INACTIVE."""
    fields: dict[str, Any] = {
        "venue_id": {"description": "Its id.", "type": "string", "format": "uuid"},
        "latency": {"description": "In ms.", "type": "number", "minimum": 0, "maximum": 100},
        "orders": {"description": "At most.", "type": "integer", "minimum": 1, "maximum": 50},
        "city": {"description": "Where.", "type": "string", "enum": ["LONDON", "TOKYO"]},
        "note": {"description": "Any.", "type": "string", "maxLength": 10},
        "status": {"description": "As ever.", "type": "string", "enum": ["ACTIVE", "INACTIVE"]},
    }
    columns = {
        "venue_id": "UUID",
        "latency": "FLOAT",
        "orders": "INTEGER",
        "city": "VARCHAR(20)",
        "note": "VARCHAR(10)",
        "status": "VARCHAR(20)",
    }
    name = {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9][a-z0-9.-]*$"}
    metadata = {"type": "object", "additionalProperties": False, "required": ["name"], "properties": {"name": name}}
    spec = {
        "type": "object",
        "additionalProperties": False,
        "required": ["latency", "city", "status"],
        "properties": fields,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "A venue.",
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": "reconciler/v1"},
            "kind": {"const": "Venue"},
            "metadata": metadata,
            "spec": spec,
        },
        "x-reconciler": {
            "table": "venue_config",
            "key": "venue_id",
            "columns": columns,
            "indexes": [["venue_id", "status"]],
            "references": {},
        },
    }


def schema(*edits: Edit) -> str:
    edited = copy.deepcopy(venue_schema())
    for edit in edits:
        edit(edited, edited["properties"]["spec"], edited["x-reconciler"]["columns"])
    return json.dumps(edited, indent=1)


def venue(name: str, **spec: Any) -> str:
    return configs.document("Venue", name, {"latency": 5.0, "city": "LONDON", "status": "ACTIVE", **spec})


def field(name: str, sql: str | None = None, **keywords: Any) -> Edit:
    def edit(_: dict[str, Any], spec: dict[str, Any], columns: dict[str, str]) -> None:
        spec["properties"].setdefault(name, {"description": "New."}).update(keywords)
        if sql:
            columns[name] = sql

    return edit


def require(name: str) -> Edit:
    return lambda _, spec, __: spec["required"].append(name)


def drop(name: str) -> Edit:
    def edit(_: dict[str, Any], spec: dict[str, Any], columns: dict[str, str]) -> None:
        del spec["properties"][name], columns[name]

    return edit


def note(**members: Any) -> Edit:
    return lambda whole, _, __: whole["x-reconciler"].update(members)


def rekey(whole: dict[str, Any], spec: dict[str, Any], columns: dict[str, str]) -> None:
    spec["properties"]["code_id"], columns["code_id"] = spec["properties"]["venue_id"], "UUID"
    whole["x-reconciler"]["key"] = "code_id"


DESK = field("desk", "VARCHAR(9)", type="string", maxLength=9)

# What a schema gained, and what a venue may say only under it
WIDER: dict[str, tuple[Edit, dict[str, Any]]] = {
    "column": (DESK, {"desk": "FX"}),
    "maximum": (field("latency", maximum=500), {"latency": 400.0}),
    "minimum": (field("orders", minimum=0), {"orders": 0}),
    "no-limit": (lambda _, spec, __: spec["properties"]["latency"].pop("maximum"), {"latency": 1e6}),
    "word": (field("city", enum=["LONDON", "TOKYO", "PARIS"]), {"city": "PARIS"}),
    "length": (field("note", "VARCHAR(40)", maxLength=40), {"note": "eleven long"}),
    "optional": (lambda _, spec, __: spec["required"].remove("city"), {"city": None}),
    "type": (field("orders", "FLOAT", type="number"), {"orders": 2.5}),
}


def said(values: dict[str, Any]) -> str:
    spec = {"latency": 5.0, "city": "LONDON", "status": "ACTIVE", **values}
    return configs.document("Venue", "odd", {name: value for name, value in spec.items() if value is not None})


@contextmanager
def hosts() -> Iterator[tuple[GitRepo, World]]:
    with tempfile.TemporaryDirectory() as folder:
        repo = GitRepo.create(Path(folder) / "repo")
        repo.commit({"reconciler.yaml": SETTINGS, SCHEMA: schema(), "a.yaml": venue("ann"), "b.yaml": venue("bob")})
        with open_store(Path(folder) / "state", CLOCK) as store:
            world = World(repo.path, store=store)
            world.attempt()
            yield repo, world


def errors(plan: Plan) -> list[str]:
    return [problem.code for problem in plan.problems if problem.is_error]


def equals_anew(world: World) -> bool:
    """Whether a host that starts from nothing holds the same rows, and the same verdicts."""
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder), CLOCK) as store:
        anew = World(world.repository, store=store)
        anew.attempt()
        verdicts = [[(one.commit.sha, one.status) for one in each.ledger.versions(limit=99)] for each in (world, anew)]
        return (
            anew.rows() == world.rows()
            and anew.live() == world.live()
            and verdicts[0] == verdicts[1]
            and anew.store.applied().digest == world.store.applied().digest  # type: ignore[union-attr]
        )


@pytest.mark.parametrize("change", some({name: name for name in WIDER}, 1))
def test_what_nobody_used_is_taken_back(change: str) -> None:
    wider, _ = WIDER[change]
    with hosts() as (repo, world):
        repo.commit({SCHEMA: schema(wider), "b.yaml": None})
        world.attempt()
        revert = repo.commit({SCHEMA: schema()})
        assert errors(world.between("HEAD~1", "HEAD")) == errors(world.ahead("HEAD")) == []
        assert errors(world.attempt().plan) == []
        assert world.store.applied().stamp.commit == revert  # type: ignore[union-attr]
        assert equals_anew(world)


@pytest.mark.parametrize("change", some({name: name for name in WIDER}, 1))
def test_what_was_used_is_taken_back_with_its_use(change: str) -> None:
    wider, values = WIDER[change]
    with hosts() as (repo, world):
        repo.commit({SCHEMA: schema(wider), "a.yaml": said(values)})
        world.attempt()
        repo.commit({SCHEMA: schema(), "a.yaml": said({})})
        assert errors(world.between("HEAD~1", "HEAD")) == errors(world.ahead("HEAD")) == []
        assert errors(world.attempt().plan) == []
        assert equals_anew(world)


@pytest.mark.parametrize("change", some({name: name for name in WIDER}, 1))
def test_what_is_used_refuses_the_commit_and_no_later_one(change: str) -> None:
    wider, values = WIDER[change]
    with hosts() as (repo, world):
        repo.commit({SCHEMA: schema(wider), "a.yaml": said(values)})
        world.attempt()
        before = world.live()
        repo.commit({SCHEMA: schema()})
        plan = world.attempt().plan
        assert errors(plan)
        assert {problem.path for problem in plan.problems} == {"a.yaml"}
        assert world.live() == before
        good = repo.commit({"b.yaml": venue("bob", latency=1.0), SCHEMA: schema(wider)})
        assert errors(world.attempt().plan) == []
        assert world.store.applied().stamp.commit == good  # type: ignore[union-attr]
        assert equals_anew(world)


@pytest.mark.parametrize("change", some({name: name for name in WIDER}, 1))
def test_the_row_of_what_left_git_has_to_fit(change: str) -> None:
    """It is refused until somebody undoes it, or approves that the row (or its value) goes; the tombstone stays."""
    wider, values = WIDER[change]
    with hosts() as (repo, world):
        repo.commit({SCHEMA: schema(wider), "odd.yaml": said(values)})
        world.attempt()
        repo.commit({"odd.yaml": None})
        world.attempt()
        before = world.live()
        narrowed = repo.commit({SCHEMA: schema()})
        for plan in (world.between("HEAD~1", "HEAD"), world.ahead("HEAD"), world.attempt().plan):
            assert errors(plan) == [NARROWED]
            (problem,) = plan.problems
            assert problem.path == SCHEMA
            assert "odd" in problem.message
            assert "--approve" in problem.hint
        assert world.live() == before
        good = repo.commit({SCHEMA: schema(wider), "b.yaml": venue("bob", latency=1.0)})
        assert errors(world.attempt().plan) == []
        assert equals_anew(world)
        narrowed = repo.commit({SCHEMA: schema()})
        assert errors(world.attempt().plan) == [NARROWED]
        assert world.store.applied().stamp.commit == good  # type: ignore[union-attr]
        result = world.attempt(CommitApproval(narrowed, "maren"))
        assert errors(result.plan) == []
        assert [(problem.code, problem.hint) for problem in result.plan.problems] == [(NARROWED, "approved by maren")]
        live = dict(world.live()["Venue"])
        assert ("odd" in live) == (change == "column")
        assert "desk" not in live["ann"]
        assert equals_anew(world)
        repo.commit({SCHEMA: schema(wider)})
        world.attempt()
        assert dict(world.live()["Venue"])["odd"] == dict(before["Venue"])["odd"]
        assert equals_anew(world)


@pytest.mark.parametrize("change", some({name: name for name in WIDER}, 1))
def test_the_message_of_a_commit_approves_its_schemas(change: str) -> None:
    """Neither those of an earlier commit nor those of a later one."""
    wider, values = WIDER[change]
    approved = "Narrow again\n\nReconciler-Approve: schema\n"
    with hosts() as (repo, world):
        repo.commit({SCHEMA: schema(wider), "odd.yaml": said(values)}, approved)
        world.attempt()
        repo.commit({"odd.yaml": None}, approved)
        world.attempt()
        repo.commit({SCHEMA: schema()})
        assert errors(world.attempt().plan) == [NARROWED]
        repo.commit({SCHEMA: schema(wider)})
        assert errors(world.attempt().plan) == []
        repo.commit({SCHEMA: schema()}, approved)
        for plan in (world.between("HEAD~1", "HEAD"), world.ahead("HEAD"), world.attempt().plan):
            assert errors(plan) == []
            assert [problem.code for problem in plan.problems] == [NARROWED]
            assert "the message of" in plan.problems[0].hint
        assert equals_anew(world)


def test_a_resource_that_leaves_with_what_it_used(tmp_path: Path) -> None:
    with hosts() as (repo, world):
        repo.commit({SCHEMA: schema(WIDER["maximum"][0]), "odd.yaml": said({"latency": 400.0})})
        world.attempt()
        repo.commit({SCHEMA: schema(), "odd.yaml": None})
        assert errors(world.between("HEAD~1", "HEAD")) == [NARROWED]
        assert errors(world.attempt().plan) == [NARROWED]


def test_what_was_deleted_leaves_no_row_that_has_to_fit() -> None:
    with hosts() as (repo, world):
        hard = SETTINGS.replace("{max_percent", "{mode: delete, max_percent")
        repo.commit({SCHEMA: schema(DESK), "odd.yaml": said({"desk": "FX"}), "reconciler.yaml": hard})
        world.attempt()
        repo.commit({"odd.yaml": None})
        world.attempt()
        repo.commit({SCHEMA: schema()})
        assert errors(world.attempt().plan) == []
        assert equals_anew(world)


UNUSED: dict[str, Edit] = {
    "table": note(table="venues"),
    "key": rekey,
    "type": field("orders", "VARCHAR(5)", type="string", maxLength=5, minimum=None, maximum=None),
    "required": require("note"),
    "required-column": lambda *parts: [DESK(*parts), require("desk")(*parts)],
    "enum": field("note", enum=["A"]),
    "no-status": lambda *parts: [
        drop("status")(*parts),
        parts[1]["required"].remove("status"),
        note(indexes=[])(*parts),
    ],
}
EMPTY = {"a.yaml": None, "b.yaml": None}


def cleaned(edit: Edit) -> str:
    text = json.loads(schema(edit))
    for one in text["properties"]["spec"]["properties"].values():
        for keyword in [keyword for keyword, value in one.items() if value is None]:
            del one[keyword]
    return json.dumps(text)


@pytest.mark.parametrize("change", some({name: name for name in UNUSED}, 1))
def test_a_kind_without_rows_may_change_in_any_way(change: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        repo = GitRepo.create(Path(folder) / "repo")
        repo.commit({"reconciler.yaml": SETTINGS, SCHEMA: schema(), "u.yaml": configs.user("ann")})
        with open_store(Path(folder) / "state", CLOCK) as store:
            world = World(repo.path, store=store)
            world.attempt()
            for text in (cleaned(UNUSED[change]), schema()):
                repo.commit({SCHEMA: text})
                assert errors(world.between("HEAD~1", "HEAD")) == errors(world.attempt().plan) == []
                assert equals_anew(world)


@pytest.mark.parametrize(("change", "pointer"), [("table", "/x-reconciler/table"), ("key", "/x-reconciler/key")])
def test_a_kind_in_use_keeps_its_table_and_key(change: str, pointer: str) -> None:
    with hosts() as (repo, world):
        repo.commit({SCHEMA: cleaned(UNUSED[change])})
        for plan in (world.between("HEAD~1", "HEAD"), world.attempt().plan):
            assert [(problem.code, problem.pointer) for problem in plan.problems] == [("schema-replaced", pointer)]
        repo.commit({"b.yaml": venue("bob", latency=1.0), SCHEMA: schema()})
        assert errors(world.attempt().plan) == []
        assert equals_anew(world)


def test_a_kind_without_resources_may_go_and_come_back() -> None:
    with hosts() as (repo, world):
        repo.commit(EMPTY)
        world.attempt()
        before = world.live()
        repo.commit({SCHEMA: None})
        plan = world.between("HEAD~1", "HEAD")
        assert errors(plan) == []
        assert [(one.code, one.path) for one in plan.problems] == [(NARROWED, SCHEMA)]
        assert errors(world.attempt().plan) == []
        assert "Venue" not in world.live()
        assert equals_anew(world)
        repo.commit({SCHEMA: schema()})
        assert errors(world.attempt().plan) == []
        assert world.live() == before
        assert equals_anew(world)


def test_a_kind_may_go_with_its_resources() -> None:
    """The revert of the commit that brought both: each host records what went, also one that starts from nothing."""
    with hosts() as (repo, world):
        repo.commit({SCHEMA: None, **EMPTY})
        assert errors(world.between("HEAD~1", "HEAD")) == errors(world.attempt().plan) == []
        assert "Venue" not in world.live()
        assert equals_anew(world)
        with open_repository(repo.path) as source:
            processor, head = CommitProcessor(source, "", SHIPPED, FAULTS), repo.git("rev-parse", "main").strip()
            start = WalkStart(None, processor.empty_state())
            *_, last = walk_history(source, processor, start, head, source.parents(head))
        assert {row.change.resource.kind for row in last.version.rows} == {"Venue"}
        assert "Venue" in PendingVersion.from_commit(last).kinds.by_name


def test_a_kind_that_comes_back_narrower_leaves_out_what_does_not_fit() -> None:
    with hosts() as (repo, world):
        repo.commit({SCHEMA: None, **EMPTY})
        world.attempt()
        repo.commit({SCHEMA: schema(field("latency", maximum=4))})
        assert errors(world.attempt().plan) == []
        assert world.live()["Venue"] == []
        assert equals_anew(world)


def test_an_earlier_policy_reads_the_tables_that_it_was_written_for() -> None:
    policy = "-- No desk is called X\nSELECT 'no' AS message FROM desired.venue_config WHERE desk = 'X'\n"
    with hosts() as (repo, world):
        repo.commit({SCHEMA: schema(DESK), "policies/desk.sql": policy})
        world.attempt()
        repo.commit({SCHEMA: schema(), "policies/desk.sql": None})
        assert errors(world.between("HEAD~1", "HEAD")) == errors(world.attempt().plan) == []
        repo.commit({SCHEMA: schema(DESK), "policies/desk.sql": policy})
        world.attempt()
        repo.commit({SCHEMA: None, "policies/desk.sql": None, **EMPTY})
        assert errors(world.attempt().plan) == []


TYPES: dict[str, tuple[Edit, Any]] = {
    "text": (field("orders", "VARCHAR(9)", type="string", maxLength=9, minimum=None, maximum=None), "many"),
    "flag": (field("orders", "BOOLEAN", type="boolean", minimum=None, maximum=None), True),
    "object": (field("orders", "JSON", type="object", minimum=None, maximum=None), {"a": [1]}),
    "fraction": (field("orders", "FLOAT", type="number"), 2.5),
}


@pytest.mark.parametrize("change", some({name: name for name in TYPES}, 1))
def test_policies_read_rows_of_another_type(change: str) -> None:
    """A type may change with all that is written in it; policies of both sides see NULL for what is of the other."""
    edit, value = TYPES[change]
    policy = "-- Rows of both sides\nSELECT 'too few' AS message FROM main.venue_config m, desired.venue_config d {}\n"
    with hosts() as (repo, world):
        repo.commit({"policies/both.sql": policy.format("HAVING count(*) < 1"), "b.yaml": venue("bob", orders=3)})
        assert errors(world.attempt().plan) == []
        for text, orders, condition in (
            (cleaned(edit), value, "HAVING count(*) BETWEEN 1 AND 3"),
            (schema(), 7, "HAVING false"),
        ):
            files = {SCHEMA: text, "a.yaml": venue("ann", orders=orders), "b.yaml": venue("bob", orders=orders)}
            repo.commit({**files, "policies/both.sql": policy.format(condition)})
            assert errors(world.between("HEAD~1", "HEAD")) == errors(world.attempt().plan) == []
            assert dict(world.live()["Venue"])["bob"]["orders"] == orders
            assert equals_anew(world)


def test_a_shallow_clone_says_that_it_cannot_know(tmp_path: Path) -> None:
    with hosts() as (repo, _):
        repo.commit({SCHEMA: schema(DESK)})
        repo.commit({SCHEMA: schema()})
        repo.git("clone", "-q", "--depth", "2", f"file://{repo.path}", str(tmp_path / "shallow"))
        plan = World(tmp_path / "shallow").between("HEAD~1", "HEAD")
        assert errors(plan) == []
        assert [(one.code, one.path) for one in plan.problems] == [(NARROWED, SCHEMA)]


@dataclass(frozen=True)
class Step:
    """A commit: the schema with some of `WIDER` (None: no schema), and what `odd` says."""

    wider: frozenset[str] | None
    odd: str | None

    def files(self) -> dict[str, str | None]:
        if self.wider is None:
            return {SCHEMA: None, "a.yaml": None, "b.yaml": None, "odd.yaml": None}
        said_by_odd = None if self.odd is None else said(WIDER[self.odd][1] if self.odd else {})
        edits = (WIDER[name][0] for name in sorted(self.wider))
        return {SCHEMA: schema(*edits), "odd.yaml": said_by_odd, "a.yaml": venue("ann")}


steps = st.builds(
    Step,
    st.none() | st.frozensets(st.sampled_from(list(WIDER)), max_size=3),
    st.none() | st.just("") | st.sampled_from(list(WIDER)),
)


@settings(max_examples=examples(12))
@given(st.lists(st.tuples(steps, st.booleans()), min_size=1, max_size=6))
def test_whatever_widens_and_narrows_the_next_good_commit_is_live(history: list[tuple[Step, bool]]) -> None:
    """And a host that starts from nothing agrees with one that saw each commit, once that one refuses nothing."""
    with hosts() as (repo, world):
        for step, approves in history:
            sha = repo.commit(step.files())
            plan = world.attempt().plan
            if approves and errors(plan) and set(errors(plan)) == {NARROWED}:
                assert errors(world.attempt(CommitApproval(sha, "a test")).plan) == []
                assert equals_anew(world)
        good = repo.commit({SCHEMA: schema(*(edit for edit, _ in WIDER.values())), "odd.yaml": None, "b.yaml": None})
        assert errors(world.attempt().plan) == []
        assert world.store.applied().stamp.commit == good  # type: ignore[union-attr]
        assert equals_anew(world)
