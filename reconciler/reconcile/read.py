"""Reading files into entries: decode and validate, with a cache; many files are read in parallel processes.

A file over which the program fails is read again in a fresh process. If that fails as well, the file is at fault.
"""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import sys
import time
from collections import OrderedDict, deque
from functools import partial
from itertools import chain, repeat, zip_longest
from typing import TYPE_CHECKING

from reconciler.decode.document import decode
from reconciler.errors import RetryLater
from reconciler.model.change import FileEntry
from reconciler.model.commit import EntryType, RefusedFile
from reconciler.model.limits import MEGABYTE
from reconciler.model.problem import NOT_LOCATED, Mark, Problem, Severity
from reconciler.reconcile.crossing import Shared, pack, unpack
from reconciler.reconcile.faults import Answer, call_here, cannot_judge, is_commit_fault
from reconciler.reconcile.forking import count_readers, read_in_copies
from reconciler.slices import slices
from reconciler.snapshot.tree import NO_ENTRY
from reconciler.validate.validator import Validator
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from concurrent.futures import Future

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Document
    from reconciler.model.commit import FileChange, NotContent
    from reconciler.reconcile.crossing import Packed
    from reconciler.reconcile.faults import FaultFinder

    Blobs = Callable[[Iterable[str]], Iterator[tuple[str, bytes]]]

    File = tuple[str, bytes]
    Progress = Callable[[int, int], None]
    """Called with the number of files read and of all."""
    ReadChunk = tuple[list[Packed], float]
    """What files declare, None where that is not known, and the CPU time that it took."""


PARALLEL_FROM = 12_000
"""Number of files from which on it pays to start processes, on two cores with nothing else to do."""
COPIES_FROM = 1_000
"""Number of files from which on it pays to copy this process, where that can be done."""
TOLD_FROM = 1_000
"""Number of files of one change from which on it is told how far reading them is."""
MAX_CACHED = 4096
"""Entries in the cache: a merge commit changes the same files again that its branch changed."""
CHUNK = 100
"""Files that a worker process is given at once."""
CPU_SECONDS = 60.0
"""CPU time for the files that are read at once, and for each megabyte of them a second more."""
MAX_PROBLEMS, MAX_TOLD = 200_000, 50_000_000
"""Problems of the files that are read at once, and characters of them; of the files behind them the first is kept."""
CHUNKS_PER_WORKER = 3
"""Chunks in flight for each worker: enough to keep it busy, few enough that the last ones end together."""
NAMED_AS_FILES = (".yaml", ".yml", ".schema.json", ".sql")
"""Ends of the names that configuration files have."""
NOT_COMMITTABLE = "git add fails as well: see to filters in the git configuration, and to .gitattributes"
NICE = 10
"""How much lower the priority of the workers is: the program goes on answering meanwhile."""


