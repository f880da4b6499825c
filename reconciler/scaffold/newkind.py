"""A kind made from what somebody has already: values that a program reads, or a JSON Schema of them. Pure.

What it says is a beginning: the types are those of the values, and what a field means and may be is left to a person.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct, field

from reconciler.kinds.kind import ANNOTATION, INTEGER_MAX, INTEGER_MIN, TIMESTAMPS, SqlType, child, split
from reconciler.kinds.parts import list_parts
from reconciler.kinds.references import DIALECT, resolve_refs
from reconciler.validate.validator import is_secret_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.canonical import Value

MAX_NAME = 60
"""Characters of a column's name."""
MAX_RESOURCE_NAME = 63
NAME = {"type": "string", "minLength": 1, "maxLength": MAX_RESOURCE_NAME, "pattern": "^[a-z0-9][a-z0-9.-]*$"}
TEXTS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 255}}
UUIDS = {"type": "string", "format": "uuid"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,39}")
_RULES = ("dependentRequired", "dependentSchemas", "if", "then", "else", "allOf", "anyOf", "oneOf", "not")
_SCALARS = {"number": SqlType.FLOAT, "integer": SqlType.INTEGER, "boolean": SqlType.BOOLEAN}


class Sample(Struct, frozen=True):
    """Values of one thing, and of others of its kind: the first is to become a resource.

    `name` is what it may be called, `source` the file that the values are from, `remarks` what that says of a field.
    """

    name: str
    source: str
    records: Sequence[Mapping[str, Value]]
    remarks: Mapping[str, str] = field(default_factory=dict)


class NewKind(Struct, frozen=True):
    """The schema of a kind, what a first resource of it has in its spec, and what was left out or renamed."""

    schema: dict[str, Any]
    spec: dict[str, Value]
    name: str
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """The schema as a file, with escapes for what nobody could see."""
        text = json.dumps(self.schema, indent=2, ensure_ascii=False) + "\n"
        return "".join(f"\\u{ord(one):04x}" if _is_hidden(one) else one for one in text)


def kind_name(word: str) -> str | None:
    """A word as the name of a kind, such as `TradingVenue` for `trading-venue`; None where it cannot be one."""
    name = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", word))
    return name if _KIND.fullmatch(name) else None


def resource_name(text: str) -> str:
    """A text as the name of a resource; `first` where nothing of it can be."""
    return re.sub(r"[^a-z0-9.-]+", "-", text.lower()).strip("-.")[:MAX_RESOURCE_NAME] or "first"


def derive_kind(kind: str, sample: Sample) -> NewKind:
    """A kind with a column for each field of a sample."""
    notes: list[str] = []
    columns = _Columns(kind, notes)
    spec: dict[str, Value] = {}
    first = sample.records[0]
    for key in dict.fromkeys(key for record in sample.records for key in record):
        values = [record.get(key) for record in sample.records]
        named = key == "name" and isinstance(first.get(key), str)
        if named or not columns.may_hold(key):
            continue
        part = _infer([value for value in values if value is not None])
        if part == UUIDS and columns.is_key(key):
            spec[columns.key] = first.get(key)
            continue
        if part is None:
            notes.append(f"{key} is left out: its values are of several types, and a column has one")
            continue
        remark = _visible(sample.remarks.get(key) or f"{key} in {sample.source}.")
        name = columns.add(key, {"description": remark, **part}, required=None not in values)
        if first.get(key) is not None:
            spec[name] = _without_secrets(first[key])
    called = first.get("name")
    return columns.build(
        _visible(f"Made from {sample.source}."), spec, called if isinstance(called, str) else sample.name
    )


def wrap_schema(kind: str, schema: Mapping[str, Any], source: str) -> NewKind:
    """A kind whose columns are the properties of a schema of values."""
    notes: list[str] = []
    columns = _Columns(kind, notes)
    own = _of_this_draft(schema)
    if "properties" not in own and "$ref" in own:
        own = {**own, **resolve_refs(own, own)}
    required = own.get("required", ())
    for key, written in own.get("properties", {}).items():
        if not columns.may_hold(key):
            continue
        part, optional = _column_part(own, written)
        if part is None:
            notes.append(f"{key} is left out: it may be of several types, and a column has one")
            continue
        told = {"description": f"{key} in {source}.", **part}
        columns.add(key, told, required=key in required and not optional)
    rules = {keyword: own[keyword] for keyword in _RULES if keyword in own}
    if rules and columns.renamed:
        notes.append(f"{', '.join(rules)} of the whole are left out: they name fields that are called otherwise now")
        rules = {}
    made = columns.build(str(own.get("description") or own.get("title") or f"Made from {source}."), {}, "first", rules)
    if "$defs" in own:
        made.schema["$defs"] = own["$defs"]
    _move_references(made.schema, columns.names)
    return made


