"""What people type for a field and its new value: `leverage=50`, `labels.desk=fx`, `refs.broker=NAME`, `stop_loss-`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yaml.nodes import ScalarNode

from reconciler.decode.build import OddScalar, resolve_scalar
from reconciler.decode.document import decode
from reconciler.editing.text import Edit
from reconciler.errors import UsageError
from reconciler.format.format import KeyOrder, compose_nodes, format_text
from reconciler.kinds.kind import Kinds, join
from reconciler.scaffold.yamltext import write_scalar, write_value
from reconciler.validate.finding import field_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind

ENVELOPE = ("metadata", "spec")
MEMBERS = ("labels", "annotations", "refs")
FREE = ("labels", "annotations")
"""Whose keys people choose: they may have dots."""
NAME = "name"
UNSET = "-"
PROPERTIES = "&!"
"""What begins an anchor or a tag."""
TYPES_OF: Mapping[type, tuple[str, ...]] = {
    type(None): ("null",),
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    str: ("string",),
    list: ("array",),
    dict: ("object",),
}
"""JSON Schema's types of a value."""
_FIELD = "v"


def is_assignment(word: str) -> bool:
    """Whether a word sets or unsets a field: no name has a `=`, or ends in a hyphen."""
    return "=" in word or word.endswith(UNSET)


def parse_assignments(kind: Kind, words: Iterable[str]) -> tuple[Edit, ...]:
    """The edits that words ask for. Raises `UsageError` for one that cannot be read, and for a field named twice."""
    edits: dict[tuple[str, ...], Edit] = {}
    for word in words:
        edit = _parse(kind, word)
        for keys in edits:
            if keys[: len(edit.keys)] == edit.keys[: len(keys)]:
                raise UsageError(f"{'.'.join(edit.keys)} is there twice", hint="give each field one value")
        edits[edit.keys] = edit
    return tuple(edits.values())


def make_edit(kind: Kind, field: str, value: Value) -> Edit:
    """The edit that gives a field a value; None leaves it out. For callers that have values, not what people type."""
    keys = field_keys(kind, field)
    return Edit(keys) if value is None else Edit(keys, value, write_value(value))


def field_keys(kind: Kind, field: str) -> tuple[str, ...]:
    """The keys that lead to a field: `metadata.` and `spec.` may be left out, a dot leads into a mapping."""
    first, *rest = field.split(".")
    if first in ENVELOPE and rest:
        envelope = first
        first, *rest = rest
    else:
        known = kind.column(first) is not None
        envelope = "metadata" if not known and (first in MEMBERS or (first == NAME and not rest)) else "spec"
    if envelope == "metadata" and first in FREE and rest:
        rest = [".".join(rest)]
    keys = (envelope, first, *rest)
    if not all(keys):
        raise UsageError(f"{field} is no field", hint="such as leverage, labels.desk or refs.broker")
    return keys


def _parse(kind: Kind, word: str) -> Edit:
    field, equals, text = word.partition("=")
    if not equals:
        return Edit(field_keys(kind, field.removesuffix(UNSET)))
    keys = field_keys(kind, field)
    if not text.strip():
        hint = f"{field}- leaves the field out; {field}=\"''\" makes it an empty text"
        raise UsageError(f"{word} has no value", hint=hint)
    if not text.isprintable():
        raise UsageError(f"the value of {field} has a line break or an invisible character", hint="edit the file")
    return _read_value(keys, text.strip(), _types_of(field_at(kind.schema, join(keys))))


def _types_of(schema: Mapping[str, Any]) -> frozenset[str]:
    types = schema.get("type", ())
    return frozenset([types] if isinstance(types, str) else types)


def _read_value(keys: tuple[str, ...], text: str, types: frozenset[str]) -> Edit:
    """The value that a text is in a field of some types: as YAML, or as the text that it is."""
    found = _read_yaml(keys, text)
    if found is not None and not found.ambiguous and _is_of(found.value, types):
        return found
    if "string" in types:
        return Edit(keys, text, write_scalar(text))
    if "array" in types and (found is None or not isinstance(found.value, list)):
        listed = _read_yaml(keys, f"[{text}]")
        if listed is not None:
            return listed
    if found is None:
        problem = next(iter(decode("", _line(text)).problems), None)
        why = f": {problem.message}" if problem else ""
        hint = problem.hint if problem else f"it is read as YAML: text with signs needs quotes, {keys[-1]}=\"'a #b'\""
        raise UsageError(f"{text} is no value for {'.'.join(keys)}{why}", hint=hint)
    return found


def _read_yaml(keys: tuple[str, ...], text: str) -> Edit | None:
    """A text as one value of YAML; None where it is none, or more than that."""
    line = _line(text)
    decoded = decode("", line)
    if text[0] in PROPERTIES or decoded.problems or len(decoded.documents) != 1:
        return None
    document = decoded.documents[0]
    if not isinstance(document.value, dict) or [*document.value] != [_FIELD]:
        return None
    value = document.value[_FIELD]
    node = compose_nodes(line.decode())[0].value[0][1]
    start, end = node.start_mark, node.end_mark
    if start.line or end.line or line.decode()[end.column :].strip():  # a comment behind it would be lost
        return None
    if not isinstance(node, ScalarNode):
        written = format_text(line.decode(), KeyOrder(Kinds(()))).strip().removeprefix(f"{_FIELD}: ")
        return Edit(keys, value, written, bool(document.ambiguous))
    if node.style or isinstance(value, str):
        is_odd = not node.style and isinstance(resolve_scalar(node.value), OddScalar)
        return Edit(keys, value, text if is_odd else write_scalar(value), is_odd)
    return Edit(keys, value, text, bool(document.ambiguous))


def _line(text: str) -> bytes:
    return f"{_FIELD}: {text}\n".encode()


def _is_of(value: Value, types: frozenset[str]) -> bool:
    """Whether a value is of one of JSON Schema's types; any is where there are none."""
    return not types or not types.isdisjoint(TYPES_OF[type(value)])
