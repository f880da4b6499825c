"""Formatted files as text."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from reconciler.report.problems import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.format.file import Formatted


def summary(files: Sequence[Formatted], done: str, left: str) -> str:
    """`2 files reformatted, 26 files left unchanged`: what differs is counted as `done`, the rest as `left`."""
    unreadable = sum(bool(file.problems) for file in files)
    differing = sum(file.differs for file in files)
    unchanged = len(files) - differing - unreadable
    counts = ((differing, done), (unchanged, left), (unreadable, "not readable"))
    return ", ".join(f"{plural(count, 'file')} {word}" for count, word in counts if count)


def diff(file: Formatted) -> Iterator[str]:
    """The lines of a unified diff from a file to its canonical form, with what nobody would see in it written out."""
    before, after = _lines(file.before), _lines(file.after)
    yield from difflib.unified_diff(before, after, file.path, file.path, lineterm="")


def _lines(data: bytes) -> list[str]:
    *lines, rest = data.decode().replace("\r", "\\r").replace("\ufeff", "\\ufeff").split("\n")
    return [*lines, f"{rest}\n\\ No newline at end of file"] if rest else lines
