"""What files declare, as it crosses from the process that read them to the one that asked.

A hundred thousand of them are in memory at once: a text that many have is one object, and what nearly all leave out is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.change import FileEntry, Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.canonical import Value

    PackedResource = tuple[str, str, str, Mapping[str, Value], Any, Any, Any, int, str]
    Packed = FileEntry | tuple[int, tuple[PackedResource, ...]] | None
    """Of a file without problems: how many documents there are, and the resources without its path."""


NOTHING: dict[str, Any] = {}
"""What resources without labels, annotations or references share."""


class Shared(dict[str, str]):
    """Each text as the object that it was first: pickle writes one object once, and for the reader it is one again."""

    def __missing__(self, text: str) -> str:
        self[text] = text
        return text

    def texts(self, texts: Mapping[str, str]) -> dict[str, str] | None:
        """The same texts; None for none."""
        return {self[name]: self[text] for name, text in texts.items()} or None


def pack(entry: FileEntry | None, shared: Shared) -> Packed:
    """What a file declares, without its path, which the other process has. Half as much to write."""
    if entry is None or entry.problems or entry.identified or entry.unreadable:
        return entry
    return entry.documents, tuple(
        (
            *(shared[resource.kind], resource.name, resource.id),
            {name: shared[value] if type(value) is str else value for name, value in resource.values.items()},
            *(shared.texts(resource.labels), shared.texts(resource.annotations)),
            {role: tuple(shared[name] for name in names) for role, names in resource.refs.items()} or None,
            *(resource.line, resource.digest),
        )
        for resource in entry.resources
    )


def unpack(path: str, packed: Packed) -> FileEntry | None:
    """What the file at a path declares."""
    if packed is None or isinstance(packed, FileEntry):
        return packed
    documents, resources = packed
    unpacked = (
        Resource(
            *(kind, name, row_id, values),
            *(labels or NOTHING, annotations or NOTHING, refs or NOTHING),
            *(path, line, digest),
        )
        for kind, name, row_id, values, labels, annotations, refs, line, digest in resources
    )
    return FileEntry(tuple(unpacked), documents=documents)
