"""Blocks to lines: two spaces for each level, lists too, and never two blank lines in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.format.cursor import INDENT
from reconciler.format.values import spaced

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.format.tree import Block, Entry


class Writer:
    """Collects the lines of a file in `lines`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._may_break = False
        """Whether a blank line may come next: not where a block begins, and not where it would count as text."""

    def document(self, head: Iterable[str], block: Block) -> None:
        """Add a document."""
        self.comments(head, 0)
        self._block(_lifted(block), 0)

    def comments(self, comments: Iterable[str], indent: int) -> None:
        """Add comments and the blank lines among them."""
        for comment in comments:
            if comment:
                self._line(" " * indent + comment)
            elif self._may_break:
                self._line("", may_break=False)

    def begin(self, mark: str | None) -> None:
        """Begin a document, with the line that parts it from the one before when it has one."""
        self.verbatim(() if mark is None else (mark,))

    def verbatim(self, lines: Iterable[str]) -> None:
        """Add lines as they are."""
        self.lines.extend(lines)
        self._may_break = False

    def _block(self, block: Block, indent: int) -> None:
        for entry in block.entries:
            self._entry(entry, indent)
        self.comments(block.tail, indent)

    def _entry(self, entry: Entry, indent: int) -> None:
        self.comments(entry.head, indent)
        if entry.body is not None and _is_compact(entry):
            first = len(self.lines)
            self._block(entry.body, indent + INDENT)
            self.lines[first] = f"{' ' * indent}- {self.lines[first][indent + INDENT :]}"
            return
        self._line(" " * indent + spaced(entry.opening, entry.comment), may_break=entry.body is None)
        self.lines.extend(" " * indent + line if line else "" for line in entry.raw)
        if entry.body is not None:
            self._block(entry.body, indent + INDENT)
        self._may_break = self._may_break and not entry.keeps
        self.comments(entry.below, indent + (len(entry.opening) + INDENT if entry.aligned else INDENT))

    def _line(self, text: str, *, may_break: bool = True) -> None:
        self.lines.append(text)
        self._may_break = may_break


def _is_compact(entry: Entry) -> bool:
    """Whether the first line of the body stands behind the dash."""
    return entry.opening == "-" and not entry.comment


def _lifted(block: Block) -> Block:
    """The block with comments that would come between a dash and what is behind it above that dash."""
    return block._replace(entries=tuple(_lifted_entry(entry) for entry in block.entries))


def _lifted_entry(entry: Entry) -> Entry:
    if entry.body is None:
        return entry
    body = _lifted(entry.body)
    if not _is_compact(entry):
        return entry._replace(body=body)
    first, *others = body.entries
    body = body._replace(entries=(first._replace(head=()), *others))
    return entry._replace(head=(*entry.head, *first.head), body=body)
