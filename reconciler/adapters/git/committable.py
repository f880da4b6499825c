"""The files of a working tree, or of its index, as git would commit them.

Git itself decides: which files are tracked or ignored, what is a repository of its own, what filters make of a file.
What has to be hashed for that goes into an index and an object folder of our own, so the user's repository is not
written to.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from reconciler.adapters.git.plumbing import PIECE, Plumbing
from reconciler.adapters.git.process import (
    NO_VARIABLES,
    OVERRIDES,
    Process,
    Watchdog,
    find_complaint,
    missing_object,
)
from reconciler.adapters.git.queries import entry_type
from reconciler.adapters.git.trees import path_text
from reconciler.errors import NeedsHuman, UsageError, too_many_bytes, too_many_paths
from reconciler.model.commit import EntryType, RefusedFile
from reconciler.model.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from reconciler.errors import ReconcilerError
    from reconciler.model.commit import NotContent

    Wanted = Callable[[str], bool]
    Content = bytes | NotContent

QUESTIONS = (
    *("--show-object-format", "--absolute-git-dir", "--show-toplevel"),
    *("--path-format=absolute", "--git-path", "objects", "--git-path", "index"),
)
ANSWERS = 5
CONFIG = {
    **{name: value for name, value in OVERRIDES.items() if name != "core.attributesFile"},
    "core.safecrlf": "false",  # a warning of git add, which would end it
    "core.splitIndex": "false",  # the shared part of an index would be written into the repository
}
"""Attributes of the user and the machine count, as they do for a commit: a file may be filtered because of them."""
VARIABLES = {"GIT_ATTR_NOSYSTEM": "0", "GIT_LITERAL_PATHSPECS": "1"}
INDEX, OBJECTS, ALTERNATES = "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"

UNTRACKED = ("ls-files", "-z", "--others", "--exclude-standard", "--")
CHANGED = (
    "diff-files",
    "-z",
    "--raw",
    "--no-renames",
    "--no-ext-diff",
    "--ignore-submodules=dirty",
    "--relative",
    "--",
)
STAGED = ("ls-files", "-z", "--stage", "--")
UNMERGED = ("ls-files", "-z", "--unmerged", "--full-name")
WRITE_TREE = ("write-tree", "--missing-ok")
INDEX_INFO = ("update-index", "-z", "--index-info")
HASH = ("hash-object", "-w", "--no-filters", "--")
COMMIT_TREE = ("commit-tree", "-m", "the working tree")
HEAD = ("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
STAGE = ("update-index", "-z", "--add", "--remove", "--replace", "--stdin")
UNSTAGE = ("update-index", "-z", "--force-remove", "--stdin")
DRAFTER = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "reconciler"), ("EMAIL", "reconciler@localhost"))
}
"""Who makes the commit of a draft, which nobody but this process ever sees."""
REGULAR = "100644"
GONE = b"000000"
"""The mode of what is not there."""
MAX_REFUSED = 100
"""Files that git refuses, after which it is not asked about the rest: each takes some attempts."""
NOT_ASKED = RefusedFile(f"it refuses {MAX_REFUSED} others, and was not asked about this one")
MAX_PATHSPECS = 100
"""Paths that git is given on its command line; for more, all are listed."""


class Entry(NamedTuple):
    """What stands at a path; `blob` names the contents of a file."""

    type: NotContent
    blob: str = ""


class WorkTree(Struct, frozen=True):
    """A folder in the working tree of a repository; `index` is the one in force, as in a hook of git commit."""

    folder: Path
    object_format: str
    git_dir: Path
    top: Path
    objects: Path
    index: Path


def find_work_tree(folder: Path) -> WorkTree | None:
    """The repository in whose working tree a folder is; None when there is none.

    Raises `NeedsHuman` when git is not installed or refuses to read it.
    """
    if not any((place / ".git").exists() for place in (folder, *folder.parents)):
        return None
    process = Process(("rev-parse", *QUESTIONS), cwd=folder, git_dir=None)
    try:
        answers = process.read().decode(errors="surrogateescape").splitlines()
        if process.finish() != 0:
            failure = process.failure()
            if isinstance(failure, UsageError) or "must be run in a work tree" in str(failure):
                return None
            raise failure
    finally:
        process.close()
    if len(answers) != ANSWERS:
        raise NeedsHuman(f"the path of {folder} has a line break in it", hint="move the repository to another folder")
    object_format, git_dir, top, objects, index = answers
    return WorkTree(folder, object_format, Path(git_dir), Path(top), Path(objects), _index_in_force(Path(top), index))


def _index_in_force(top: Path, index: str) -> Path:
    """`git commit -a` and `git commit PATH` tell their hooks of an index of their own, relative to the top."""
    given = os.environ.get(INDEX)
    return top / given if given and Path.cwd().is_relative_to(top) else Path(index)


class _Git:
    """Runs git in a folder of a working tree, and reads blobs."""

    def __init__(self, place: WorkTree, limits: Limits) -> None:
        self.place, self.limits = place, limits
        self._variables = {**VARIABLES, INDEX: str(place.index)}

    @contextmanager
    def start(
        self, *arguments: str, variables: Mapping[str, str] = NO_VARIABLES, cwd: Path | None = None
    ) -> Iterator[Process]:
        """A git that is ended when it stays silent for too long."""
        watchdog = Watchdog()
        known = {**self._variables, **variables}
        process = Process(arguments, cwd=cwd or self.place.folder, git_dir=None, variables=known, config=CONFIG)
        watchdog.watch(process)
        try:
            yield process
        finally:
            process.close()
            watchdog.close()

    def listed(self, *arguments: str, variables: Mapping[str, str] = NO_VARIABLES) -> Iterator[bytes]:
        """What a git prints that ends each record with NUL."""
        with self.start(*arguments, variables=variables) as process:
            yield from read_records(process)

    def feed(self, arguments: tuple[str, ...], paths: Iterable[bytes], variables: Mapping[str, str], cwd: Path) -> None:
        """Run a git that reads paths and prints nothing."""
        with self.start(*arguments, variables=variables, cwd=cwd) as process:
            process.send(b"".join(path + b"\0" for path in paths))
            if process.finish() != 0:
                raise explain_refusal(process)

    def stage(self, paths: Collection[bytes], variables: Mapping[str, str]) -> dict[bytes, RefusedFile]:
        """Put files into an index; gives those that git refuses. It ends at the first one, so halves are tried."""
        refused: dict[bytes, RefusedFile] = {}
        waiting = [list(paths)]
        while waiting:
            some = waiting.pop()
            if len(refused) >= MAX_REFUSED:
                refused |= dict.fromkeys(some, NOT_ASKED)
                continue
            try:
                self.feed(STAGE, some, variables, self.place.folder)
            except _Refusal as error:
                half = len(some) // 2
                if half:
                    waiting += [some[half:], some[:half]]
                else:
                    refused[some[0]] = RefusedFile(error.complaint.removeprefix(f"{path_text(some[0])}: "))
        return refused

    def answer(self, *arguments: str, variables: Mapping[str, str]) -> str:
        """What a git prints; empty where there is no HEAD."""
        with self.start(*arguments, variables=variables, cwd=self.place.top) as process:
            answer = process.read().decode().strip()
            if process.finish() != 0 and arguments != HEAD:
                raise explain_refusal(process)
            return answer

    @contextmanager
    def scratch(self) -> Iterator[Mapping[str, str]]:
        """The variables for a copy of the index, and for new objects to go where they are forgotten."""
        with tempfile.TemporaryDirectory(prefix="reconciler-", ignore_cleanup_errors=True) as folder:
            index, objects = Path(folder, "index"), Path(folder, "objects")
            objects.mkdir()
            if self.place.index.exists():
                shutil.copy2(self.place.index, index)  # by its time git knows which files may have changed since
            quoted = self.place.objects.as_posix().replace("\\", "\\\\").replace('"', '\\"')
            yield {INDEX: str(index), OBJECTS: str(objects), ALTERNATES: f'"{quoted}"'}

    def contents(self, entries: Mapping[str, Entry], variables: Mapping[str, str]) -> Iterator[tuple[str, Content]]:
        """Each entry in order of its path: what a file holds, or what stands there instead."""
        place, blobs = self.place, {path: entry.blob for path, entry in entries.items() if entry.blob}
        with ExitStack() as stack:
            plumbing = Plumbing(
                place.git_dir, object_format=place.object_format, limits=self.limits, variables=variables
            )
            stack.callback(plumbing.close)
            ordered = sorted(entries)
            objects = plumbing.objects(((blobs[path], path) for path in ordered if path in blobs), self.limits.bytes)
            for path in ordered:
                if path not in blobs:
                    yield path, entries[path].type
                    continue
                _, _, content = next(objects)
                if content is None:
                    raise missing_object(place.git_dir, f"{blobs[path]} of {path}")
                yield path, content

    def check_folder(self, folder: str) -> tuple[str, ...]:
        """The pathspec of a folder: none for all. Raises `UsageError` when it is none, or a link leads to it."""
        spelled = "/".join(filter(None, folder.replace(os.sep, "/").split("/")))
        top = self.place.folder / spelled
        if not top.is_dir() or top.resolve() != self.place.folder.resolve() / spelled:
            raise UsageError(f"{top} is not a folder", hint="name an existing folder of the repository with --path")
        return (spelled,) if spelled else ()


class _Refusal(NeedsHuman):
    """Git refuses to commit something: often not the repository's fault but a filter's."""

    def __init__(self, complaint: str) -> None:
        self.complaint = complaint
        super().__init__(
            f"git cannot commit this working tree: {complaint}",
            hint="git add fails as well: see to filters in the git configuration, and to .gitattributes",
        )


def explain_refusal(process: Process) -> ReconcilerError:
    """Why a git failed that looked at the working tree."""
    failure = process.failure()
    complaints = process.complaints()
    if any(word in complaints for word in ("filter", "encod", "BOM")):
        return _Refusal(find_complaint(complaints))
    return failure


def read_records(process: Process) -> Iterator[bytes]:
    """The records of a running git, each ended by NUL; raises why it failed."""
    rest = b""
    while piece := process.read(PIECE):
        *whole, rest = (rest + piece).split(b"\0")
        yield from whole
    if process.finish() != 0:
        raise explain_refusal(process)


class Draft(Struct, frozen=True):
    """A commit that is in no repository, what it is made upon, and the variables that let git see it."""

    commit: str
    parent: str | None
    variables: Mapping[str, str]


class _Changes(NamedTuple):
    """Where a working tree is not what its index says: links and repositories that are untracked, what tracked paths
    have become (None: they are gone), and the wanted files of which the index does not have the contents."""

    others: Mapping[str, Entry]
    tracked: Mapping[bytes, EntryType | None]
    stale: Collection[bytes]


class UncommittedFiles:
    """The working tree as `git add --all` and a commit would take it, with some more files, ignored or not.

    Paths are relative to the folder of the working tree.
    """

    def __init__(self, place: WorkTree, limits: Limits | None = None, given: Collection[str] = ()) -> None:
        self._git, self._given = _Git(place, limits or Limits()), given

    def files(self, paths: Collection[str]) -> dict[str, Content]:
        """What those of some paths hold where there is a file or what stands for one."""
        wanted = frozenset(paths)
        return dict(self._read(wanted.__contains__, _pathspecs(wanted), wanted)) if wanted else {}

    def read(self, wanted: Wanted, subfolder: str = "") -> Iterator[tuple[str, Content]]:
        """The wanted files and what they hold, sorted by path; every link and submodule is told as such.

        Raises `UsageError` when there is no such folder, `NeedsHuman` when git fails or lacks something, and
        `TooLarge` when there is more than the limits allow.
        """
        return self._read(wanted, self._git.check_folder(subfolder))

    @contextmanager
    def draft(self, wanted: Wanted, edits: Mapping[str, bytes]) -> Iterator[Draft]:
        """A commit of the wanted files, some of them as they are given, on top of what is checked out.

        Raises `NeedsHuman` where git can make none, such as of conflicts.
        """
        git, place = self._git, self._git.place
        changes = self._find_changes(wanted, ())
        with git.scratch() as variables:
            git.stage([*changes.stale, *(path for path, now in changes.tracked.items() if now is None)], variables)
            files = [Path(variables[INDEX]).with_name(f"edited-{number}") for number in range(len(edits))]
            for file, data in zip(files, edits.values(), strict=True):
                file.write_bytes(data)
            blobs = git.answer(*HASH, *map(str, files), variables=variables).split() if files else []
            below = place.folder.relative_to(place.top)
            staged = zip(blobs, edits, strict=True)
            records = [f"{REGULAR} {blob}\t{(below / path).as_posix()}".encode() for blob, path in staged]
            git.feed(INDEX_INFO, records, variables, place.top)
            tree, head = (git.answer(*command, variables=variables) for command in (WRITE_TREE, HEAD))
            parent = ("-p", head) if head else ()
            sha = git.answer(*COMMIT_TREE, *parent, tree, variables={**variables, **DRAFTER})
            yield Draft(sha, head or None, variables)

    def _read(self, wanted: Wanted, spec: tuple[str, ...], only: Collection[str] = ()) -> Iterator[tuple[str, Content]]:
        git = self._git
        # Mostly nothing has changed: what the index lists is all, and is listed while git looks for changes
        with git.start(*STAGED, *spec) as staged:
            changes = self._find_changes(wanted, spec)
            entries = self._list_index(wanted, read_records(staged), changes)
        stale = [*changes.stale, *self._find_ignored(wanted, entries, changes)]
        if not stale:
            yield from git.contents(_only(entries, only), NO_VARIABLES)
            return
        self._check_sizes(stale)
        with git.scratch() as variables:
            refused = git.stage(stale, variables)
            entries = self._list_index(wanted, git.listed(*STAGED, *spec, variables=variables), changes)
            entries |= {path_text(path): Entry(why) for path, why in refused.items()}
            yield from git.contents(_only(entries, only), variables)

    def _find_changes(self, wanted: Wanted, spec: tuple[str, ...]) -> _Changes:
        root = os.fsencode(self._git.place.folder)
        others: dict[str, Entry] = {}
        changed: dict[bytes, EntryType | None] = {}
        stale: dict[bytes, None] = {}
        with self._git.start(*CHANGED, *spec) as changes, self._git.start(*UNTRACKED, *spec) as untracked:
            for path in read_records(untracked):
                if path.endswith(b"/"):
                    others[path_text(path[:-1])] = Entry(EntryType.SUBMODULE)
                elif os.path.islink(os.path.join(root, path)):  # noqa: PTH114, PTH118  bytes, and many of them
                    others[path_text(path)] = Entry(EntryType.SYMLINK)
                elif wanted(path_text(path)):
                    stale[path] = None
                self._check_count(len(others) + len(stale))
            records = read_records(changes)
            for header, path in zip(records, records, strict=True):
                mode = header.split(b" ")[1]
                now = changed[path] = None if mode == GONE else entry_type(mode)
                if now is EntryType.FILE and wanted(path_text(path)):
                    stale[path] = None
        return _Changes(others, changed, stale)

    def _find_ignored(self, wanted: Wanted, entries: Collection[str], changes: _Changes) -> Iterator[bytes]:
        """Those of the given files that git would leave alone, but for links and what is in another repository."""
        root = self._git.place.folder
        for path in filter(wanted, self._given):
            raw = os.fsencode(path)
            if path in entries or raw in changes.stale or raw in changes.tracked or (root / path).is_symlink():
                continue
            if not any((root / folder / ".git").exists() for folder in list(Path(path).parents)[:-1]):
                yield raw

    def _list_index(self, wanted: Wanted, records: Iterable[bytes], changes: _Changes) -> dict[str, Entry]:
        """What an index lists of wanted files, and of all that is no file, as they have become."""
        entries = dict(changes.others)
        for record in records:
            head, _, raw = record.partition(b"\t")
            mode, blob, stage = head.split(b" ")
            listed = entry_type(mode)
            now = changes.tracked.get(raw, listed)
            if now is None or stage != b"0":
                continue
            path = path_text(raw)
            if now is not EntryType.FILE:
                entries[path] = Entry(now)
            elif listed is EntryType.FILE and wanted(path):
                entries[path] = Entry(now, blob.decode())
            self._check_count(len(entries))
        return entries

    def _check_count(self, count: int) -> None:
        if count > self._git.limits.paths:
            raise too_many_paths(self._git.limits.paths)

    def _check_sizes(self, paths: Iterable[bytes]) -> None:
        """Git would hash and keep any amount. Raises `TooLarge`."""
        left = self._git.limits.bytes
        root = os.fsencode(self._git.place.folder)
        for path in paths:
            try:
                left -= os.lstat(os.path.join(root, path)).st_size  # noqa: PTH118
            except OSError:  # gone since: git says what became of it
                continue
            if left < 0:
                raise too_many_bytes(self._git.limits.bytes)


class StagedFiles:
    """The index as `git commit` would take it. Paths are relative to the folder of the working tree."""

    def __init__(self, place: WorkTree, limits: Limits | None = None) -> None:
        self._git = _Git(place, limits or Limits())

    def files(self, paths: Collection[str]) -> dict[str, Content]:
        """What those of some paths hold that are in the index."""
        wanted = frozenset(paths)
        return dict(self._git.contents(_only(self._list(wanted.__contains__), wanted), NO_VARIABLES))

    def read(self, wanted: Wanted, subfolder: str = "") -> Iterator[tuple[str, Content]]:
        """The wanted files and what they hold, sorted by path; every link, submodule and conflict is told as such.

        Raises `UsageError` when nothing is staged below the folder, and else as `UncommittedFiles.read`.
        """
        folder = "/".join(filter(None, subfolder.replace(os.sep, "/").split("/")))
        entries = self._list(wanted, *filter(None, [folder]))
        if folder and not any(True for _ in self._git.listed(*STAGED, f"{folder}/")):
            raise UsageError(f"nothing is staged in {folder}", hint="name a folder of the repository with --path")
        yield from self._git.contents(entries, NO_VARIABLES)

    def _list(self, wanted: Wanted, *spec: str) -> dict[str, Entry]:
        """The tree that a commit would have: without what is only intended to be added, and without conflicts."""
        entries: dict[str, Entry] = {}
        limit = self._git.limits.paths
        with self._git.scratch() as variables:
            tree, unmerged = self._write_tree(variables)
            for record in self._git.listed("ls-tree", "-r", "-z", tree, *spec, variables=variables):
                head, _, raw = record.partition(b"\t")
                mode, _, blob = head.split(b" ")
                path, kind = path_text(raw), entry_type(mode)
                if kind is not EntryType.FILE:
                    entries[path] = Entry(kind)
                elif wanted(path):
                    entries[path] = Entry(kind, blob.decode())
                if len(entries) > limit:
                    raise too_many_paths(limit)
        below = os.fsencode(self._git.place.folder.relative_to(self._git.place.top).as_posix())
        prefix = b"" if below == b"." else below + b"/"
        inside = (path_text(path.removeprefix(prefix)) for path in unmerged if path.startswith(prefix))
        return {**entries, **{path: Entry(EntryType.UNMERGED) for path in inside if wanted(path)}}

    def _write_tree(self, variables: Mapping[str, str]) -> tuple[str, list[bytes]]:
        """The id of the tree of the index, and what is unmerged and therefore not in it."""
        top = self._git.place.top
        with self._git.start(*WRITE_TREE, variables=variables, cwd=top) as process:
            tree = process.read().decode().strip()
            if process.finish() == 0:
                return tree, []
            failure = explain_refusal(process)
        with self._git.start(*UNMERGED, variables=variables, cwd=top) as process:
            unmerged = list(dict.fromkeys(record.partition(b"\t")[2] for record in read_records(process)))
        if not unmerged:
            raise failure
        self._git.feed(UNSTAGE, unmerged, variables, top)
        with self._git.start(*WRITE_TREE, variables=variables, cwd=top) as process:
            tree = process.read().decode().strip()
            if process.finish() != 0:
                raise explain_refusal(process)
        return tree, unmerged


def _pathspecs(paths: Collection[str]) -> tuple[str, ...]:
    """The pathspecs of some files; none, which stands for all, where they are many or not spelled as on the disk."""
    return () if len(paths) > MAX_PATHSPECS or any("\\" in path for path in paths) else tuple(sorted(paths))


def _only(entries: dict[str, Entry], paths: Collection[str]) -> dict[str, Entry]:
    return {path: entry for path, entry in entries.items() if path in paths} if paths else entries
