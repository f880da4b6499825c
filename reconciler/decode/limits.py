"""How much one file may hold. Whatever is over a limit is refused in milliseconds, before it can cost more.

A file of one resource has about 40 nodes on 3 levels in half a kilobyte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yaml.nodes import Node

MAX_BYTES = 1024 * 1024
"""Size of a file."""

MAX_DEPTH = 64
"""Mappings and lists inside each other."""

MAX_NODES = 50_000
"""Keys and values in a file, as written."""

MAX_KEY = 255
"""Characters of a key."""

NODE_WEIGHT = 40
MAX_WEIGHT = NODE_WEIGHT * MAX_NODES
"""What a file with aliases may weigh once they are replaced by what they stand for: `NODE_WEIGHT` for each key and
value, and one for each character of it."""

MAX_PROBLEMS = 1_000
"""Problems told about one file; by then somebody has to look at it as a whole."""

MAX_RESTARTS = 10
"""Documents with broken syntax in one file that are skipped to look at those after them."""


class LimitExceededError(Exception):
    """A file is over a limit. `node` is the last one that was reached; never leaves this package."""

    def __init__(self, message: str, hint: str, node: Node | None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.node = node


def too_deep(node: Node | None) -> LimitExceededError:
    """Too many levels."""
    return LimitExceededError(
        f"mappings and lists are nested more than {MAX_DEPTH} levels deep", "configuration needs three or four", node
    )


def too_many(node: Node | None) -> LimitExceededError:
    """Too many nodes as written."""
    return LimitExceededError(
        f"the file has more than {MAX_NODES:,} keys and values", "spread the documents over several files", node
    )


def too_expanded(node: Node | None) -> LimitExceededError:
    """Too many nodes once aliases are expanded: a bomb, such as "billion laughs"."""
    return LimitExceededError(
        "the aliases (*name) of this file expand to far more than a file may hold", "write the values out", node
    )


def too_wrong(node: Node | None) -> LimitExceededError:
    """Too many problems."""
    return LimitExceededError(
        f"the file has more than {MAX_PROBLEMS:,} problems; the rest is not shown", "mend the first ones", node
    )


def long_key(node: Node | None) -> LimitExceededError:
    """A key that cannot be a field's name."""
    return LimitExceededError(f"a key has more than {MAX_KEY} characters", "a colon or a quote may be missing", node)
