"""Links and submodules are told where files below them would count, by whichever way a commit is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git.repository import open_repository
from reconciler.model.commit import EntryType
from reconciler.model.spec import RepositorySpec
from reconciler.reconcile.check import WatchedTree, check_tree
from reconciler.reconcile.policytests import read_policies
from reconciler.reconcile.rules import Layout, Role
from reconciler.reconcile.walk import CommitProcessor
from tests.support import configs
from tests.support.gitrepo import GitRepo, submodule, symlink
from tests.support.world import FAULTS, SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

LINK = symlink("users")
NAMED = (
    {"lnk": LINK, "mod": submodule("1" * 40), "deep/x.yaml": LINK},
    {"lnk": "a text now", "mod": submodule("2" * 40), "deep/x.yaml": None},
    {"lnk": LINK, "mod": None, "deep": LINK},
    {"reconciler.yaml": "apiVersion: reconciler/v1\nkind: Repository\nspec: {exclude: [lnk]}\n"},
    {"deep": None, "policies": LINK, "schemas/w.schema.json": LINK, ".hidden": LINK},
    {"reconciler.yaml": None, "policies": None, "schemas/w.schema.json": None},
)


def test_a_walk_says_of_each_commit_what_its_tree_says(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "repo")
    repo.commit({"users/ann.yaml": configs.user("ann")})
    shas = [repo.commit(files) for files in NAMED]
    told = []
    with open_repository(repo.path) as source:
        processor = CommitProcessor(source, "", SHIPPED, FAULTS)
        state = processor.empty_state()
        for sha in (repo.git("rev-parse", "main~6"), *shas):
            stamp = source.commit(sha).stamp
            state, outcome = processor.process(state, stamp)
            _, alone = CommitProcessor(source, "", SHIPPED, FAULTS).process(processor.empty_state(), stamp)
            assert outcome.problems == alone.problems
            told.append([(problem.path, problem.is_error) for problem in outcome.problems])
    assert told == [
        [],
        [("deep/x.yaml", False), ("lnk", False), ("mod", False)],
        [("mod", False)],
        [("deep", False), ("lnk", False)],
        [("deep", False)],
        [("schemas/w.schema.json", True)],  # of policies admission tells
        [("lnk", False)],
    ]


@pytest.mark.parametrize(
    ("path", "spec", "role"),
    [
        ("desks", RepositorySpec(), Role.RESOURCES),
        ("README.md", RepositorySpec(), Role.RESOURCES),
        (".github", RepositorySpec(), None),
        ("vendor", RepositorySpec(exclude=("vendor/",)), None),
        ("users/fx", RepositorySpec(include=("users/**/*.yml",)), Role.RESOURCES),
        ("desks", RepositorySpec(include=("users/",)), None),
        ("rules", RepositorySpec(include=("users/",), policies="rules/live"), Role.POLICY),
        ("rules", RepositorySpec(schemas="rules", exclude=("rules",)), Role.SCHEMA),
        ("policies", RepositorySpec(), Role.POLICY),
        ("schemas", RepositorySpec(), Role.SCHEMA),
        ("policies/tests/own", RepositorySpec(), None),
        ("users/ann.yaml", RepositorySpec(), Role.RESOURCES),
        ("reconciler.yaml", RepositorySpec(), Role.SETTINGS),
    ],
)
def test_a_link_has_the_role_of_what_could_be_below_it(path: str, spec: RepositorySpec, role: Role | None) -> None:
    assert Layout("", spec).role(path, EntryType.SYMLINK) is role
    assert Layout("live", spec).role(f"live/{path}", EntryType.SUBMODULE) is role
    assert Layout("live", spec).role(path, EntryType.SUBMODULE) is None


def test_an_unmerged_file_leaves_references_open() -> None:
    files = {"users/ann.yaml": EntryType.UNMERGED, "s.yaml": configs.signal("s", users=["ann"]).encode()}
    checked = check_tree(files, Layout(), SHIPPED, FAULTS)
    assert [(problem.path, problem.code, problem.is_error) for problem in checked.problems] == [
        ("users/ann.yaml", "unmerged", True)
    ]


@pytest.mark.parametrize("path", ["policies", "policies/leverage.sql", "schemas", "schemas/w.schema.json"])
@pytest.mark.parametrize("kind", [EntryType.SYMLINK, EntryType.SUBMODULE])
def test_what_stands_in_place_of_a_rule_is_an_error(path: str, kind: EntryType) -> None:
    (problem,) = check_tree({path: kind}, Layout(), SHIPPED, FAULTS).problems
    assert (problem.path, problem.code, problem.is_error) == (path, "not-a-file", True)
    watched = WatchedTree(lambda paths: {}, lambda wanted, folder: [(path, kind)], "", SHIPPED, FAULTS)
    assert watched.check().problems == (problem,)
    assert watched.update([path]).problems == ()


def test_policies_are_not_tested_without_their_folder() -> None:
    found = read_policies({"policies": EntryType.SYMLINK, "desks": EntryType.SYMLINK}, Layout())
    assert [(problem.path, problem.code, problem.is_error) for problem in found.problems] == [
        ("policies", "not-a-file", True)
    ]


def test_what_git_commits_as_a_submodule_is_named_for_what_it_may_be() -> None:
    (problem,) = check_tree({"desks": EntryType.SUBMODULE}, Layout(), SHIPPED, FAULTS).problems
    assert problem.message.startswith("this is a submodule or another git repository, which is not followed")
