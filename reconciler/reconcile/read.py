"""Reading files into entries: decode and validate, with a cache; many files are read in parallel processes."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import OrderedDict, deque
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.decode.document import decode
from reconciler.model.change import FileEntry
from reconciler.model.commit import EntryType
from reconciler.model.problem import NOT_LOCATED, Mark, Problem, Severity
from reconciler.slices import slices
from reconciler.snapshot.tree import NO_ENTRY
from reconciler.validate.validator import Validator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from concurrent.futures import Future

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Document
    from reconciler.model.commit import FileChange

    Blobs = Callable[[Iterable[str]], Iterator[tuple[str, bytes]]]

    File = tuple[str, bytes]


PARALLEL_FROM = 4_000
"""Number of files from which on it pays to start processes, which takes as long as reading a thousand."""
MAX_CACHED = 4096
"""Entries in the cache: a merge commit changes the same files again that its branch changed."""
CHUNK = 100
"""Files that a worker process is given at once."""
CHUNKS_PER_WORKER = 3
"""Chunks in flight for each worker: enough to keep it busy, few enough that the last ones end together."""
NICE = 10
"""How much lower the priority of the workers is: the program goes on answering meanwhile."""


class FileReader:
    """Reads changed files under one set of kinds at a time."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self._validator = Validator(kinds)
        self._cache: OrderedDict[tuple[str, str], FileEntry] = OrderedDict()

    def read_file(self, path: str, data: bytes) -> FileEntry:
        """What one file declares."""
        return self._validator.check(path, decode(path, data))

    def read_files(self, files: Iterable[File], count: int) -> Iterator[FileEntry]:
        """What each of `count` files declares, in order; many of them are read on all cores."""
        if count >= PARALLEL_FROM:
            return read_in_parallel(self.kinds, files)
        return (self.read_file(path, data) for path, data in files)

    def read_changes(self, changes: Iterable[FileChange], blobs: Blobs) -> dict[str, FileEntry]:
        """What each changed file declares now, by path; an empty entry for a deleted one."""
        entries: dict[str, FileEntry] = {}
        unread: list[tuple[str, str]] = []
        for change in changes:
            if change.blob is None:
                entries[change.path] = NO_ENTRY
            elif change.type is not EntryType.FILE:
                entries[change.path] = FileEntry(problems=(not_a_file_problem(change.path, change.type),))
            elif (change.path, change.blob) in self._cache:
                entries[change.path] = self._cache[change.path, change.blob]
            else:
                unread.append((change.path, change.blob))
        contents = (data for _, data in blobs([blob for _, blob in unread]))
        files = zip((path for path, _ in unread), contents, strict=True)
        for (path, blob), entry in zip(unread, self.read_files(files, len(unread)), strict=True):
            entries[path] = entry
            self._add_to_cache(path, blob, entry)
        return entries

    def _add_to_cache(self, path: str, blob: str, entry: FileEntry) -> None:
        self._cache[path, blob] = entry
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)


def not_a_file_problem(path: str, entry_type: EntryType, severity: Severity = Severity.WARNING) -> Problem:
    """The problem of a path with the name of a configuration file that is not a regular file."""
    return Problem(
        path=path,
        line=1,
        column=1,
        code="not-a-file",
        pointer="",
        message=f"this is a {entry_type.value}, which is not followed: nothing in it counts",
        hint=f"put the file itself there, or give it a name that does not end in .{path.rpartition('.')[2]}",
        severity=severity,
    )


def read_in_parallel(kinds: Kinds, files: Iterable[File]) -> Iterator[FileEntry]:
    """What each file declares, in order, read by worker processes."""
    # Few repositories have so many files, and the imports would take a twentieth of the time of a small check
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    workers = os.cpu_count() or 1
    in_flight: deque[Future[list[FileEntry]]] = deque()
    context = get_context("spawn")  # a fork would inherit the engines and threads of this process
    with ProcessPoolExecutor(workers, context, _start_worker, (kinds, gc.get_threshold())) as pool:
        for chunk in slices(files, CHUNK):
            in_flight.append(pool.submit(_read_chunk, chunk))
            if len(in_flight) >= workers * CHUNKS_PER_WORKER:
                yield from in_flight.popleft().result()
        while in_flight:
            yield from in_flight.popleft().result()


class _Worker:
    """What a worker process keeps between chunks."""

    validator: Validator


def _start_worker(kinds: Kinds, threshold: tuple[int, int, int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for the process that started this one
    if sys.platform != "win32":  # which has no nice values
        os.nice(NICE)
    gc.set_threshold(*threshold)
    _Worker.validator = Validator(kinds)


def _read_chunk(files: list[File]) -> list[FileEntry]:
    return [_Worker.validator.check(path, decode(path, data)) for path, data in files]


def locate_problems(
    problems: tuple[Problem, ...], read_contents: Callable[[Collection[str]], Mapping[str, bytes]]
) -> tuple[Problem, ...]:
    """The problems in order, each with line and column: reads files again for problems that were found between them."""
    paths = {problem.path for problem in problems if problem.column == NOT_LOCATED}
    if not paths:
        return problems
    documents = {path: decode(path, data).documents for path, data in read_contents(paths).items() if path in paths}
    return tuple(sorted(_locate(problem, documents.get(problem.path, ())) for problem in problems))


def _locate(problem: Problem, documents: tuple[Document, ...]) -> Problem:
    if problem.column != NOT_LOCATED:
        return problem
    marks = (_find_mark(problem, document) for document in documents)
    mark = next((mark for mark in marks if mark), Mark(problem.line, 1))
    return replace(problem, line=mark.line, column=mark.column)


def _find_mark(problem: Problem, document: Document) -> Mark | None:
    if document.marks[""].line != problem.line:
        return None
    pointer = problem.pointer
    while pointer not in document.marks:
        pointer = pointer.rpartition("/")[0]
    return document.marks[pointer]
