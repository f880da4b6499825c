"""The git processes of one repository: started when first needed, kept alive, each with one stream at a time."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from reconciler.adapters.git.process import NO_VARIABLES, SILENCE, Process, Watchdog
from reconciler.errors import BugError, TooLarge, too_many_bytes, too_many_paths
from reconciler.model.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from pathlib import Path


Tag = TypeVar("Tag")
Answer = TypeVar("Answer")

PIPE_CAPACITY = 4096
"""Bytes that every operating system's pipes hold: while no more are under way, writing a request cannot block."""

EMPTY_TREE = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
"""The tree without entries, which git knows in every repository."""

CAT_FILE = ("cat-file", "--batch")
CHECK = ("cat-file", "--batch-check")
DIFF_TREE = (
    *("diff-tree", "--stdin", "-r", "-z", "--raw", "--no-abbrev", "--always"),
    *("--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none"),
)
PIECE = 1 << 16
"""Bytes of a difference that are read before its records are counted."""
FIELDS = 2
"""Fields of a record, each with a NUL behind it."""
ALLOCATION, OVER_ALLOCATION = "GIT_ALLOC_LIMIT", "attempting to allocate"
"""The variable with which git refuses to allocate more bytes at once (its wrapper.c), and what it says then."""
BYTES_PER_PATH = 64
"""An entry in a tree object takes less. One in the array of a difference takes 8: git ends at eight times the paths."""
LEAST_ALLOCATION = 4 << 20
MUCH = 8 << 20
"""Bytes of one stream after which its git is ended."""


class _AllocationRefused(Exception):
    """git may not allocate what a comparison takes: its records, or the text of one of the commits."""


