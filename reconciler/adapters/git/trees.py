"""Paths, and what trees and differences say about them. Pure: bytes in, values out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.model.commit import EntryType, FileChange

if TYPE_CHECKING:
    from collections.abc import Iterator

SYMLINK, SUBMODULE, FOLDER = b"120000", b"160000", b"40000"
TYPES = {SYMLINK: EntryType.SYMLINK, SUBMODULE: EntryType.SUBMODULE}
LOOKS_ESCAPED = re.compile(rb"\\(?=x(?:[89a-f][0-9a-f]|5c))")


def path_text(raw: bytes) -> str:
    r"""A path as text that every UTF-8 store can hold.

    Bytes that are not UTF-8 are written as `\xNN`; a backslash that stands before what looks like such an escape
    is itself written as `\x5c`, so that two paths never get the same text. Git keeps paths as bytes; nearly all of
    them are UTF-8, and those come out as they are.
    """
    if b"\\x" in raw:
        raw = LOOKS_ESCAPED.sub(rb"\\x5c", raw)
    return raw.decode("utf-8", "backslashreplace")


def entry_type(mode: bytes) -> EntryType:
    """The type of an entry by its mode in octal; executable or not makes no difference."""
    return TYPES.get(mode, EntryType.FILE)


def parse_changes(raw: bytes) -> tuple[FileChange, ...]:
    """The records of `git diff-tree -r -z --raw`: `:old-mode new-mode old-id new-id status`, NUL, path, NUL."""
    fields = raw.split(b"\0")
    return tuple(_change(header, path) for header, path in zip(fields[:-1:2], fields[1::2], strict=True))


def _change(header: bytes, path: bytes) -> FileChange:
    _, mode, _, blob, status = header.split(b" ")
    if status == b"D":
        return FileChange(path_text(path), None)
    return FileChange(path_text(path), blob.decode(), entry_type(mode))


def tree_entries(raw: bytes, id_size: int) -> Iterator[tuple[str, bytes, str]]:
    """Name, mode and id of each entry of a tree object: `mode name`, NUL, `id_size` bytes."""
    at = 0
    while at < len(raw):
        space = raw.index(b" ", at)
        end = raw.index(b"\0", space)
        yield path_text(raw[space + 1 : end]), raw[at:space], raw[end + 1 : end + 1 + id_size].hex()
        at = end + 1 + id_size
