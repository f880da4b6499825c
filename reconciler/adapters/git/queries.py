"""What is asked of a repository: its commits as streams, chosen paths of one commit, lines of many files at once.

Formats of commits, trees and differences: gitformat-commit, and git's own ident.c for names.
"""

from __future__ import annotations

import contextlib
import re
from collections import OrderedDict
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeAlias

from reconciler.adapters.git.process import missing_object
from reconciler.adapters.git.trees import FOLDER, path_text, tree_entries
from reconciler.canonical import timestamp
from reconciler.errors import BrokenTree, NeedsHuman, TooLarge, too_many_paths
from reconciler.model.commit import Commit, CommitDelta, EntryType, FileChange, Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence

    from reconciler.adapters.git.plumbing import Plumbing
    from reconciler.adapters.git.trees import TreeChecker


FIRST = 0
LAST = int(datetime(2261, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
"""Times are kept within 1970 and 2261, in UTC: what DuckDB's TIMESTAMP and ClickHouse's DateTime64 can both hold."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PERSON = re.compile(rb"(?P<name>[^<]*)<(?P<email>[^>]*)>(?P<rest>.*)", re.DOTALL)
TIME = re.compile(rb"(?P<seconds>-?\d+)(?:\s+(?P<sign>[+-])(?P<zone>\d{1,9}))?\s*$")
CHARSET = re.compile(r"utf-?8|(us-)?ascii|latin|l\d|iso|cp|windows|koi8|mac|euc|s(hift)?[-_]?jis|gb|big5|tis", re.I)
"""Encodings of text. Python knows others by name that are none (punycode, unicode-escape) or that are no ASCII."""

MAX_MESSAGE, MAX_NAME = 1_000_000, 1_000
"""Characters that are kept of a commit's message, and of a name or an e-mail address in it."""

SIGNATURE_HEADERS = {b"gpgsig", b"gpgsig-sha256"}


def tree_id(raw: bytes) -> str:
    """The tree of a commit object, which its first line names."""
    return raw[: raw.index(b"\n")].removeprefix(b"tree ").decode("ascii")


def parent_ids(raw: bytes) -> tuple[str, ...]:
    """The parents that a commit object names, which need not all be here."""
    head = raw.partition(b"\n\n")[0]
    return tuple(line[7:].decode("ascii") for line in head.split(b"\n") if line.startswith(b"parent "))


def parse_commit(sha: str, parents: tuple[str, ...], raw: bytes) -> Commit:
    """A commit object's values. `parents` are given: a shallow clone has fewer than the object names."""
    head, _, body = raw.partition(b"\n\n")
    headers: dict[bytes, bytes] = {}
    for line in head.split(b"\n"):
        name, _, value = line.partition(b" ")
        headers.setdefault(name, value)
    charset = headers.get(b"encoding", b"").decode("ascii", "replace")
    return Commit(
        sha,
        parents,
        _person(headers.get(b"author", b""), charset),
        _person(headers.get(b"committer", b""), charset),
        _shorten(_text(body, charset), MAX_MESSAGE),
        signed=not SIGNATURE_HEADERS.isdisjoint(headers),
    )


def parse_moment(seconds: int, sign: str, zone: int) -> datetime:
    """A commit's time in its writer's own zone; `zone` is hours times 100 plus minutes.

    A time outside 1970 to 2261 becomes the nearest inside, and a zone of a day or more becomes UTC.
    """
    offset = timedelta(hours=zone // 100, minutes=zone % 100) * (-1 if sign == "-" else 1)
    place = timezone(offset) if abs(offset) < timedelta(days=1) else UTC
    return datetime.fromtimestamp(min(max(seconds, FIRST), LAST), UTC).astimezone(place)


def _person(line: bytes, charset: str) -> Signature:
    """`Name <e-mail> seconds zone`; what is missing is empty, or 1970."""
    matched = PERSON.fullmatch(line)
    if not matched:
        return Signature(_shorten(_text(line.strip(), charset), MAX_NAME), "", parse_moment(0, "+", 0))
    name, email = (_shorten(_text(matched[part].strip(), charset), MAX_NAME) for part in ("name", "email"))
    time = TIME.search(matched["rest"])
    if time is None:
        return Signature(name, email, parse_moment(0, "+", 0))
    seconds = int(time["seconds"])
    when = parse_moment(seconds, (time["sign"] or b"+").decode(), int(time["zone"] or 0))
    return Signature(name, email, when, "" if FIRST <= seconds <= LAST else _describe_outside(seconds))


def _describe_outside(seconds: int) -> str:
    """A time that no store holds, for people: seconds since 1970 where Python has no date for it."""
    try:
        return timestamp(EPOCH + timedelta(seconds=seconds))
    except OverflowError:
        return f"{seconds:,} seconds after 1970"


def _text(raw: bytes, charset: str) -> str:
    """Text in the commit's encoding (UTF-8 unless it says otherwise); what cannot be read becomes U+FFFD."""
    try:
        text = raw.decode(charset if CHARSET.match(charset) else "utf-8")
    except (LookupError, UnicodeError):
        text = raw.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _shorten(text: str, most: int) -> str:
    """The text without its middle where it is too long: a subject is at the begin of a message, trailers at its end."""
    half = most // 2
    left_out = f"… {len(text) - 2 * half:,} characters left out …"
    return text if len(text) <= most else f"{text[:half]}{left_out}{text[-half:]}"


SYMLINK, SUBMODULE = b"120000", b"160000"
TYPES = {SYMLINK: EntryType.SYMLINK, SUBMODULE: EntryType.SUBMODULE}


def entry_type(mode: bytes) -> EntryType:
    """The type of an entry by its mode in octal; executable or not makes no difference."""
    return TYPES.get(mode, EntryType.FILE)


def parse_changes(raw: bytes) -> tuple[FileChange, ...]:
    """The records of `git diff-tree -r -z --raw`: `:old-mode new-mode old-id new-id status`, NUL, path, NUL."""
    fields = raw.split(b"\0")
    return tuple(_change(header, path) for header, path in zip(fields[:-1:2], fields[1::2], strict=True))


def _change(header: bytes, path: bytes) -> FileChange:
    old_mode, mode, _, blob, status = header.split(b" ")
    old_type = entry_type(old_mode.removeprefix(b":"))
    if status == b"D":
        return FileChange(path_text(path), None, old_type=old_type)
    return FileChange(path_text(path), blob.decode(), entry_type(mode), old_type)


MAX_RECENT = 4096
"""Commits of a stream whose trees are remembered: a parent is mostly near."""
MAX_SINGLE_COMMITS = 4
"""Commits that are looked at one by one before git is asked for all."""


def history(plumbing: Plumbing, trees: TreeChecker, head: str, known: str | None) -> Iterator[CommitDelta]:
    """Every commit that `head` reaches and `known` does not, parents before children.

    The processes work at the same time, each a few requests ahead of the next.
    """
    with contextlib.closing(_graph(plumbing, head, known)) as graph:
        yield from read_deltas(plumbing, trees, graph)


def read_deltas(
    plumbing: Plumbing, trees: TreeChecker, graph: Iterable[tuple[str, tuple[str, ...]]]
) -> Iterator[CommitDelta]:
    """These commits, with the parents that they have here.

    What differs is not asked where the trees of a commit or of its parent are broken: git may end over them.
    """
    checked = _CheckedCommits(plumbing, trees)
    requests = (checked.request(commit, tree) for commit, tree in read_commits(plumbing, graph))
    for (commit, is_sound), raw in plumbing.differences(requests):
        yield CommitDelta(commit, None if raw is None or not is_sound else parse_changes(raw))


class _CheckedCommits:
    """The commits of a stream as requests for what differs, once their trees were checked."""

    def __init__(self, plumbing: Plumbing, trees: TreeChecker) -> None:
        self._plumbing, self._trees = plumbing, trees
        self._recent: OrderedDict[str, str] = OrderedDict()
        self._broken: dict[str, str | None] = {}
        """The commits with broken trees, each with the tree of the last commit before it that has none."""

    def request(self, commit: Commit, tree: str) -> tuple[str | None, str, tuple[Commit, bool]]:
        """The older commit and the newer one, or two empty trees where either is broken."""
        first = commit.parents[0] if commit.parents else None
        sound = self._broken[first] if first in self._broken else self._tree(first) if first else None
        try:
            self._trees.check(sound, tree)
        except (BrokenTree, TooLarge):
            self._broken[commit.sha] = sound
        except NeedsHuman:  # an object is missing here: told when it is this commit's turn, as git misses it as well
            pass
        self._recent[commit.sha] = tree
        if len(self._recent) > MAX_RECENT:
            self._recent.popitem(last=False)
        if first in self._broken or commit.sha in self._broken:
            return None, self._plumbing.empty_tree, (commit, False)
        return first, commit.sha if first else tree, (commit, True)

    def _tree(self, commit: str) -> str | None:
        return self._recent.get(commit) or self._plumbing.name(f"{commit}^{{tree}}")


def read_straight_line(
    read: Callable[[str], bytes | None], head: str, known: str
) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    """The commits from `known` to a head with their parents, when they are few and in one line; None for any others.

    Where nothing is cut off or grafted that is what `git rev-list` says, without starting it: a commit of today costs
    no new process. `read` gives a commit object.
    """
    line: list[tuple[str, tuple[str, ...]]] = []
    at = head
    while at != known and len(line) < MAX_SINGLE_COMMITS:
        raw = read(at)
        above = () if raw is None else parent_ids(raw)
        if len(above) != 1:
            return None
        line.append((at, above))
        at = above[0]
    return tuple(reversed(line)) if at == known else None


def parents(plumbing: Plumbing, head: str, known: str | None) -> dict[str, tuple[str, ...]]:
    """The parents of every commit that `head` reaches and `known` does not, in the order of `history`."""
    with contextlib.closing(_graph(plumbing, head, known)) as graph:
        return dict(graph)


def commit(plumbing: Plumbing, sha: str) -> Commit:
    """One commit, with the parents that it has here."""
    with contextlib.closing(_graph(plumbing, sha, None, "--max-count=1")) as graph:
        ((found, _),) = read_commits(plumbing, graph)
    return found


def height(plumbing: Plumbing, commit: str) -> int:
    """The number of commits on the first-parent chain, the commit itself included."""
    return int(plumbing.output("rev-list", "--first-parent", "--count", commit, "--") or 0)


def changes(
    plumbing: Plumbing, trees: TreeChecker, tree_of: Callable[[str], str], old: str | None, new: str
) -> tuple[FileChange, ...]:
    """The paths that differ between two commits' trees; `old` None stands for the empty tree.

    Raises `TooLarge`, and `BrokenTree` for what the older one has not.
    """
    tree = tree_of(new)
    trees.check(tree_of(old) if old else None, tree)
    target = new if old else tree
    raw = None
    if not plumbing.is_oversized(old, target):
        ((_, raw),) = plumbing.differences([(old, target, None)])
    if raw is None:
        raise too_many_paths(plumbing.limits.paths)
    return parse_changes(raw)


def read_commits(plumbing: Plumbing, wanted: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[tuple[Commit, str]]:
    """Commits by sha, with the parents that they shall have here, each with the id of its tree."""
    named = ((sha, (sha, parents)) for sha, parents in wanted)
    for (sha, parents), _, raw in plumbing.objects(named):
        if raw is None:
            raise missing_object(plumbing.git_dir, sha)
        yield parse_commit(sha, parents, raw), tree_id(raw)


def _graph(
    plumbing: Plumbing, head: str, known: str | None, *options: str
) -> Generator[tuple[str, tuple[str, ...]], None, None]:
    excluded = (f"^{known}",) if known else ()
    lines = plumbing.lines("rev-list", "--topo-order", "--reverse", "--parents", *options, head, *excluded, "--")
    with contextlib.closing(lines):
        for line in lines:
            sha, *above = line.split()
            yield sha, tuple(above)


Wanted: TypeAlias = "dict[str, Wanted]"
"""Names that are wanted in a folder, each with what is wanted below it: nothing, for a file."""

Folder: TypeAlias = tuple[str, Wanted]
"""The path of a folder, empty or with a slash at its end, and what is wanted in it."""


def files(plumbing: Plumbing, commit: str, paths: Collection[str]) -> tuple[FileChange, ...]:
    """Those of the paths that the commit's tree has, in order; a folder is none of them."""
    wanted_paths, found = set(paths), []
    level: list[tuple[str, Folder]] = [(f"{commit}^{{tree}}", ("", _wanted(paths)))] if paths else []
    while level:
        deeper: list[tuple[str, Folder]] = []
        for (prefix, wanted), _, raw in plumbing.objects((tree, folder) for tree, folder in level):
            for name, mode, oid in tree_entries(_present(plumbing, raw, prefix or commit), len(commit) // 2):
                below, path = wanted.get(name), prefix + name
                if below and mode == FOLDER:
                    deeper.append((oid, (f"{path}/", below)))
                elif below is not None and mode != FOLDER and path in wanted_paths:
                    found.append(FileChange(path, oid, entry_type(mode)))
        level = deeper
    return tuple(sorted(found, key=_path))


def paths(plumbing: Plumbing, commit: str) -> tuple[str, ...]:
    """All paths of the commit's tree but those of its folders: a quarter of what their ids would cost as well.

    Raises `TooLarge`.
    """
    listed = plumbing.listed("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    names = listed.split(b"\0")[:-1]
    if listed.isascii() and b"\\x" not in listed:
        return tuple(name.decode() for name in names)
    return tuple(path_text(name) for name in names)


def folder_tree(plumbing: Plumbing, commit: str, folder: str) -> str | None:
    """The tree object of a folder, or None when there is no such folder.

    Of a tree that cannot be read it is the whole: it may have the folder, and judging the commit tells.
    """
    ((_, _, raw),) = plumbing.objects([(commit, None)])
    whole = tree_id(_present(plumbing, raw, commit))
    try:
        return _tree(plumbing, commit, folder) if folder else whole
    except BrokenTree:
        return whole


def listing(plumbing: Plumbing, commit: str, folder: str) -> tuple[FileChange, ...]:
    """What stands directly in a folder, in order, but for other folders; nothing when there is no such folder."""
    tree = _tree(plumbing, commit, folder)
    if tree is None:
        return ()
    prefix = "".join(f"{name}/" for name in folder.split("/") if name)
    entries = _entries(plumbing, commit, tree)
    changes = (FileChange(prefix + name, oid, entry_type(mode)) for name, mode, oid in entries if mode != FOLDER)
    return tuple(sorted(changes, key=_path))


def _tree(plumbing: Plumbing, commit: str, folder: str) -> str | None:
    """The name of a folder's tree object, found step by step, as a path may hold what no object name can."""
    tree = f"{commit}^{{tree}}"
    for name in filter(None, folder.split("/")):
        trees = [oid for entry, mode, oid in _entries(plumbing, commit, tree) if entry == name and mode == FOLDER]
        if not trees:
            return None
        tree = trees[0]
    return tree


def _entries(plumbing: Plumbing, commit: str, tree: str) -> list[tuple[str, bytes, str]]:
    ((_, _, raw),) = plumbing.objects([(tree, None)])
    return list(tree_entries(_present(plumbing, raw, tree), len(commit) // 2))


def _present(plumbing: Plumbing, raw: bytes | None, name: str) -> bytes:
    if raw is None:
        raise missing_object(plumbing.git_dir, f"tree of {name}")
    return raw


def _wanted(paths: Collection[str]) -> Wanted:
    root: Wanted = {}
    for path in paths:
        folder = root
        for name in path.split("/"):
            folder = folder.setdefault(name, {})
    return root


def _path(change: FileChange) -> str:
    return change.path


OPTIONS = (
    *("grep", "--extended-regexp", "--text", "--null", "-H", "--no-line-number", "--no-column", "--threads=1"),
    *("--full-name", "--no-color", "--no-textconv", "--no-recurse-submodules", "--no-heading", "--no-break"),
)
"""One thread: more of them wait for each other at every object, and take half as long again."""
SUFFIXES = ("yaml", "yml")
WILD = re.compile(r"[\\*?\[\]]")


def grep(plumbing: Plumbing, commit: str, folder: str, patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Path and text of each line that matches a pattern, in the YAML files below a folder; bytes that are not UTF-8
    come as lone surrogates.

    The output of git is `commit:path`, NUL, line, line break: a path may hold anything but NUL, a line no line break.
    """
    options = [part for pattern in patterns for part in ("-e", pattern)]
    below = "".join(f"{WILD.sub(_escaped, name)}/" for name in folder.split("/") if name)
    output = plumbing.output(*OPTIONS, *options, commit, "--", *(f":(top,glob){below}**/*.{end}" for end in SUFFIXES))
    for path, line in re.findall(rf"{commit}:([^\0]*)\0([^\n]*)\n?", output or ""):
        yield path_text(path.encode("utf-8", "surrogateescape")), line


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}"
