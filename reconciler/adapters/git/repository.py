"""A repository on disk as the port `Source`."""

from __future__ import annotations

import re
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from reconciler.adapters.git import queries, revisions
from reconciler.adapters.git.plumbing import Plumbing
from reconciler.adapters.git.process import NO_VARIABLES, SILENCE, Process, missing_object
from reconciler.adapters.git.recent import RecentCommits
from reconciler.adapters.git.revisions import branch_in, head_branch, resolve
from reconciler.adapters.git.trees import TreeChecker
from reconciler.errors import NeedsHuman, UsageError, broken_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from reconciler.model.commit import Commit, CommitDelta, FileChange
    from reconciler.model.limits import Limits

QUESTIONS = (
    *("--show-object-format", "--is-inside-work-tree", "--absolute-git-dir"),
    *("--path-format=absolute", "--git-common-dir", "--show-cdup"),
)
ANSWERS = 5
SHALLOW = "shallow"
ALTERING = (SHALLOW, "info/grafts")
"""Files that give commits other parents than they name."""
REMEMBERED = 64
"""Commits that are known to be there; a sha never means another one."""
USER_INFO = re.compile(r"^(?P<scheme>.*?://)(?P<user>[^/?#]*)@", re.DOTALL)
QUERY = re.compile(r"^(?P<url>.*?://[^?#]*)[?#].*$", re.DOTALL)


def open_repository(
    path: Path,
    *,
    silence: float = SILENCE,
    limits: Limits | None = None,
    variables: Mapping[str, str] = NO_VARIABLES,
) -> GitSource:
    """The repository around a path: a work tree or a folder in it, a bare repository, a linked work tree.

    `silence` is how many seconds git may stay silent, `variables` are for every git that reads it. What exceeds the
    limits raises `TooLarge` when it is read. Raises `UsageError` when there is no repository, and `NeedsHuman` when git
    refuses to read it. Close the result, or use it as a context manager.
    """
    start = path.absolute()
    if not start.exists():
        raise UsageError(f"{path} does not exist", hint="name an existing folder with --repo PATH")
    if start.is_file() or (start.name == ".git" and (start.parent / ".git").is_dir()):
        start = start.parent
    object_format, inside, git_dir, common_dir, up = _discover(start)
    return GitSource(
        Plumbing(Path(git_dir), object_format=object_format, silence=silence, limits=limits, variables=variables),
        git_dir=Path(common_dir),
        own_dir=Path(git_dir),
        work_tree=(start / up).resolve() if inside == "true" else None,
    )