class Plumbing:
    """Streams of objects and differences out of one repository. Safe for several threads and nested streams."""

    def __init__(
        self,
        git_dir: Path,
        *,
        object_format: str = "sha1",
        silence: float = SILENCE,
        limits: Limits | None = None,
        variables: Mapping[str, str] = NO_VARIABLES,
    ) -> None:
        self.git_dir = git_dir
        self.variables = dict(variables)  # a source is sent to a fresh process, and no mapping proxy can be
        self.limits = limits or Limits()
        self.empty_tree = EMPTY_TREE[object_format]
        self._watchdog = Watchdog(silence)
        self._idle: dict[tuple[str, ...], list[Process]] = {}
        self._guard = threading.Lock()
        self._closed = False
        self._oversized: set[bytes] = set()
        # diff-tree repeats a line that is no object name, and flushes: that ends an answer. No path can foresee it
        self._mark = f"={secrets.token_hex(16)}\n".encode()

    def objects(
        self, requests: Iterable[tuple[str, Tag]], max_bytes: int | None = None
    ) -> Iterator[tuple[Tag, bytes, bytes | None]]:
        """For each object name, which has no line break: its tag, type and content; None when there is no such.

        Raises `TooLarge` before it reads the object with which they are more than `max_bytes` together.
        """
        lines = ((name, name.encode() + b"\n", tag) for name, tag in requests)
        read = _read_object if max_bytes is None else _BoundedReader(max_bytes).read
        with self._lend(CAT_FILE) as process:
            for tag, (kind, content) in _converse(process, lines, read, deque()):
                yield tag, kind, content

    def name(self, expression: str) -> str | None:
        """The id of the object that an expression without line breaks names (gitrevisions); None when there is none."""
        with self._lend(CHECK) as process:
            process.send(expression.encode() + b"\n")
            answer = process.line()
            if not answer:
                raise process.failure(expression)
            return None if _is_missing(answer) else answer.partition(b" ")[0].decode()

    def differences(self, requests: Iterable[tuple[str | None, str, Tag]]) -> Iterator[tuple[Tag, bytes | None]]:
        """For each commit and older commit: the tag and the raw records of the paths that differ.

        Without an older one, the newer is a tree, compared with the empty tree. Both are always named, because
        this git keeps on using as a commit's parents whatever an earlier request compared it with. The records are
        None where more paths differ than `limits` allow.
        """
        lines = ((new, self._request_line(old, new), tag) for old, new, tag in requests)
        under_way: deque[tuple[str, bytes, Tag]] = deque()
        while True:
            try:
                with self._lend(DIFF_TREE) as process:
                    yield from _converse(process, lines, self._read_difference, under_way)
                break
            except (TooLarge, _AllocationRefused) as error:  # another process goes on with what this one was asked
                _, line, tag = under_way.popleft()
                records = None if isinstance(error, TooLarge) else self._compare_trees(line)
                if records is None:
                    self._oversized.add(line)
                yield tag, records

    def _compare_trees(self, line: bytes) -> bytes | None:
        """The records of a request that git refused, without its commits, whose text may be what is too large."""
        new, old = line.removesuffix(self._mark).decode().split()
        trees = [] if new == self.empty_tree else [self.name(f"{commit}^{{tree}}") for commit in (old, new)]
        request = " ".join(filter(None, trees))
        if request.count(" ") != 1:
            return None
        try:
            with self._lend(DIFF_TREE) as process:
                process.send(request.encode() + b"\n" + self._mark)
                return self._read_difference(process, request)
        except (TooLarge, _AllocationRefused):
            return None

    def is_oversized(self, old: str | None, new: str) -> bool:
        """Whether more paths are known to differ than `limits` allow: git takes seconds to find out."""
        return self._request_line(old, new) in self._oversized

    def _request_line(self, old: str | None, new: str) -> bytes:
        return (f"{new} {old}\n" if old else f"{self.empty_tree} {new}\n").encode() + self._mark

    def lines(self, *arguments: str) -> Generator[str, None, None]:
        """The output lines of one git command, as they come; ending early ends git."""
        with self._start(arguments) as process:
            while line := process.line():
                yield line.decode(errors="surrogateescape").removesuffix("\n")
            if process.finish() != 0:
                raise process.failure()

    def output(self, *arguments: str) -> str | None:
        """What one git command prints, less the last line break; None when it says no (exit code 1)."""
        with self._start(arguments) as process:
            text = process.read().decode(errors="surrogateescape").removesuffix("\n")
            code = process.finish()
            if code not in (0, 1):
                raise process.failure()
            return None if code else text

    def listed(self, *arguments: str) -> bytes:
        """What one git command prints, a NUL behind each path. Raises `TooLarge` for more paths than allowed."""
        pieces: list[bytes] = []
        count = 0
        with self._start(arguments) as process:
            while piece := process.read(PIECE):
                count += piece.count(b"\0")
                if count > self.limits.paths:
                    raise too_many_paths(self.limits.paths)
                pieces.append(piece)
            if process.finish() != 0:
                raise process.failure()
        return b"".join(pieces)

    def close(self) -> None:
        """End every git and give back every handle."""
        with self._guard:
            self._closed = True
            idle = [process for processes in self._idle.values() for process in processes]
            self._idle.clear()
        for process in idle:
            self._end(process)
        self._watchdog.close()

    @contextlib.contextmanager
    def _start(self, arguments: tuple[str, ...]) -> Iterator[Process]:
        process = self._open(arguments)
        try:
            yield process
        finally:
            self._end(process)

    @contextlib.contextmanager
    def _lend(self, arguments: tuple[str, ...]) -> Iterator[Process]:
        """A long-lived git for one stream. One that was left in the middle of an answer does not come back.

        Nor does one that answered with much: it keeps in memory what it unpacked.
        """
        process = self._waiting(arguments) or self._open(arguments)
        before = process.received
        try:
            yield process
        except BaseException:
            self._end(process)
            raise
        with self._guard:
            if not self._closed and process.received - before < MUCH:
                self._idle.setdefault(arguments, []).append(process)
                return
        self._end(process)

    def _waiting(self, arguments: tuple[str, ...]) -> Process | None:
        while True:
            with self._guard:
                processes = self._idle.get(arguments)
                process = processes.pop() if processes else None
            if process is None or process.running:
                return process
            self._end(process)

    def _open(self, arguments: tuple[str, ...]) -> Process:
        if self._closed:
            raise BugError(f"the repository {self.git_dir} was closed already")
        process = Process(arguments, cwd=self.git_dir, git_dir=self.git_dir, variables=self._bounds(arguments))
        self._watchdog.watch(process)
        return process

    def _bounds(self, arguments: tuple[str, ...]) -> Mapping[str, str]:
        """git holds a whole difference in memory before it writes the first record."""
        if arguments is not DIFF_TREE:
            return self.variables
        return {**self.variables, ALLOCATION: str(max(LEAST_ALLOCATION, self.limits.paths * BYTES_PER_PATH))}

    def _end(self, process: Process) -> None:
        self._watchdog.forget(process)
        process.close()

    def _read_difference(self, process: Process, request: str) -> bytes:
        pieces: list[bytes] = []
        fields, end = 0, b""
        while not end.endswith(self._mark):
            piece = process.line(PIECE)  # all of a small answer at once, unless a path has a line break in it
            fields += piece.count(b"\0")
            if fields > FIELDS * self.limits.paths + 1:  # a commit is a field of its own before them
                raise too_many_paths(self.limits.paths)
            if not piece:
                failure = process.failure(request)
                raise _AllocationRefused if OVER_ALLOCATION in process.complaints() else failure
            pieces.append(piece)
            end = end[-len(self._mark) :] + piece
        answer = b"".join(pieces)
        for head in (f"{request}\0", f"{request}\n", f"{self.empty_tree} {request}\n"):
            if answer.startswith(head.encode()):
                return answer[len(head) : -len(self._mark)]
        raise process.failure(request)  # git goes on when it cannot read one side: that is no empty difference


