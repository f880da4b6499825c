"""JSON Pointers (RFC 6901), and where the values they name stand in a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.problem import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_START = Mark(1, 1)


def child(pointer: str, token: str | int) -> str:
    """The pointer to a member of what `pointer` names."""
    return f"{pointer}/{str(token).replace('~', '~0').replace('/', '~1')}"


def join(tokens: Iterable[str | int]) -> str:
    """The pointer that goes through these keys and indexes."""
    pointer = ""
    for token in tokens:
        pointer = child(pointer, token)
    return pointer


def split(pointer: str) -> list[str]:
    """The keys and indexes a pointer goes through."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def is_within(pointer: str, outer: str) -> bool:
    """Whether a pointer names the same value as `outer`, or something inside it."""
    return pointer == outer or pointer.startswith(f"{outer}/")


def value_at(root: Any, pointer: str) -> Any:
    """The value a pointer names. Raises KeyError when there is none."""
    value = root
    for token in split(pointer):
        if isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        elif isinstance(value, dict) and token in value:
            value = value[token]
        else:
            raise KeyError(pointer)
    return value


def locate(marks: Mapping[str, Mark], pointer: str, *, of_key: bool = False) -> Mark:
    """Where a value stands, or its key; what is not in the text stands where the nearest thing around it does."""
    for candidate in _nearest(pointer, of_key=of_key):
        mark = marks.get(candidate)
        if mark is not None:
            return mark
    return _START


def _nearest(pointer: str, *, of_key: bool) -> Iterator[str]:
    if of_key:
        yield f"{pointer}#"
    yield pointer
    while pointer:
        pointer = pointer.rpartition("/")[0]
        yield f"{pointer}#"
        yield pointer
