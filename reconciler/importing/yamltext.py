"""A document to YAML text in the style of hand-written files, so that every reader reads the same values back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.authoring.scalars import scalar, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.canonical import Value

INDENT = "  "


def document_text(document: Mapping[str, Value], comment: str = "") -> str:
    """The text of a document, with a comment as its first line where there is one."""
    head = f"# {comment}\n" if comment else ""
    return head + "".join(f"{line}\n" for line in _mapping(document))


def _mapping(mapping: Mapping[str, Value]) -> Iterator[str]:
    for key, value in mapping.items():
        yield from _under(f"{scalar(key)}:", value)


def _sequence(items: list[Value]) -> Iterator[str]:
    for item in items:
        lines = [*_under("-", item)]
        if isinstance(item, dict) and item:  # the first key stands behind the hyphen
            lines = [f"- {lines[1].removeprefix(INDENT)}", *lines[2:]]
        yield from lines


def _under(head: str, value: Value) -> Iterator[str]:
    """A value behind a key or hyphen: on the same line if it fits there, else indented below."""
    if isinstance(value, dict) and value:
        yield head
        yield from (INDENT + line for line in _mapping(value))
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        yield head
        yield from (INDENT + line for line in _sequence(value))
    else:
        yield f"{head} {written(value)}"
