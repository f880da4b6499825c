"""Long work in slices: between two of them other threads have their turn.

Sorting or copying a hundred thousand values is one step for the interpreter, a quarter of a second in which nobody
else may compute: a daemon answers no question meanwhile. In slices it takes as long, and lets others in.
"""

from __future__ import annotations

from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SLICE = 2_000
"""Values in each slice: some milliseconds."""
T = TypeVar("T")


def slices(values: Iterable[T], size: int = SLICE) -> Iterator[list[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def in_order(values: Iterable[T], key: Callable[[T], Any] | None = None) -> list[T]:
    """Like `sorted`."""
    runs = [sorted(chunk, key=key) for chunk in slices(values)]  # type: ignore[type-var,arg-type]
    return runs[0] if len(runs) == 1 else list(merge(*runs, key=key))  # type: ignore[arg-type]
