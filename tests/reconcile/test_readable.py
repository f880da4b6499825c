"""A plan of a commit in which files cannot be read: what can be told is told, and what cannot is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.change import Op
from reconciler.report.formats import PLAN_FORMATS
from tests.reconcile.test_laws import scratch
from tests.reconcile.test_narrowing import SCHEMA, schema, venue
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.laws import examples
from tests.support.world import SHIPPED, World

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.plan import Plan

NAMES = [f"u{number:02}" for number in range(25)]
PATHS = [f"users/{name}.yaml" for name in NAMES]
TYPO = configs.user("u03", risk=0.7).replace("max_open_trades", "max_open_trade")
LIMITS = "apiVersion: reconciler/v1\nkind: Repository\nspec: {prune: {max_percent: 100}}\n"
USERS: dict[str, str | None] = dict(zip(PATHS, map(configs.user, NAMES), strict=True))


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    repo = GitRepo.create(tmp_path)
    repo.commit({**USERS, "reconciler.yaml": LIMITS})
    return repo


def both(repo: GitRepo, files: dict[str, str | None]) -> tuple[Plan, Plan]:
    """The plans from git alone and from the live rows, which say the same."""
    world = World(repo.path)
    world.attempt()
    repo.commit(files)
    between, ahead = world.between("HEAD~1", "HEAD"), world.ahead("HEAD")
    assert (between.changes, between.unchanged, between.partial) == (ahead.changes, ahead.unchanged, ahead.partial)
    assert between.refused
    assert ahead.refused
    assert not world.attempt().plan.changes
    return between, ahead


def told(plan: Plan) -> dict[str, Op]:
    return {change.resource.name: change.op for change in plan.changes}


def test_two_typos_among_25_files_hide_nothing_else(repo: GitRepo) -> None:
    files: dict[str, str | None] = {path: configs.user(name, risk=0.6) for path, name in zip(PATHS, NAMES, strict=True)}
    plan, _ = both(repo, {**files, PATHS[3]: TYPO, PATHS[7]: configs.BROKEN})
    assert told(plan) == dict.fromkeys([name for name in NAMES if name not in ("u03", "u07")], Op.UPDATE)
    assert (plan.partial, plan.files, plan.unchanged) == ((PATHS[3], PATHS[7]), 25, 0)
    note = "partial: 2 of 25 files cannot be read"
    for form, render in PLAN_FORMATS.items():
        text = render(plan, SHIPPED.kinds)
        assert note in text, form
        assert all(path in text for path in plan.partial), form
    assert PLAN_FORMATS["text"](plan, SHIPPED.kinds).endswith("0 to create, 23 to update, 0 to delete.")
    answer = json.loads(PLAN_FORMATS["json"](plan, SHIPPED.kinds))
    assert (answer["partial"], answer["summary"]["partial"]) == (list(plan.partial), note)


def test_a_plan_of_readable_files_is_not_partial(repo: GitRepo) -> None:
    repo.commit({PATHS[0]: None})
    plan = World(repo.path).between("HEAD~1", "HEAD")
    answer = json.loads(PLAN_FORMATS["json"](plan, SHIPPED.kinds))
    assert answer["partial"] == []
    assert set(answer["summary"]) == {"create", "update", "delete", "unchanged"}


def test_guards_and_policies_judge_what_can_be_read(repo: GitRepo) -> None:
    policy = (
        "-- At most 2 %\nSELECT name || ' risks too much' AS message, 'User' AS kind, name "
        "FROM desired.user_config WHERE risk_per_trade_percent > 2\n"
    )
    count = "-- All are there\nSELECT 'some are gone' AS message FROM desired.user_config HAVING count(*) <> 25\n"
    tight = LIMITS.replace("max_percent: 100", "max_count: 1")
    repo.commit({"policies/risk.sql": policy, "policies/count.sql": count, "reconciler.yaml": tight})
    files = {PATHS[1]: configs.user("u01", risk=7.0), PATHS[3]: configs.BROKEN, PATHS[4]: None, PATHS[5]: None}
    plan, _ = both(repo, files)
    assert told(plan) == {"u01": Op.UPDATE, "u04": Op.DELETE, "u05": Op.DELETE}
    codes = {problem.code for problem in plan.problems}
    assert codes == {"policy/risk", "guard/prune-limit", "yaml-syntax"}


UNREAD = {
    "syntax": configs.BROKEN,
    "field": TYPO,
    "name": configs.user("").replace("name: ''", "nam: x"),
    "kind": configs.user("u03").replace("kind: User", "kind: Usr"),
    "tag": "a: !!python/object:x {}\n",
    "control": "a: \x00\n",
}


@pytest.mark.parametrize("text", UNREAD.values(), ids=UNREAD)
def test_what_an_unread_file_declared_is_neither_changed_nor_deleted(repo: GitRepo, text: str) -> None:
    plan, _ = both(repo, {PATHS[3]: text, PATHS[0]: configs.user("u00", risk=0.6)})
    assert told(plan) == {"u00": Op.UPDATE}
    assert (plan.partial, plan.unchanged) == ((PATHS[3],), 23)


@pytest.mark.parametrize("text", UNREAD.values(), ids=UNREAD)
def test_what_may_have_moved_into_an_unread_file_is_not_deleted(repo: GitRepo, text: str) -> None:
    """The file that cannot be read is new, and holds the name: so nobody knows. What it does not name is gone."""
    moved = f"{text}# u09 is here now\n"
    plan, _ = both(repo, {PATHS[9]: None, PATHS[8]: None, "new.yaml": moved, PATHS[0]: configs.user("u00", risk=0.6)})
    hidden = {} if "\x00" in text else {"u08": Op.DELETE}
    assert told(plan) == {**hidden, "u00": Op.UPDATE}


def test_an_id_or_an_escape_may_hide_what_moved(repo: GitRepo) -> None:
    given_id = "0b9d6d6e-5f0c-4b43-8f5e-0d9a5f5f0001"
    repo.commit({PATHS[9]: configs.user("u09", user_id=given_id)})
    renamed = configs.user("other", user_id=given_id.upper()).replace("max_open_trades", "trades")
    plan, _ = both(repo, {PATHS[9]: None, "new.yaml": renamed})
    assert told(plan) == {}
    plan, _ = both(repo, {PATHS[9]: None, "new.yaml": TYPO.replace("u03", '"\\u0075\\u0030"')})
    assert told(plan) == {}


def test_what_moves_out_of_an_unread_file_is_told(repo: GitRepo) -> None:
    plan, _ = both(repo, {PATHS[3]: configs.BROKEN, "new.yaml": configs.user("u03", risk=0.9)})
    assert told(plan) == {"u03": Op.UPDATE}


def test_files_that_declare_the_same_are_left_out(repo: GitRepo) -> None:
    twice = {"copy.yaml": configs.user("u05", risk=0.9), PATHS[0]: configs.user("u00", risk=0.6)}
    plan, _ = both(repo, twice)
    assert told(plan) == {"u00": Op.UPDATE}
    assert plan.partial == ("copy.yaml", PATHS[5])


def test_a_reference_into_nothing_is_told_and_the_rest_planned(repo: GitRepo) -> None:
    plan, _ = both(repo, {"s.yaml": configs.signal("s", users=["nobody"]), PATHS[0]: configs.user("u00", risk=0.6)})
    assert told(plan) == {"s": Op.CREATE, "u00": Op.UPDATE}
    assert (plan.partial, {problem.code for problem in plan.problems}) == ((), {"dangling-reference"})
    plan, _ = both(repo, {"u.yaml": configs.BROKEN, PATHS[0]: configs.user("u00", risk=0.7)})
    assert told(plan) == {"s": Op.CREATE, "u00": Op.UPDATE}
    assert {problem.code for problem in plan.problems} == {"yaml-syntax"}


def test_bad_settings_leave_those_before_in_force(repo: GitRepo) -> None:
    plan, _ = both(repo, {"reconciler.yaml": "kind: [\n", PATHS[0]: configs.user("u00", risk=0.6)})
    assert told(plan) == {"u00": Op.UPDATE}
    assert (plan.partial, plan.files) == (("reconciler.yaml",), 26)


BAD_SCHEMAS = {
    "broken": "{",
    "misspelt": schema().replace('"maximum"', '"maximun"', 1),
    "gone": None,
    "replaced": schema().replace("venue_config", "venues"),
}


@pytest.mark.parametrize("text", BAD_SCHEMAS.values(), ids=BAD_SCHEMAS)
def test_a_bad_schema_deletes_nothing(repo: GitRepo, text: str | None) -> None:
    repo.commit({SCHEMA: schema(), "a.yaml": venue("ann"), "b.yaml": venue("bob")})
    files = {SCHEMA: text, "a.yaml": venue("ann", latency=6.0), PATHS[0]: configs.user("u00", risk=0.6)}
    plan, _ = both(repo, files)
    readable = {"ann": Op.UPDATE} if text in (BAD_SCHEMAS["broken"], BAD_SCHEMAS["misspelt"]) else {}
    assert told(plan) == {"u00": Op.UPDATE, **readable}
    assert plan.partial == (("a.yaml", "b.yaml") if text is None else (SCHEMA,))


def test_a_bad_new_schema_leaves_its_documents_out(repo: GitRepo) -> None:
    plan, _ = both(repo, {SCHEMA: "{", "a.yaml": venue("ann"), PATHS[0]: configs.user("u00", risk=0.6)})
    assert told(plan) == {"u00": Op.UPDATE}
    assert plan.partial == ("a.yaml", SCHEMA)


def test_an_invalid_head_is_planned_together_with_what_was_valid_before_it(repo: GitRepo) -> None:
    world = World(repo.path)
    world.attempt()
    repo.commit({PATHS[0]: configs.user("u00", risk=0.6), PATHS[3]: configs.user("u03", risk=0.6)})
    repo.commit({PATHS[1]: configs.user("u01", risk=0.6), PATHS[3]: configs.BROKEN})
    plan = world.ahead("HEAD")
    assert told(plan) == dict.fromkeys(("u00", "u01", "u03"), Op.UPDATE)
    assert (plan.partial, plan.unchanged) == ((PATHS[3],), 22)


def test_a_first_commit_is_planned_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path)
    repo.commit({**USERS, PATHS[3]: configs.BROKEN})
    plan = World(tmp_path).ahead("HEAD")
    assert set(told(plan).values()) == {Op.CREATE}
    assert (len(plan.changes), plan.partial) == (24, (PATHS[3],))


def test_a_rewritten_history_deletes_nothing_that_it_may_hold(repo: GitRepo) -> None:
    world = World(repo.path)
    world.attempt()
    files = {**USERS, PATHS[3]: configs.BROKEN, PATHS[4]: None, PATHS[0]: configs.user("u00", risk=0.6)}
    repo.commit({**files, "reconciler.yaml": LIMITS}, parents=[], branch="other")
    repo.git("update-ref", "refs/heads/main", "other")
    assert told(world.ahead("main")) == {"u00": Op.UPDATE, "u04": Op.DELETE}


@pytest.mark.slow
def test_a_large_tree_is_planned_in_the_same_way(tmp_path: Path) -> None:
    """Of more than a thousand files only those are read that the change affects."""
    repo = GitRepo.create(tmp_path)
    names = [f"v{number:04}" for number in range(1_100)]
    repo.commit({f"{name}.yaml": configs.user(name) for name in names})
    repo.commit({"v0001.yaml": configs.user("v0001", risk=0.6), "v0002.yaml": configs.BROKEN, "v0003.yaml": None})
    plan = World(tmp_path).between("HEAD~1", "HEAD")
    assert told(plan) == {"v0001": Op.UPDATE, "v0003": Op.DELETE}
    assert (plan.partial, plan.files, plan.unchanged) == (("v0002.yaml",), 1_099, 1_097)
    repo.git("reset", "-q", "--soft", "HEAD~1")
    repo.commit({"v0001.yaml": configs.user("v0001", risk=0.6), "v0002.yaml": configs.BROKEN})
    plan = World(tmp_path).between("HEAD~1", "HEAD")
    assert (told(plan), plan.partial, plan.unchanged) == ({"v0001": Op.UPDATE}, ("v0002.yaml",), 1_098)


edits = st.dictionaries(
    st.sampled_from(NAMES[:5]), st.sampled_from(["change", "break", "typo", "delete", "move"]), min_size=1
)


@settings(max_examples=examples(12))
@given(edits)
def test_a_partial_plan_is_that_of_the_commit_without_the_changes_of_unread_files(changes: dict[str, str]) -> None:
    """What a plan says of readable files is what it says when the others are as they were."""
    made = {
        "change": lambda name: {f"{name}.yaml": configs.user(name, risk=0.9)},
        "delete": lambda name: {f"{name}.yaml": None},
        "move": lambda name: {f"{name}.yaml": None, f"moved/{name}.yaml": configs.user(name, risk=0.8)},
        "break": lambda name: {f"{name}.yaml": configs.BROKEN},
        "typo": lambda name: {f"{name}.yaml": configs.user(name, nonsense=1)},
    }
    bad = {name for name, change in changes.items() if change in ("break", "typo")}
    with scratch() as folder:
        repo = GitRepo.create(folder)
        base = repo.commit({f"{name}.yaml": configs.user(name) for name in NAMES} | {"reconciler.yaml": LIMITS})
        good = {path: text for name in changes if name not in bad for path, text in made[changes[name]](name).items()}
        clean = repo.commit(good)
        broken = repo.commit({path: text for name in bad for path, text in made[changes[name]](name).items()})
        world = World(folder)
        partial, whole = world.between(base, broken), world.between(base, clean)
        assert partial.changes == whole.changes
        assert partial.partial == tuple(sorted(f"{name}.yaml" for name in bad))
        assert partial.unchanged == whole.unchanged - len(bad)
        assert world.ahead(clean).changes == World(folder).ahead(clean).changes