class GitSource:
    """Port `Source`, read only.

    `git_dir` is the folder that all work trees share, `own_dir` that of this one (HEAD is there); mostly they are one.
    """

    def __init__(self, plumbing: Plumbing, *, git_dir: Path, own_dir: Path, work_tree: Path | None) -> None:
        self._plumbing = plumbing
        self._trees = TreeChecker(plumbing)
        self.git_dir = git_dir
        self.own_dir = own_dir
        self.work_tree = work_tree
        self._found: set[str] = set()
        self._recent = RecentCommits(plumbing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[[Path], GitSource], tuple[Path]]:
        """Another process that is given this one opens the repository itself."""
        plumbing = self._plumbing
        return partial(open_repository, limits=plumbing.limits, variables=plumbing.variables), (self.git_dir,)

    def close(self) -> None:
        """End the git processes. Streams that are still open end with a `NeedsHuman` or `BugError` when used."""
        self._plumbing.close()

    @cached_property
    def repository(self) -> str:
        """The origin's URL without credentials; without an origin the path of the repository, with forward slashes."""
        url = self._plumbing.output("config", "--get", "remote.origin.url")
        if url:
            return without_credentials(url)
        return (self.git_dir.parent if self.git_dir.name == ".git" else self.git_dir).as_posix()

    def find_authorities(self, url: str) -> str:
        """The file of authorities that git trusts at an address (`http.sslCAInfo`); empty for those of the system."""
        return self._plumbing.output("config", "--type=path", "--get-urlmatch", "http.sslCAInfo", url) or ""

    def roots(self) -> frozenset[str]:
        """The first commits of all branches; the oldest there are where history was cut off."""
        return frozenset(self._plumbing.lines("rev-list", "--max-parents=0", "--branches"))

    def has_commit(self, sha: str) -> bool:
        """Whether there is a commit of this sha, on a branch or not."""
        return self._plumbing.name(f"{sha}^{{commit}}") is not None

    @property
    def has_checkout(self) -> bool:
        """Whether HEAD says what is checked out in a work tree; in a bare repository it names the default branch."""
        return self.work_tree is not None

    def branch_head(self, name: str) -> str | None:
        """The sha that `refs/heads/NAME` is at; None when there is no such branch; see `revisions.branch_head`."""
        return revisions.branch_head(self._plumbing, self.git_dir, name, self._is_commit)

    def branches(self) -> tuple[str, ...]:
        """The names of all branches."""
        return revisions.branches(self._plumbing, self.git_dir)

    def no_such_branch(self, name: str) -> UsageError:
        """What to say of a name that no branch has."""
        return revisions.no_such_branch(self._plumbing, self.git_dir, name)

    def head_branch(self) -> str | None:
        """The branch that HEAD stands for, by its short name; None when it is detached."""
        return branch_in(self.own_dir / "HEAD") or head_branch(self._plumbing)

    def is_shallow(self) -> bool:
        """Whether history was cut off when this was cloned."""
        return (self.git_dir / SHALLOW).exists()  # all that git looks at, too

    def resolve(self, revision: str) -> str | None:
        """The sha of the commit a revision names; None for a branch without commits; see `resolve`."""
        return resolve(self._plumbing, revision)

    def commit(self, sha: str) -> Commit:
        """One commit, by any of its names."""
        return queries.commit(self._plumbing, self._commit(sha))

    def grep(self, commit: str, folder: str, patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Path and text of each matching line in the YAML files below a folder; see `queries.grep`."""
        return queries.grep(self._plumbing, self._commit(commit), folder, patterns)

    def parents(self, head: str, *, known: str | None = None) -> Mapping[str, tuple[str, ...]]:
        """The parents of every commit reachable from `head` and not from `known`, in the order of `history`."""
        self._found.discard(known or "")  # git may have collected it since: that is found out here
        line = self._straight(head, known)
        if line is not None:
            return dict(line)
        return queries.parents(self._plumbing, self._commit(head), self._commit(known) if known else None)

    def height(self, commit: str) -> int:
        """The number of commits on the first-parent chain, the commit itself included: 1 for a root."""
        return queries.height(self._plumbing, self._commit(commit))

    def history(self, head: str, *, known: str | None = None) -> Iterator[CommitDelta]:
        """Every commit reachable from `head` and not from `known`, parents before children, as one stream."""
        line = self._straight(head, known)
        if line is not None:
            delta = self._recent.delta(*line[0]) if len(line) == 1 else None
            return iter((delta,)) if delta else queries.read_deltas(self._plumbing, self._trees, line)
        return queries.history(self._plumbing, self._trees, self._commit(head), self._commit(known) if known else None)

    def changes(self, old: str | None, new: str) -> tuple[FileChange, ...]:
        """The paths that differ between the trees of two commits; `old` None stands for the empty tree.

        Raises `TooLarge`, and `BrokenTree` where a tree that the older one has not is none that git would write.
        """
        older, newer = self._commit(old) if old else None, self._commit(new)
        changes = queries.changes(self._plumbing, self._trees, self._recent.tree, older, newer)
        if older is not None:
            self._recent.note_changes(older, newer, changes)
        return changes

    def files(self, commit: str, paths: Collection[str]) -> tuple[FileChange, ...]:
        """Those of the given paths that the commit's tree has, as they are there, in order."""
        return queries.files(self._plumbing, self._commit(commit), paths)

    def paths(self, commit: str) -> tuple[str, ...]:
        """All paths of the commit's tree but those of its folders, in git's order."""
        return queries.paths(self._plumbing, self._commit(commit))

    def folder_tree(self, commit: str, folder: str) -> str | None:
        """The id of the tree of a folder in a commit; None when it has no such folder."""
        return queries.folder_tree(self._plumbing, self._commit(commit), folder)

    def listing(self, commit: str, folder: str) -> tuple[FileChange, ...]:
        """What stands directly in a folder of the commit's tree, in order; nothing when there is no such folder."""
        return queries.listing(self._plumbing, self._commit(commit), folder)

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The contents of blobs, in the order asked for, as one stream.

        Raises `NeedsHuman` for one that is missing, and `TooLarge` before there is more than the limits allow.
        """
        for blob, kind, content in self._plumbing.objects(((blob, blob) for blob in ids), self._plumbing.limits.bytes):
            if content is None:
                raise missing_object(self.git_dir, blob)
            if kind != b"blob":
                raise broken_tree((".", f"the object {blob} is a file by the tree's mode, and a {kind.decode()}"))
            yield blob, content

    def _straight(self, head: str, known: str | None) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
        """The way from a commit to a head where it is short and straight, and this git has other parents for none."""
        if known is None or any((self.git_dir / place).exists() for place in ALTERING):
            return None
        return queries.read_straight_line(self._recent.read, self._commit(head), self._commit(known))

    def _commit(self, name: str) -> str:
        """The sha of a commit that has to be there. Those that were found lately are not asked for again."""
        if name in self._found:
            return name
        sha = resolve(self._plumbing, name)
        if sha is None:
            raise UsageError(f"{name} has no commits yet", hint="make a first commit")
        self._note_found(sha)
        return sha

    def _is_commit(self, sha: str) -> bool:
        """Whether a commit is there now, or something that names one."""
        if self._recent.find(sha):
            self._note_found(sha)
            return True
        return self.has_commit(sha)

    def _note_found(self, sha: str) -> None:
        if len(self._found) >= REMEMBERED:
            self._found.clear()
        self._found.add(sha)


def without_credentials(url: str) -> str:
    """An origin's URL without what could let anyone in.

    Over ssh the user's name stays, as it is part of the address, and a password goes; anywhere else all of the user
    information goes, and a query with it, as tokens stand in both. `host:path` and plain paths are kept.
    """
    matched = USER_INFO.match(url)
    if matched:
        user = matched["user"].partition(":")[0] if "ssh" in matched["scheme"] else ""
        url = matched["scheme"] + (f"{user}@" if user else "") + url[matched.end() :]
    return QUERY.sub(r"\g<url>", url)


def _discover(start: Path) -> list[str]:
    process = Process(("rev-parse", *QUESTIONS), cwd=start, git_dir=None)
    try:
        answers = process.read().decode(errors="surrogateescape").splitlines()
        if process.finish() != 0:
            raise process.failure()
    finally:
        process.close()
    if answers[1:2] == ["false"]:
        answers.append("")  # outside a work tree, git does not say how far up its root is
    if len(answers) != ANSWERS:
        raise NeedsHuman(f"the path of {start} has a line break in it", hint="move the repository to another folder")
    return answers