class _Columns:
    """The columns of a kind that is being made, and what they are called."""

    def __init__(self, kind: str, notes: list[str]) -> None:
        self._kind = kind
        self._notes = notes
        self._stem = _column_name(kind)
        self.key = f"{self._stem}_id"
        self.names: dict[str, str] = {}
        self._fields: dict[str, Any] = {}
        self._types: dict[str, str] = {self.key: SqlType.UUID}
        self._required: list[str] = []

    @property
    def renamed(self) -> bool:
        return any(key != name for key, name in self.names.items())

    def is_key(self, key: str) -> bool:
        """Whether a field is called as the key column is."""
        return _column_name(key) == self.key

    def may_hold(self, key: str) -> bool:
        """Whether a field may be configuration at all."""
        if is_secret_name(key):
            self._notes.append(f"{key} is left out: it looks like a secret, and what is committed stays in every clone")
            return False
        if _column_name(key) in TIMESTAMPS:
            self._notes.append(f"{key} is left out: it comes from git")
            return False
        return True

    def add(self, key: str, part: dict[str, Any], *, required: bool) -> str:
        """A column for a field; its name."""
        name = stem = _column_name(key)
        taken = {self.key, *self._fields}
        number = 2
        while name in taken:
            name, number = f"{stem[: MAX_NAME - 4]}_{number}", number + 1
        if name != key:
            self._notes.append(f"{key} is called {name}")
        self.names[key] = name
        self._fields[name] = part
        self._types[name] = _sql_type(part)
        if required:
            self._required.append(name)
        return name

    def build(
        self, description: str, spec: Mapping[str, Value], called: str, rules: Mapping[str, Any] | None = None
    ) -> NewKind:
        """The kind with all columns."""
        key = {"description": "The id, a UUID. Left out, it is made from kind and name.", **UUIDS}
        metadata = {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": {"name": dict(NAME), "labels": TEXTS, "annotations": TEXTS},
        }
        members = {
            "apiVersion": {"const": "reconciler/v1"},
            "kind": {"const": self._kind},
            "metadata": metadata,
            "spec": {
                "type": "object",
                "additionalProperties": False,
                "required": self._required,
                "properties": {self.key: key, **self._fields},
                **(rules or {}),
            },
        }
        schema = {
            "$schema": DIALECT,
            "description": description,
            "type": "object",
            "additionalProperties": False,
            "required": ["apiVersion", "kind", "metadata", "spec"],
            "properties": members,
            ANNOTATION: {
                "table": f"{self._stem[: MAX_NAME - 7]}_config",
                "key": self.key,
                "columns": self._types,
                "indexes": [],
                "references": {},
            },
        }
        return NewKind(schema, dict(spec), resource_name(called), tuple(self._notes))


def _is_hidden(character: str) -> bool:
    return not character.isprintable() and character != "\n" and ord(character) < 2**16


def _visible(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _column_name(text: str) -> str:
    """A name as columns have it: `MaxSpread` becomes `max_spread`."""
    words = [word.lower() for word in _WORD.findall(text)] or ["field"]
    name = "_".join(words)
    return (name if name[0].isalpha() else f"n_{name}")[:MAX_NAME]


def _sql_type(part: Mapping[str, Any]) -> str:
    type_ = part["type"]
    if type_ in _SCALARS:
        return _SCALARS[type_]
    if type_ in ("object", "array"):
        return SqlType.JSON
    if part.get("format") == "uuid":
        return SqlType.UUID
    longest = part.get("maxLength", max((len(str(word)) for word in part.get("enum", ())), default=0))
    return f"{SqlType.VARCHAR}({longest})" if 0 < longest < 100_000 else SqlType.VARCHAR  # noqa: PLR2004


def _infer(values: Sequence[Value]) -> dict[str, Any] | None:
    """The schema of some values that are there; None where they are of several types."""
    if not values:
        return {"type": "string"}
    types = {_type_of(value) for value in values}
    if types == {"integer", "number"}:
        return {"type": "number"}
    if len(types) > 1:
        return None
    (type_,) = types
    if type_ == "string" and all(map(_is_uuid, values)):
        return dict(UUIDS)
    if type_ == "array":
        items = _infer([item for value in values if isinstance(value, list) for item in value if item is not None])
        return {"type": "array", **({"items": items} if items and any(values) else {})}
    return {"type": type_}


def _type_of(value: Value) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer" if INTEGER_MIN <= value <= INTEGER_MAX else "number"
        case float():
            return "number"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "string"


def _is_uuid(value: Value) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value.lower()
    except ValueError:
        return False


def _without_secrets(value: Value) -> Value:
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_secrets(item) for key, item in value.items() if not is_secret_name(key)}
    return value


def _of_this_draft(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with the words of older drafts as this one has them, as far as they mean the same."""
    own: dict[str, Any] = json.loads(json.dumps(schema))
    if "definitions" in own:
        own["$defs"] = {**own.pop("definitions"), **own.get("$defs", {})}
    for part in list_parts(own).values():
        assert isinstance(part, dict)
        part.pop("$schema", None)
        if "id" in part:
            part.setdefault("$id", part.pop("id"))
        if str(part.get("$ref", "")).startswith("#/definitions/"):
            part["$ref"] = part["$ref"].replace("#/definitions/", "#/$defs/", 1)
    return own


def _column_part(schema: Mapping[str, Any], written: Any) -> tuple[dict[str, Any] | None, bool]:
    """A property as a column's schema, None where it cannot be one; and whether it may be null."""
    part = resolve_refs(schema, written) if isinstance(written, dict) else {}
    types = part.get("type")
    named = [types] if isinstance(types, str) else [type_ for type_ in types or () if type_ != "null"]
    optional = isinstance(types, list) and "null" in types
    if not named and isinstance(part.get("properties"), dict):
        named = ["object"]
    if len(named) != 1 or named[0] == "null" or not isinstance(written, dict):
        return None, optional
    return {**written, "type": named[0]}, optional


def _move_references(schema: dict[str, Any], names: Mapping[str, str]) -> None:
    """Let references to places of the schema of values lead to where these are in the kind's."""
    for part in list_parts(schema).values():
        reference = part.get("$ref")
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            continue
        assert isinstance(part, dict)
        tokens = split(reference.removeprefix("#"))
        if tokens[:1] == ["properties"] and len(tokens) > 1:
            tokens[1] = names.get(tokens[1], tokens[1])
        if tokens[:1] != ["$defs"]:
            part["$ref"] = "#/properties/spec" + "".join(child("", token) for token in tokens)
