"""A commented YAML document to start a resource from, and the fields of a kind in words, made from its schema alone."""

from __future__ import annotations

import copy
import textwrap
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler import canonical
from reconciler.kinds.kind import BOUNDS, child, split
from reconciler.kinds.references import resolve_refs
from reconciler.scaffold.yamltext import write_value
from reconciler.validate.finding import describe_range, unit_at
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Column, Kind
    from reconciler.scaffold.sample import Samples


class FieldDescription(Struct, frozen=True):
    """One field: its name, SQL type, unit, allowed values, and its description in the schema."""

    name: str
    type: str
    unit: str
    allowed: str
    required: bool
    description: str


def describe_fields(kind: Kind) -> tuple[FieldDescription, ...]:
    """The columns in their order, then the references (`refs.ROLE`, of type `Kind` or `Kind, …`)."""
    return (*(_column(kind, column) for column in kind.columns), *_references(kind))


def allowed_values(part: Mapping[str, Any], unit: str) -> str:
    """The words or numbers that a field may have: `BUY, SELL or BOTH`, `1 to 1000 trades`; empty for free text."""
    if part.get("enum"):
        *others, last = map(canonical.text, part["enum"])
        return f"{', '.join(others)} or {last}" if others else last
    if part.get("type") == "boolean":
        return "true or false"
    bounds = {bound: part[bound] for bound in BOUNDS if bound in part}
    return describe_range(bounds, unit) if bounds else ""


def _column(kind: Kind, column: Column) -> FieldDescription:
    spec = kind.schema["properties"]["spec"]
    part = resolve_refs(kind.schema, spec["properties"][column.name])
    length = part.get("maxLength")
    values = allowed_values(part, "") or (f"at most {length} characters" if length is not None else "")
    written = f"{column.type}({column.length})" if column.length is not None else str(column.type)
    return FieldDescription(
        column.name, written, column.unit, values, column.name in spec["required"], column.description
    )


def _references(kind: Kind) -> Iterator[FieldDescription]:
    metadata = kind.schema["properties"]["metadata"]
    roles = resolve_refs(kind.schema, metadata["properties"].get("refs", {}))
    for reference in kind.references:
        part = resolve_refs(kind.schema, roles["properties"][reference.role])
        required = "refs" in metadata["required"] and reference.role in roles.get("required", ())
        what = f"names of {reference.kind}" if reference.many else f"name of {reference.kind}"
        yield FieldDescription(f"refs.{reference.role}", what, "", "", required, str(part.get("description", "")))


WIDTH = 120
"""The longest line; a comment that would make it longer goes above it."""

INDENT = "  "
ENVELOPE = ("apiVersion", "kind", "metadata", "spec")
METADATA = ("name", "labels", "annotations", "refs")


MARK = "CHANGE-ME"
"""Begins the comment of a value that only a person knows."""


class _Position(Struct, frozen=True):
    """Where a line goes: how deep, and from which depth on it is commented out (None when it counts)."""

    kind: Kind
    unknown: Collection[str]
    depth: int = 0
    off: int | None = None

    def line(self, text: str) -> str:
        if self.off is None:
            return INDENT * self.depth + text
        return f"{INDENT * self.off}# {INDENT * (self.depth - self.off)}{text}"

    def remark(self, text: str) -> Iterator[str]:
        start = INDENT * (self.depth if self.off is None else self.off)
        yield from textwrap.wrap(
            _on_one_line(text),
            WIDTH,
            initial_indent=f"{start}# ",
            subsequent_indent=f"{start}# ",
            break_on_hyphens=False,
        )


def _on_one_line(text: str) -> str:
    """A text as a comment may hold it: every kind of line break ends one, and not every character may be in one."""
    return "".join(character if character.isprintable() else " " for character in " ".join(text.split()))


def build_template(kind: Kind, samples: Samples, schema_address: str, unknown: Collection[str] = frozenset()) -> str:
    """The text of a file that declares one resource: what is required filled in, what is optional commented out.

    `schema_address` is where editors find the kind's schema, relative to the file. The values at the pointers `unknown`
    are left out and marked: only a person knows them.
    """
    required = copy.deepcopy(samples.required)
    for pointer in unknown:
        _make_room(required, pointer)
    top = _Position(kind, unknown)
    head = [f"# yaml-language-server: $schema={schema_address}", *top.remark(kind.schema["description"])]
    return "\n".join([*head, *_mapping_lines(top, kind.schema, "", required, samples.full)]) + "\n"


def find_line(samples: Samples, pointer: str) -> str:
    """The pointer of the field whose line a template can mark for what is at or in a pointer.

    Empty for the document as a whole.
    """
    value: Any = samples.required
    found = ""
    for token in split(pointer):
        if not isinstance(value, dict):
            break
        found, value = child(found, token), value.get(token)
    return found


def _make_room(document: dict[str, Any], pointer: str) -> None:
    """Put a field where a document lacks it."""
    value: Any = document
    for token in split(pointer)[:-1]:
        value = value.setdefault(token, {}) if isinstance(value, dict) else {}
    if isinstance(value, dict) and pointer:
        value.setdefault(split(pointer)[-1], None)


def _mapping_lines(
    outer: _Position, part: Mapping[str, Any], pointer: str, required: Mapping[str, Any], full: Mapping[str, Any]
) -> Iterator[str]:
    """The lines of a mapping: the fields of `required`, and those that only `full` has commented out."""
    properties = part.get("properties", {})
    for name in _sort_names(outer.kind, pointer, {**properties, **required, **full}):
        if name not in required and full.get(name) in (None, {}):
            continue
        value = required[name] if name in required else full[name]
        position = outer if name in required or outer.off is not None else replace(outer, off=outer.depth)
        written = properties.get(name, part.get("additionalProperties"))
        member = resolve_refs(outer.kind.schema, written) if isinstance(written, dict) else {}
        yield from _field_lines(position, member, child(pointer, name), name, value, full.get(name))


def _sort_names(kind: Kind, pointer: str, names: Iterable[str]) -> list[str]:
    """The canonical order of `fmt`: the envelope's, then the columns', inside of them the schema's."""
    columns = tuple(column.name for column in kind.columns)
    first = {"": ENVELOPE, "/metadata": METADATA, "/spec": columns}.get(pointer, ())
    return sorted(names, key=lambda name: first.index(name) if name in first else len(first))


def _field_lines(
    position: _Position, part: Mapping[str, Any], pointer: str, name: str, value: Any, full: Any
) -> Iterator[str]:
    unknown = position.off is None and pointer in position.unknown
    envelope = unknown and pointer.count("/") == 1
    key = f"{write_value(name)}:"
    nested = isinstance(value, dict) and bool(value) and (envelope or not unknown)
    text = key if nested or unknown else f"{key} {write_value(value)}"
    description = _describe(position.kind, part, pointer)
    if unknown:
        description = (
            f"{MARK}: {'what follows is not right yet' if envelope else description or 'a value is wanted here'}"
        )
    commented = position.line(f"{text}  # {description}") if description else position.line(text)
    if len(commented) > WIDTH and description:
        yield from position.remark(description)
        commented = position.line(text)
    yield commented
    if nested:
        inner = full if isinstance(full, dict) else {}
        yield from _mapping_lines(replace(position, depth=position.depth + 1), part, pointer, value, inner)


def _describe(kind: Kind, part: Mapping[str, Any], pointer: str) -> str:
    """A field's comment: its allowed values, else its description in the schema."""
    if pointer.count("/") == 1 or pointer == "/metadata/name":
        return ""
    return _on_one_line(allowed_values(part, unit_at(kind, pointer)) or str(part.get("description", "")))
