"""Reading a sound schema: JSON Pointers (RFC 6901) into it, its `$ref`s, and the kind it describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.kinds.kind import Column, Kind, Reference, SqlType
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
    """The place of a value, or of its key; of what is not in the text, the place of the nearest value around it."""
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


ANNOTATION = "x-reconciler"
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def build_kind(schema: Mapping[str, Any], origin: str) -> Kind:
    """The kind a sound schema describes; `origin` is the file it is from, for messages.

    A schema that `load_kinds` did not see may raise KeyError: those kept in a store were sound when they came in.
    """
    annotation = schema[ANNOTATION]
    key: str = annotation["key"]
    names = [key, *(name for name in annotation["columns"] if name != key)]
    references = annotation["references"].items()
    return Kind(
        name=schema["properties"]["kind"]["const"],
        table=annotation["table"],
        key=key,
        columns=tuple(_column(schema, name) for name in names),
        indexes=tuple(tuple(index) for index in annotation["indexes"]),
        references=tuple(Reference(role, one["kind"], one["many"]) for role, one in references),
        schema=schema,
        origin=origin,
        digest=canonical.digest(schema),
    )


def resolve_refs(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of a schema with its own `$ref` followed; keywords beside a `$ref` override those it refers to."""
    while "$ref" in part:
        beside = {keyword: value for keyword, value in part.items() if keyword != "$ref"}
        part = {**value_at(schema, part["$ref"].removeprefix("#")), **beside}
    return part


def parse_sql_type(text: str) -> tuple[SqlType, int | None]:
    """`VARCHAR(20)` as its type and length; the length of all others is None."""
    name, _, length = text.removesuffix(")").partition("(")
    return SqlType(name), int(length) if length else None


def _column(schema: Mapping[str, Any], name: str) -> Column:
    annotation = schema[ANNOTATION]
    spec = schema["properties"]["spec"]
    field = resolve_refs(schema, spec["properties"][name])
    kind, length = parse_sql_type(annotation["columns"][name])
    return Column(
        name=name,
        type=kind,
        length=length,
        required=name == annotation["key"] or name in spec["required"],
        enum=tuple(word for word in field.get("enum", ()) if isinstance(word, str)),
        bounds={bound: field[bound] for bound in BOUNDS if bound in field},
        unit=annotation.get("units", {}).get(name, ""),
        description=field["description"],
    )