class _BoundedReader:
    """Reads objects up to so many bytes in all."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = self._left = max_bytes

    def read(self, process: Process, request: str) -> tuple[bytes, bytes | None]:
        """The type and content of the next object."""
        return _read_object(process, request, self._take)

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise too_many_bytes(self._max_bytes)


def _read_object(
    process: Process, request: str, take: Callable[[int], None] = lambda size: None
) -> tuple[bytes, bytes | None]:
    header = process.line()
    fields = header.rsplit(b" ", 2)
    if len(fields) == 3 and fields[2].rstrip().isdigit():  # noqa: PLR2004 - name, type, size
        size = int(fields[2])
        take(size)
        content = process.read(size + 1)
        if len(content) == size + 1:
            return fields[1], content[:-1]
    elif _is_missing(header):
        return b"", None
    raise process.failure(request)


def _is_missing(header: bytes) -> bool:
    return header.endswith((b" missing\n", b" ambiguous\n"))


def _converse(
    process: Process,
    requests: Iterable[tuple[str, bytes, Tag]],
    read: Callable[[Process, str], Answer],
    under_way: deque[tuple[str, bytes, Tag]],
) -> Iterator[tuple[Tag, Answer]]:
    """Send requests ahead of their answers, but never more than the pipe holds, so that nobody waits for ever.

    When it is full, half of the answers are read before more is sent: a system call then carries many requests.
    `under_way` holds what was sent and has no answer yet; what it holds at first is sent again.
    """
    for _, line, _ in under_way:
        process.send(line)
    size = sum(len(line) for _, line, _ in under_way)
    for asked, line, tag in requests:
        if under_way and size + len(line) > PIPE_CAPACITY:
            while under_way and size + len(line) > PIPE_CAPACITY // 2:
                name, sent, first = under_way[0]
                answer = read(process, name)
                under_way.popleft()
                size -= len(sent)
                yield first, answer
        process.send(line)
        under_way.append((asked, line, tag))
        size += len(line)
    while under_way:
        name, _, first = under_way[0]
        answer = read(process, name)
        under_way.popleft()
        yield first, answer
