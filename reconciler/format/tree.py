"""A document as formatting sees it: texts as they are written, and what belongs together."""

from __future__ import annotations

from typing import NamedTuple


class NotUnderstoodError(Exception):
    """A document is laid out in a way that is better left alone; never leaves this package."""


class Block(NamedTuple):
    """A mapping or list that is written line by line; `tail` holds the comments after its last entry."""

    entries: tuple[Entry, ...]
    tail: tuple[str, ...]


class Entry(NamedTuple):
    """A key with its value, or an item of a list (`key` is None).

    `opening` is its first line without indentation and comment. What follows is a `body`, or `raw`: lines that are
    indented from where the entry is, which end with the value's own blank lines when it `keeps` them. `head` holds
    the comments above, `below` those after it that are indented deeper, `aligned` when they go on with `comment` in
    its column. Comments are without indentation, and "" is a blank line among them.
    """

    key: str | None
    head: tuple[str, ...]
    opening: str
    comment: str = ""
    body: Block | None = None
    raw: tuple[str, ...] = ()
    keeps: bool = False
    below: tuple[str, ...] = ()
    aligned: bool = False
