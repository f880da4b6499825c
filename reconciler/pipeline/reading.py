"""Files to entries: decode and validate, remembering what was read lately."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from reconciler.decode.document import decode
from reconciler.model.commit import EntryType
from reconciler.model.problem import Problem, Severity
from reconciler.model.resource import FileEntry
from reconciler.snapshot.tree import NOTHING
from reconciler.validate.validator import Validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import FileChange

    Blobs = Callable[[Iterable[str]], Iterator[tuple[str, bytes]]]

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
            from reconciler.pipeline.parallel import read_in_parallel

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