class FileReader:
    """Reads changed files under one set of kinds at a time. What fails is read once more, by a fresh process.

    `progress` is told how far it is with the files of a change that has many. It must not raise.
    """

    def __init__(self, kinds: Kinds, faults: FaultFinder, progress: Progress = lambda done, total: None) -> None:
        self.kinds = kinds
        self._progress = progress
        self._faults = faults
        self._validator = Validator(kinds)
        self._cache: OrderedDict[tuple[str, str], FileEntry] = OrderedDict()

    def read_file(self, path: str, data: bytes) -> FileEntry:
        """What one file declares."""
        (entry,) = self.read_files([(path, data)], 1)
        return entry

    def read_files(
        self, files: Iterable[File], count: int, progress: Progress = lambda done, total: None
    ) -> list[FileEntry]:
        """What each of `count` files declares, in order; many of them are read on all cores."""
        entries: list[FileEntry] = []
        left: dict[int, File] = {}
        problems = told = 0
        for file, entry in self._read_once(files, count):
            if entry is None:
                left[len(entries)] = file
            elif problems > MAX_PROBLEMS or told > MAX_TOLD:
                entry = replace(entry, problems=entry.problems[:1])  # noqa: PLW2901
            entry = entry or NO_ENTRY  # noqa: PLW2901
            entries.append(entry)
            progress(len(entries), count)
            if entry.problems:
                problems += len(entry.problems)
                told += sum(problem.size for problem in entry.problems)
        if left:
            for at, entry in zip(left, self._read_apart(list(left.values())), strict=True):
                entries[at] = entry
        return entries

    def _read_once(self, files: Iterable[File], count: int) -> Iterator[tuple[File, FileEntry | None]]:
        """Each file with what it declares; None where that failed or may take long, and when the time is up."""
        readers = count_readers(count) if count >= COPIES_FROM else 1
        if readers > 1:
            return read_in_copies(partial(_read_in_time, self._read_if_quick), list(files), readers)
        if count >= PARALLEL_FROM:
            return read_in_parallel(self.kinds, files, self._faults.known.by_subject.keys())
        return _read_in_time(self._read_if_quick, files)

    def _read_if_quick(self, path: str, data: bytes) -> FileEntry | None:
        if is_known(self._faults.known.by_subject.keys(), self.kinds, path, data):
            return None
        decoded = decode(path, data)
        return None if self._validator.is_costly(decoded) else self._validator.check(path, decoded)

    def _read_apart(self, files: list[File]) -> list[FileEntry]:
        subjects = [name_file(self.kinds, path, data) for path, data in files]
        known = self._faults.known.by_subject
        new = [file for file, subject in zip(files, subjects, strict=True) if subject not in known]
        answers = iter(self._judge_apart(new))
        return [
            _unreadable(path, known[subject]) if subject in known else next(answers)
            for (path, _), subject in zip(files, subjects, strict=True)
        ]

    def _judge_apart(self, files: list[File]) -> list[FileEntry]:
        if not files:
            return []
        answer = self._faults.call_apart(_read_each, self.kinds, files)
        answers = dict(zip(files, [answer] * len(files) if answer.fault else answer.value, strict=True))
        for (path, data), one in answers.items():
            if one.fault:
                self._faults.log_fault(path, one)
                self._faults.known.learn({name_file(self.kinds, path, data): one.fault})
        return [_unreadable(path, one.fault) if one.fault else one.value for (path, _), one in answers.items()]

    def read_changes(self, changes: Iterable[FileChange], blobs: Blobs) -> dict[str, FileEntry]:
        """What each changed file declares now, by path; an empty entry for a deleted one."""
        entries: dict[str, FileEntry] = {}
        unread: list[FileChange] = []
        for change in changes:
            if change.blob is None:
                entries[change.path] = NO_ENTRY
            elif change.type is not EntryType.FILE:
                entries[change.path] = describe_entry(change.path, change.type)
            elif (change.path, change.blob) in self._cache:
                entries[change.path] = self._cache[change.path, change.blob]
            else:
                unread.append(change)
        contents = (data for _, data in blobs(change.blob for change in unread if change.blob is not None))
        files = zip((change.path for change in unread), contents, strict=True)
        told = (self._progress,) if len(unread) >= TOLD_FROM else ()
        for change, entry in zip(unread, self.read_files(files, len(unread), *told), strict=True):
            entries[change.path] = entry
            if len(unread) <= MAX_CACHED:  # of more, only the last ones would stay: of little use, and much memory
                self._add_to_cache(change, entry)
        return entries

    def _add_to_cache(self, change: FileChange, entry: FileEntry) -> None:
        self._cache[change.path, str(change.blob)] = entry
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)


NOT_FILES = {
    EntryType.SYMLINK: "a symlink",
    EntryType.SUBMODULE: "a submodule or another git repository",
}
"""As git commits them, a repository inside this one that nothing declares is as a submodule."""


def name_file(kinds: Kinds, path: str, data: bytes) -> str:
    """What a file's fault is known by."""
    return f"file {path} {hashlib.sha256(kinds.digest.encode() + data).hexdigest()}"


def is_known(subjects: Collection[str], kinds: Kinds, path: str, data: bytes) -> bool:
    """Whether a file is one of some subjects, which there are hardly ever any of."""
    return bool(subjects) and name_file(kinds, path, data) in subjects


def _unreadable(path: str, fault: str) -> FileEntry:
    return FileEntry(problems=(cannot_judge(path, fault),), unreadable=True)


def describe_entry(path: str, entry_type: NotContent) -> FileEntry:
    """What a path that is no regular file declares: nothing, or nothing that is known yet."""
    unreadable = entry_type is EntryType.UNMERGED or isinstance(entry_type, RefusedFile)
    return FileEntry(problems=(not_a_file_problem(path, entry_type),), unreadable=unreadable)


