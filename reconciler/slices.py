"""Long work in slices: between two of them other threads have their turn.

Sorting, copying or freeing a hundred thousand values is one step for the interpreter, a quarter of a second in which
nobody else may compute: a daemon answers no question meanwhile. In slices it takes as long, and lets others in.
"""

from __future__ import annotations

import gc
from collections import deque
from heapq import merge
from itertools import islice
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

SLICE = 2_000
"""Values in each slice: some milliseconds."""
MAX_VISITED = 20_000
"""Objects that are looked at for large collections: those that a state consists of are among the first."""
T = TypeVar("T")


def slices(values: Iterable[T], size: int = SLICE) -> Iterator[list[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def in_order(values: Iterable[T], key: Callable[[T], Any] | None = None) -> list[T]:
    """Like `sorted`."""
    runs = [sorted(chunk, key=key) for chunk in slices(values)]  # type: ignore[type-var,arg-type]
    return runs[0] if len(runs) == 1 else list(merge(*runs, key=key))  # type: ignore[arg-type]


def contents(*roots: object) -> list[object]:
    """What is in large collections that can be reached from some objects.

    Whoever holds it, drops the objects and calls `let_go` frees them in slices: a collection alone is freed at once.
    """
    found: list[object] = []
    waiting, seen = deque(roots), set(map(id, roots))
    while waiting and len(seen) < MAX_VISITED:
        within = _referents(waiting.popleft())
        if len(within) > SLICE:
            found += within
            continue
        new = [one for one in within if id(one) not in seen]
        seen.update(map(id, new))
        waiting += new
    return found


def _referents(value: object) -> Sequence[object]:
    """What an object refers to, but for the program itself."""
    if isinstance(value, (type, ModuleType)):
        return ()
    return gc.get_referents(value.__closure__ if isinstance(value, FunctionType) else value)


def let_go(values: list[Any]) -> None:
    """Empty a list in slices, so that what nobody else holds is freed in slices."""
    while values:
        del values[-SLICE:]
