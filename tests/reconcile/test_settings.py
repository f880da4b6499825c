"""`reconciler.yaml`: which files count, as it changes along a history, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.reconcile.check import check_tree, read_layout
from tests.reconcile.test_laws import PATHS, build, contents, scratch, tree_of
from tests.reconcile.test_laws import Edit as LawEdit
from tests.support import configs
from tests.support.gitrepo import GitRepo, symlink
from tests.support.laws import examples
from tests.support.world import FAULTS, SHIPPED, World

if TYPE_CHECKING:
    from pathlib import Path

FILE = "reconciler.yaml"


def written(spec: str) -> str:
    return f"apiVersion: reconciler/v1\nkind: Repository\nspec: {spec}\n"


SPECS = (
    "{}",
    "{exclude: [d/]}",
    "{include: ['/a.yaml', d/]}",
    "{include: ['*.yaml'], exclude: [b.yaml]}",
    "{policies: d}",
)
documents = st.dictionaries(st.sampled_from(PATHS), contents, max_size=3)
edits = st.builds(
    lambda files, spec, aside: LawEdit({**files, **({FILE: spec} if spec != "" else {})}, aside),
    documents,
    st.sampled_from(["", "", None, *map(written, SPECS)]),
    st.booleans(),
)


@settings(max_examples=examples(10))
@given(st.lists(edits, min_size=1, max_size=6))
def test_walking_equals_reading_the_last_tree_at_once(history: list[LawEdit]) -> None:
    with scratch() as folder:
        repo, mainline = build(folder, history)
        awake = World(folder, branch="host", rows_per_lookup=0)
        for commit in mainline:
            repo.git("update-ref", "refs/heads/host", commit)
            awake.sync()
            tree = tree_of(repo, commit)
            layout, known = read_layout(tree.get(FILE), "", SHIPPED)
            checked = check_tree(tree, layout, SHIPPED, FAULTS, known)
            version = awake.ledger.version(commit)
            assert version is not None
            assert version.problems == checked.problems
            if not any(problem.is_error for problem in checked.problems):
                declared = {one.row_id: one for entry in checked.entries.values() for one in entry.resources}
                rows = awake.rows().items()
                assert {row_id: row.resource for row_id, row in rows if row.removed is None} == declared
        anew = World(folder)
        anew.sync()
        assert anew.rows() == awake.rows()


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.create(tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "code", "pointer"),
    [
        ("", 1, "missing-field", ""),
        ("- a list\n", 1, "wrong-type", ""),
        (written("{prune: {mode: remove}}"), 3, "not-allowed", "/spec/prune/mode"),
        (written("{prune: {max_percent: 101}}"), 3, "out-of-range", "/spec/prune/max_percent"),
        (written("{prune: {max_count: 1.5}}"), 3, "wrong-type", "/spec/prune/max_count"),
        (written("{prune: {max_percentage: 5}}"), 3, "unknown-field", "/spec/prune/max_percentage"),
        (written("{schemas: ../elsewhere}"), 3, "bad-format", "/spec/schemas"),
        (written("{exclude: drafts/}"), 3, "wrong-type", "/spec/exclude"),
        (written("{include: []}"), 3, "bad-format", "/spec/include"),
        (written("{}").replace("Repository", "User"), 2, "not-allowed", "/kind"),
        (written("{}") + "---\n" + written("{}"), 1, "missing-field", ""),
        (written("{"), 4, "yaml-syntax", ""),
    ],
)
def test_what_is_wrong_with_it_makes_the_commit_invalid(
    repo: GitRepo, text: str, line: int, code: str, pointer: str
) -> None:
    repo.commit({"a.yaml": configs.user("ann")})
    world = World(repo.path)
    world.sync()
    repo.commit({FILE: text, "b.yaml": configs.user("bob")})
    (problem,) = world.attempt().plan.problems
    assert (problem.path, problem.line, problem.code, problem.pointer) == (FILE, line, code, pointer)
    assert [row.resource.name for row in world.rows().values()] == ["ann"]
    layout, known = read_layout(text.encode(), "", SHIPPED)
    assert known == (problem,)
    assert layout.spec.schemas == "schemas"


def test_off_may_be_written_without_quotes() -> None:
    layout, known = read_layout(written("{prune: {mode: off}}").encode(), "", SHIPPED)
    assert known == ()
    assert str(layout.spec.prune.mode) == "off"


def test_a_link_in_its_place_is_no_way_to_the_defaults(repo: GitRepo) -> None:
    repo.commit({"a.yaml": configs.user("ann"), FILE: written("{prune: {max_count: 0}}")})
    world = World(repo.path)
    world.sync()
    repo.commit({FILE: symlink("a.yaml")})
    (problem,) = world.attempt().plan.problems
    assert (problem.path, problem.code, problem.is_error) == (FILE, "not-a-file", True)


def test_schemas_and_policies_move_with_their_folders(repo: GitRepo) -> None:
    policy = "-- Nobody\nSELECT 'nobody' AS message, 'User' AS kind, name FROM desired.user_config\n"
    repo.commit({"a.yaml": configs.user("ann"), "rules/nobody.sql": policy})
    world = World(repo.path)
    assert not world.attempt().plan.problems
    repo.commit({FILE: written("{policies: rules}")})
    (problem,) = world.attempt().plan.problems
    assert (problem.code, problem.path, problem.line) == ("policy/nobody", "a.yaml", 1)


def test_a_broken_settings_file_keeps_the_layout_before(repo: GitRepo) -> None:
    repo.commit(
        {"a.yaml": configs.user("ann"), "drafts/b.yaml": "no: configuration", FILE: written("{exclude: [drafts/]}")}
    )
    world = World(repo.path)
    assert not world.attempt().plan.problems
    repo.commit({FILE: written("{exclude: 1}")})
    assert {problem.path for problem in world.attempt().plan.problems} == {FILE}
    repo.commit({FILE: written("{exclude: [drafts/, more/]}")})
    assert not world.attempt().plan.problems