def not_a_file_problem(path: str, entry_type: NotContent, severity: Severity = Severity.WARNING) -> Problem:
    """The problem of a path that is not a regular file, where configuration could be."""
    if isinstance(entry_type, RefusedFile):
        message = f"git cannot commit this file: {entry_type.reason}"
        return Problem(path, 1, 1, "not-committable", "", message, NOT_COMMITTABLE)
    if entry_type is EntryType.UNMERGED:
        return Problem(
            path=path,
            line=1,
            column=1,
            code="unmerged",
            pointer="",
            message="this file is unmerged: no commit can be made of it",
            hint="resolve the conflict, then git add it",
        )
    name = path.rpartition("/")[2]
    rename = f"or give it a name that does not end in .{name.rpartition('.')[2]}"
    elsewhere = "or name it in exclude, in reconciler.yaml"
    if severity is Severity.ERROR:
        elsewhere = "or name another folder in reconciler.yaml (schemas, policies)"
    instead = rename if name.endswith(NAMED_AS_FILES) else elsewhere
    return Problem(
        path=path,
        line=1,
        column=1,
        code="not-a-file",
        pointer="",
        message=f"this is {NOT_FILES[entry_type]}, which is not followed: nothing in it counts",
        hint=f"put {'the file itself' if name.endswith(NAMED_AS_FILES) else 'the files themselves'} there, {instead}",
        severity=severity,
    )


def _read_in_time(
    read: Callable[[str, bytes], FileEntry | None], files: Iterable[File]
) -> Iterator[tuple[File, FileEntry | None]]:
    """Each file with what it declares; None when reading it fails, by its own fault, and when the time is up.

    Each by itself takes a second or few, which its size and its schema see to; all of them could take hours.
    """
    began, allowed = time.thread_time(), CPU_SECONDS
    for path, data in files:
        allowed += len(data) / MEGABYTE
        entry = None
        if time.thread_time() - began < allowed:
            try:
                entry = read(path, data)
            except BaseException as error:
                if not is_commit_fault(error):
                    raise
        yield (path, data), entry


def _read_each(kinds: Kinds, files: list[File]) -> list[Answer]:
    """What each file declares, or why it cannot be read. For a fresh process."""
    validator = Validator(kinds)
    return [call_here(_read_one, validator, path, data) for path, data in files]


def _read_one(validator: Validator, path: str, data: bytes) -> FileEntry:
    return validator.check(path, decode(path, data))


def read_in_parallel(
    kinds: Kinds, files: Iterable[File], known: Collection[str] = ()
) -> Iterator[tuple[File, FileEntry | None]]:
    """Each file with what it declares, in order, read by worker processes; with None where reading it failed.

    Those that are known to fail are not tried.
    """
    # Few repositories have so many files, and the imports would take a twentieth of the time of a small check
    from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
    from multiprocessing import get_context

    workers = os.cpu_count() or 1
    in_flight: deque[tuple[list[File], Future[ReadChunk]]] = deque()
    left = CPU_SECONDS
    context = get_context("spawn")  # a fork would inherit the engines and threads of this process
    with ProcessPoolExecutor(workers, context, _start_worker, (kinds, frozenset(known), gc.get_threshold())) as pool:
        try:
            for chunk in chain(slices(files, CHUNK), repeat([], workers * CHUNKS_PER_WORKER)):
                in_flight.append((chunk, pool.submit(_read_chunk, chunk if left > 0 else [])))
                if len(in_flight) >= workers * CHUNKS_PER_WORKER:
                    read, future = in_flight.popleft()
                    entries, seconds = future.result()
                    left += sum(len(data) for _, data in read) / MEGABYTE - seconds
                    for file, entry in zip_longest(read, entries):
                        yield file, unpack(file[0], entry)
        except BrokenExecutor as error:
            message = "a process that reads files was ended from outside"
            raise RetryLater(message, hint="see that there is a gigabyte of free memory") from error


class _Worker:
    """What a worker process keeps between chunks."""

    read: Callable[[str, bytes], FileEntry | None]


def _start_worker(kinds: Kinds, known: frozenset[str], threshold: tuple[int, int, int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for the process that started this one
    if sys.platform != "win32":  # which has no nice values
        os.nice(NICE)
    gc.set_threshold(*threshold)
    validator = Validator(kinds)

    def read(path: str, data: bytes) -> FileEntry | None:
        return None if is_known(known, kinds, path, data) else _read_one(validator, path, data)

    _Worker.read = read


def _read_chunk(files: list[File]) -> ReadChunk:
    began = time.thread_time()
    share = Shared()
    entries = [pack(entry, share) for _, entry in _read_in_time(_Worker.read, files)]
    return entries, time.thread_time() - began


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
    at_line = (document for document in documents if document.marks[""].line == problem.line)
    document = documents[0] if len(documents) == 1 else next(at_line, None)
    mark = Mark(problem.line, 1) if document is None else _find_mark(problem, document)
    return replace(problem, line=mark.line, column=mark.column)


def _find_mark(problem: Problem, document: Document) -> Mark:
    pointer = problem.pointer
    while pointer not in document.marks:
        pointer = pointer.rpartition("/")[0]
    return document.marks[pointer]
