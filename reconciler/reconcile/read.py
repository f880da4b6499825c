"""Files to entries: decode and validate, remembering what was read lately; many files are read on all cores."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
from collections import OrderedDict, deque
from concurrent import futures
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.decode.document import decode
from reconciler.model.commit import EntryType
from reconciler.model.problem import NOT_LOCATED, Mark, Problem, Severity
from reconciler.model.resource import FileEntry
from reconciler.slices import slices
from reconciler.snapshot.tree import NOTHING
from reconciler.validate.validator import Validator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import FileChange
    from reconciler.model.resource import Document

    Blobs = Callable[[Iterable[str]], Iterator[tuple[str, bytes]]]

    File = tuple[str, bytes]


WORTHWHILE = 4_000
"""Files from which on it pays to start processes, which takes as long as reading a thousand."""
REMEMBERED = 4096
"""Entries kept: a merge brings the same files again that its branch brought."""


class Reader:
    """Reads changed files under one set of kinds at a time."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self._validator = Validator(kinds)
        self._entries: OrderedDict[tuple[str, str], FileEntry] = OrderedDict()

    def entry(self, path: str, data: bytes) -> FileEntry:
        """What one file declares."""
        return self._validator.check(path, decode(path, data))

    def read(self, files: Iterable[tuple[str, bytes]], count: int) -> Iterator[FileEntry]:
        """What each file declares, in order; many of them are read on all cores."""
        if count >= WORTHWHILE:
            return read_in_parallel(self.kinds, files)
        return (self.entry(path, data) for path, data in files)

    def entries(self, changes: Iterable[FileChange], blobs: Blobs) -> dict[str, FileEntry]:
        """What each changed file declares now; an empty entry for one that is gone."""
        found: dict[str, FileEntry] = {}
        wanted: list[tuple[str, str]] = []
        for change in changes:
            if change.blob is None:
                found[change.path] = NOTHING
            elif change.type is not EntryType.FILE:
                found[change.path] = FileEntry(problems=(not_a_file(change.path, change.type),))
            elif (change.path, change.blob) in self._entries:
                found[change.path] = self._entries[change.path, change.blob]
            else:
                wanted.append((change.path, change.blob))
        contents = (data for _, data in blobs([blob for _, blob in wanted]))
        files = zip((path for path, _ in wanted), contents, strict=True)
        for (path, blob), entry in zip(wanted, self.read(files, len(wanted)), strict=True):
            found[path] = self._remember(path, blob, entry)
        return found

    def _remember(self, path: str, blob: str, entry: FileEntry) -> FileEntry:
        self._entries[path, blob] = entry
        if len(self._entries) > REMEMBERED:
            self._entries.popitem(last=False)
        return entry


def not_a_file(path: str, found: EntryType, severity: Severity = Severity.WARNING) -> Problem:
    """What is wrong with something that has the name of a file that counts and is none."""
    return Problem(
        path=path,
        line=1,
        column=1,
        code="not-a-file",
        pointer="",
        message=f"this is a {found.value}, which is not followed: nothing in it counts",
        hint=f"put the file itself there, or give it a name that does not end in .{path.rpartition('.')[2]}",
        severity=severity,
    )


CHUNK = 100
AHEAD = 3
"""Chunks under way for each helper: enough to keep it busy, few enough that nobody waits long for the last ones."""
NICE = 10
"""How far helpers stand back for whoever else has something to do, such as answering a question."""


def read_in_parallel(kinds: Kinds, files: Iterable[File]) -> Iterator[FileEntry]:
    """What each file declares, in order. Helpers read; this process has others to answer meanwhile."""
    helpers = os.cpu_count() or 1
    under_way: deque[futures.Future[list[FileEntry]]] = deque()
    # Spawned, not forked: a fork would take over the engines and threads of this process.
    with futures.ProcessPoolExecutor(
        helpers, multiprocessing.get_context("spawn"), _begin, (kinds, gc.get_threshold())
    ) as pool:
        for chunk in slices(files, CHUNK):
            under_way.append(pool.submit(_read, chunk))
            if len(under_way) >= helpers * AHEAD:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()


class _Helper:
    """What a process keeps between chunks."""

    validator: Validator


def _begin(kinds: Kinds, threshold: tuple[int, int, int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for the process that started this one
    if sys.platform != "win32":  # where a process has no such number to lower
        os.nice(NICE)
    gc.set_threshold(*threshold)
    _Helper.validator = Validator(kinds)


def _read(files: list[File]) -> list[FileEntry]:
    return [_Helper.validator.check(path, decode(path, data)) for path, data in files]


def locate(
    problems: tuple[Problem, ...], contents: Callable[[Collection[str]], Mapping[str, bytes]]
) -> tuple[Problem, ...]:
    """The problems in order, each with the line and column of what it is about."""
    paths = {problem.path for problem in problems if problem.column == NOT_LOCATED}
    if not paths:
        return problems
    documents = {path: decode(path, data).documents for path, data in contents(paths).items() if path in paths}
    return tuple(sorted(_located(problem, documents.get(problem.path, ())) for problem in problems))


def _located(problem: Problem, documents: tuple[Document, ...]) -> Problem:
    if problem.column != NOT_LOCATED:
        return problem
    mark = next((found for one in documents if (found := _mark(problem, one))), Mark(problem.line, 1))
    return replace(problem, line=mark.line, column=mark.column)


def _mark(problem: Problem, document: Document) -> Mark | None:
    if document.marks[""].line != problem.line:
        return None
    pointer = problem.pointer
    while pointer not in document.marks:
        pointer = pointer.rpartition("/")[0]
    return document.marks[pointer]
