"""Trees that are staged, ignored, filtered, nested and named in any way are read as git commits them.

What `validate --staged` says, `sync` says of the commit that is then made; what `validate` says, `sync` says after
`git add --all` and a commit; and a clean checkout is judged as its commit. Neither writes into the repository.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from reconciler.adapters.git.repository import open_repository
from reconciler.reconcile.walk import CommitProcessor
from reconciler.wiring.checkout import open_checkout
from tests.reconcile.test_laws import scratch
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.laws import examples
from tests.support.world import FAULTS, SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.model.problem import Problem

    Step = Callable[[GitRepo], None]

ODD_NAMES = () if sys.platform == "win32" else ('users/it\'s "q".yaml', "users/a\nb.yaml", os.fsdecode(b"caf\xe9.yaml"))
FILES = (
    *("users/ann.yaml", "users/bob.yaml", "users/BOB.yaml", "desks/deep/cid.yml", "-n.yaml", "signals/s.yaml"),
    *("vendor/x.yaml", "node_modules/p/y.yaml", "notes.txt", ".hidden/h.yaml", "reconciler.yaml", *ODD_NAMES),
)
LINKS = ("lnk", "users", "users/bob.yaml", "policies", "schemas/w.schema.json", "vendor", "desks/deep")
NESTED = ("vendor", "desks", "nested", "users/own.yaml")
TEXTS = (
    *(configs.user("ann"), configs.user("bob"), configs.user("cid", risk=-1.0), configs.BROKEN, "x: Δ\n", ""),
    *(configs.signal("s", users=["ann"]), configs.user("ann").replace("\n", "\r\n"), "<<<<<<< ours\na: 1\n"),
)
SETTINGS = tuple(
    f"apiVersion: reconciler/v1\nkind: Repository\nspec: {spec}\n"
    for spec in ("{}", "{exclude: [vendor/]}", "{include: [users/]}", "{nonsense: 1}")
)
IGNORES = ("vendor/\n", "node_modules/\n", "*.yaml\n!users/ann.yaml\n", "users/\n", "lnk\ndesks/deep\n", "*\n")
ATTRIBUTES = (
    *("*.yaml filter=risk\n", "*.yaml text eol=crlf\n", "*.yaml text=auto\n", "*.yml working-tree-encoding=UTF-16\n"),
    *("users/* filter=none\n", "*.yaml ident\n", "*.yaml -text\n"),
)
FLAGS = ("--assume-unchanged", "--skip-worktree")


def _write(repo: GitRepo, path: str, content: bytes) -> None:
    place = repo.path / path
    with suppress(OSError):  # something else is in the way
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink():
            place.unlink()
        place.write_bytes(content)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def write(path: str, text: str, encoding: str) -> Step:
    return lambda repo: _write(repo, path, text.encode(encoding))


def delete(path: str) -> Step:
    return lambda repo: _remove(repo.path / path)


def link(path: str, target: str) -> Step:
    def make(repo: GitRepo) -> None:
        _remove(repo.path / path)
        with suppress(OSError):
            (repo.path / path).parent.mkdir(parents=True, exist_ok=True)
            (repo.path / path).symlink_to(target)

    return make


def nest(path: str, text: str, *, committed: bool) -> Step:
    def make(repo: GitRepo) -> None:
        if (repo.path / path).is_file() or (repo.path / path).is_symlink():
            return
        with suppress(OSError):
            inner = GitRepo.create(repo.path / path)
            (inner.path / "inner.yaml").write_bytes(text.encode())
            if committed:
                inner.commit({"inner.yaml": text})

    return make


def grow_worktree(repo: GitRepo) -> None:
    with suppress(AssertionError):
        repo.git("worktree", "add", "--quiet", "--detach", "-f", "wt", "HEAD")


def run(*arguments: str) -> Step:
    """Git may refuse: a filter is missing, a path is not there."""

    def call(repo: GitRepo) -> None:
        with suppress(AssertionError):
            repo.git(*arguments)

    return call


def conflict(path: str, texts: tuple[str, str]) -> Step:
    def make(repo: GitRepo) -> None:
        with suppress(AssertionError):
            repo.git("rm", "-q", "--cached", "-r", "-f", "--ignore-unmatch", "--", path)
            blobs = [repo.git("hash-object", "-w", "--stdin", stdin=text.encode()) for text in texts]
            lines = "".join(f"100644 {blob} {stage}\t{path}\0" for stage, blob in enumerate(blobs, 2))
            repo.git("update-index", "-z", "--index-info", stdin=os.fsencode(lines))

    return make


paths = st.sampled_from(FILES)
texts = st.sampled_from(TEXTS)
steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(write, paths, texts, st.sampled_from(["utf-8", "utf-8", "utf-16"])),
    st.builds(write, st.just("reconciler.yaml"), st.sampled_from(SETTINGS), st.just("utf-8")),
    st.builds(delete, st.sampled_from((*FILES, "users"))),
    st.builds(link, st.sampled_from(LINKS), st.sampled_from(["desks", "../elsewhere", "users/ann.yaml", "lnk"])),
    st.builds(nest, st.sampled_from(NESTED), texts, committed=st.booleans()),
    st.just(grow_worktree),
    st.builds(run, st.just("add"), st.just("-f"), st.just("--"), st.sampled_from((*FILES, *LINKS, *NESTED))),
    st.builds(run, st.just("add"), st.sampled_from(["--all", "--update", "-N"]), st.sampled_from([".", "users"])),
    st.builds(run, st.just("rm"), st.just("-rqf"), st.just("--cached"), st.just("--"), st.sampled_from(FILES)),
    st.builds(run, st.just("update-index"), st.sampled_from(FLAGS), st.just("--"), paths),
    st.builds(run, st.just("sparse-checkout"), st.just("set"), st.sampled_from(["users", "desks"])),
    st.builds(conflict, paths, st.tuples(texts, texts)),
    st.builds(
        write,
        st.sampled_from([".gitignore", ".git/info/exclude", ".git/global-excludes", "users/.gitignore"]),
        st.sampled_from(IGNORES),
        st.just("utf-8"),
    ),
    st.builds(
        write,
        st.sampled_from([".gitattributes", ".git/info/attributes", ".git/global-attributes"]),
        st.sampled_from(ATTRIBUTES),
        st.just("utf-8"),
    ),
)


def begin(folder: Path) -> GitRepo:
    """A repository with a filter and with what a user's own configuration would name."""
    repo = GitRepo.create(folder)
    config = "[core]\n\tattributesFile = .git/global-attributes\n\texcludesFile = .git/global-excludes\n"
    with (folder / ".git/config").open("a", encoding="utf-8", newline="\n") as file:
        file.write(config + '[filter "risk"]\n\tclean = sed s/0.5/1.5/\n\tsmudge = sed s/1.5/0.5/\n')
    (folder / ".git/info").mkdir(exist_ok=True)
    return repo


