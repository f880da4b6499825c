"""The laws of reconciling, on histories made with real git."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.duckdb.store import open_store
from reconciler.kinds.kind import STATUS_FIELD
from reconciler.model.commit import EntryType, Status
from reconciler.reconcile.check import check_tree
from reconciler.reconcile.rules import Layout
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.history import state_at
from tests.support.laws import examples
from tests.support.world import CLOCK, FAULTS, SHIPPED, World

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("ann", "bob", "cai")
PATHS = ("a.yaml", "b.yaml", "c.yaml", "d/e.yaml")
ID = "0b9d6d6e-5f0c-4b43-8f5e-0d9a5f5f0001"


@dataclass(frozen=True)
class Edit:
    """A commit that changes some files; on a side branch that is merged later, or on the mainline."""

    files: dict[str, str | None]
    aside: bool


documents = st.one_of(
    st.builds(configs.user, st.sampled_from(NAMES), risk=st.sampled_from([0.5, 1.0])),
    st.builds(configs.user, st.sampled_from(NAMES), user_id=st.just(ID)),
    st.builds(configs.signal, st.sampled_from(NAMES), users=st.sampled_from([[], ["ann"]])),
    st.builds(configs.system, st.sampled_from(NAMES), level=st.sampled_from(["INFO", "DEBUG"])),
    st.just(configs.BROKEN),
)
contents = st.one_of(st.none(), documents, documents, st.tuples(documents, documents).map("---\n".join))
edits = st.builds(Edit, st.dictionaries(st.sampled_from(PATHS), contents, min_size=1, max_size=3), st.booleans())
histories = st.lists(edits, min_size=1, max_size=7)


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def build(folder: Path, history: list[Edit]) -> tuple[GitRepo, list[str]]:
    """The repository, and its mainline oldest first. Side edits leave from the mainline and come back by a merge."""
    repo = GitRepo.create(folder)
    with repo.bulk():
        mainline = [repo.commit({}, parents=[])]
        for number, edit in enumerate(history):
            if edit.aside:
                tip = repo.commit(edit.files, branch=f"side{number}", parents=[mainline[-1]])
                mainline.append(repo.commit({}, parents=[mainline[-1]]))
                mainline.append(repo.commit(edit.files, parents=[mainline[-1], tip]))
            else:
                mainline.append(repo.commit(edit.files))
    return repo, mainline


def tree_of(repo: GitRepo, commit: str) -> dict[str, bytes | EntryType]:
    """The files of a commit, as git has them."""
    entries = [line.split("\t") for line in repo.git("ls-tree", "-r", commit).splitlines()]
    wanted = "".join(f"{entry.split()[2]}\n" for entry, _ in entries)
    told = repo.git("cat-file", "--batch", stdin=wanted.encode()).encode() + b"\n"
    tree: dict[str, bytes | EntryType] = {}
    for _, path in entries:
        header, _, rest = told.partition(b"\n")
        size = int(header.split()[2])
        tree[path], told = rest[:size], rest[size + 1 :]
    return tree


@settings(max_examples=examples(12))
@given(histories)
def test_seeing_every_commit_equals_sleeping_for_a_week_equals_starting_anew(history: list[Edit]) -> None:
    with scratch() as folder:
        repo, mainline = build(folder, history)
        awake, asleep = World(folder, branch="host", rows_per_lookup=0), World(folder, branch="host")
        with awake.awake():
            for commit in mainline:
                repo.git("update-ref", "refs/heads/host", commit)
                awake.sync()
                if commit in mainline[::3]:
                    asleep.sync()
        asleep.sync()
        anew = World(folder, branch="host")
        anew.sync()
        assert awake.rows() == asleep.rows() == anew.rows()
        assert awake.live() == asleep.live() == anew.live()
        assert awake.ledger.recorded_commits() == asleep.ledger.recorded_commits() == anew.ledger.recorded_commits()


@settings(max_examples=examples(8))
@given(histories)
def test_the_running_database_is_the_one_rebuilt_from_nothing(history: list[Edit]) -> None:
    with scratch() as folder:
        repo, mainline = build(folder / "config", history)
        anew = World(folder / "config")
        anew.sync()
        for commit in mainline[::2]:
            repo.git("update-ref", "refs/heads/host", commit)
            with open_store(folder / "state", CLOCK) as store:
                World(folder / "config", branch="host", store=store, rows_per_lookup=0).sync()
        repo.git("update-ref", "refs/heads/host", mainline[-1])
        with open_store(folder / "state", CLOCK) as store:
            running = World(folder / "config", branch="host", store=store, rows_per_lookup=0)
            running.sync()
            assert running.rows() == anew.rows()
            assert running.live() == anew.live()


@settings(max_examples=examples(12))
@given(histories)
def test_every_commit_has_one_version_that_says_what_its_tree_is(history: list[Edit]) -> None:
    with scratch() as folder:
        repo, mainline = build(folder, history)
        world = World(folder)
        world.sync()
        versions = {version.commit.sha: version for version in world.ledger.versions(limit=1000)}
        assert set(versions) == set(repo.git("rev-list", "main").splitlines())
        for sha, version in versions.items():
            problems = check_tree(tree_of(repo, sha), Layout(), SHIPPED, FAULTS).problems
            assert version.problems == problems
            assert (version.status == Status.VALID) == (not any(problem.is_error for problem in problems))
            assert version.mainline == (sha in mainline)


@settings(max_examples=examples(8))
@given(histories)
def test_the_ledger_at_a_height_is_the_store_after_applying_it(history: list[Edit]) -> None:
    with scratch() as folder:
        repo, mainline = build(folder, history)
        whole, host = World(folder), World(folder, branch="host")
        whole.sync()
        with host.awake():
            for height, commit in enumerate(mainline, 1):
                repo.git("update-ref", "refs/heads/host", commit)
                host.sync()
                for kind in SHIPPED.kinds:
                    live = {row.values[kind.key]: dict(row.values) for row in host.store.live(kind)}
                    kept = [row for row in state_at(whole.ledger, kind, height) if row["op"] != "delete"]
                    if kind.column(STATUS_FIELD) is not None:
                        kept = list(state_at(whole.ledger, kind, height))
                    fields = [*(column.name for column in kind.columns), "created_at", "updated_at"]
                    assert {row[kind.key]: {field: row[field] for field in fields} for row in kept} == live


@settings(max_examples=examples(8))
@given(histories)
def test_applying_twice_and_recording_twice_change_nothing(history: list[Edit]) -> None:
    with scratch() as folder:
        build(folder, history)
        world = World(folder)
        world.sync()
        rows, versions = world.rows(), world.ledger.versions(limit=1000)
        again = world.sync()
        assert again.plan.changes == ()
        assert again.history is not None
        assert again.history.versions == 0
        assert (world.rows(), world.ledger.versions(limit=1000)) == (rows, versions)


@settings(max_examples=examples(8))
@given(histories, edits)
def test_an_invalid_commit_changes_no_row_and_has_its_version(history: list[Edit], last: Edit) -> None:
    with scratch() as folder:
        repo, _ = build(folder, history)
        world = World(folder)
        world.sync()
        before = world.live()
        broken = repo.commit({**last.files, "broken.yaml": configs.BROKEN})
        result = world.sync()
        assert world.live() == before
        assert result.attempt is not None
        assert (result.attempt.refused, result.attempt.stamp.commit) == (True, broken)
        version = world.ledger.version(broken)
        assert version is not None
        assert version.status == Status.INVALID