def judged(repo: GitRepo, sha: str) -> tuple[Problem, ...]:
    """What `sync` says of a commit's tree."""
    with open_repository(repo.path) as source:
        processor = CommitProcessor(source, "", SHIPPED, FAULTS)
        _, outcome = processor.process(processor.empty_state(), source.commit(sha).stamp)
        return outcome.problems


def said(folder: Path, *, staged: bool = False) -> tuple[Problem, ...]:
    """What `validate` says."""
    return open_checkout(folder, "", staged=staged).check_paths(()).problems


def stored(repo: GitRepo) -> dict[str, tuple[int, int]]:
    """All that is in the git folder: sizes and times. To an object that is there, git may give a new time."""
    found = ((place, place.stat()) for place in (repo.path / ".git").rglob("*") if place.is_file())
    return {str(place): (is_.st_size, 0 if "objects" in place.parts else is_.st_mtime_ns) for place, is_ in found}


def commit(repo: GitRepo) -> str | None:
    """The index as a commit; None where git refuses."""
    try:
        repo.git("commit", "--quiet", "--allow-empty", "--no-verify", "--message", "Change")
    except AssertionError:
        return None
    return repo.git("rev-parse", "HEAD")


@pytest.mark.timeout(900)
@settings(max_examples=examples(100, quick=4), phases=set(Phase) - {Phase.explain})
@given(st.lists(steps, min_size=1, max_size=14), st.booleans())
@pytest.mark.skipif(sys.platform == "win32", reason="links and these names need rights or another disk there")
def test_a_tree_is_judged_as_the_commit_that_git_makes_of_it(todo: list[Step], begun: bool) -> None:
    with scratch() as folder:
        repo = begin(folder / "desk")
        if begun:
            repo.commit({"users/ann.yaml": configs.user("ann"), "users/bob.yaml": configs.user("bob")})
            repo.checkout()
        for step in todo:
            step(repo)
        before = stored(repo)
        staged, working = said(repo.path, staged=True), said(repo.path)
        assert stored(repo) == before

        sha = commit(repo)
        assert (sha is None) == bool(repo.git("ls-files", "--unmerged"))
        if sha is None:
            event("unmerged")
        else:
            assert staged == judged(repo, sha)
        try:
            repo.git("add", "--all", "--sparse")
        except AssertionError:  # a repository inside that has no commit, a file that its encoding does not fit
            event("git add refuses")
            return
        sha = commit(repo)
        assert sha is not None
        event(f"{len(working)} problems")
        assert working == judged(repo, sha)

        repo.git("clone", "--quiet", "--no-hardlinks", ".", str(folder / "clone"))
        assert said(folder / "clone") == judged(repo, sha)
