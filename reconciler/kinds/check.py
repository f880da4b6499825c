"""What is wrong with a schema file, in the order in which it is checked.

First by the meta-schema: keywords, their values, what must be there. Then `$ref` and `pattern`, which must mean the
same to every reader, without a network. Last what takes two places of a schema to see."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from jsonschema_rs import ValidationError, ValidationErrorKind, meta

from reconciler import canonical
from reconciler.kinds.engine import MAX_PATTERNS_SIZE, compile_schema, find_pattern_fault, measure_pattern
from reconciler.kinds.kind import (
    ANNOTATION,
    TIMESTAMPS,
    SqlType,
    child,
    join,
    parse_sql_type,
    value_at,
)
from reconciler.kinds.parts import Flaw, list_parts
from reconciler.kinds.references import DIALECT, find_reference_flaws, resolve_refs
from reconciler.words import closest, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema_rs import Draft202012Validator

    from reconciler.kinds.parts import Parts


def is_value_schema(value: Any) -> bool:
    """Whether a file holds a JSON Schema of values, and not one of a kind."""
    if not isinstance(value, dict) or ANNOTATION in value:
        return False
    members = value.get("properties")
    enveloped = isinstance(members, dict) and not {"apiVersion", "spec"}.isdisjoint(members)
    named = "json-schema.org" in str(value.get("$schema", ""))
    described = value.get("type") == "object" and isinstance(members, dict)
    return not enveloped and (named or described or isinstance(value.get("$defs", value.get("definitions")), dict))


DRAFTS = (
    "http://json-schema.org/draft-04/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-07/schema",
    "https://json-schema.org/draft/2019-09/schema",
    DIALECT,
)


def find_draft_fault(schema: Mapping[str, Any]) -> str:
    """Why a schema of values is none by the draft that it names; empty where nothing is wrong with it."""
    draft = str(schema.get("$schema", "")).removesuffix("#")
    known = {**schema, "$schema": draft if draft in DRAFTS else DIALECT}
    try:
        meta.validate(known)
    except ValidationError as error:
        return f"{join(error.instance_path) or 'the schema'}: {error.message}"
    return ""


class MetaSchema:
    """The compiled meta-schema (schemas/kind.schema.json). A pickle holds its text: another process compiles it."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._meta = schema

    def __reduce__(self) -> tuple[type[MetaSchema], tuple[Mapping[str, Any]]]:
        return MetaSchema, (self._meta,)

    @cached_property
    def _validator(self) -> Draft202012Validator:
        """Compiled when it is first asked: most repositories have no kinds of their own."""
        return compile_schema(self._meta)

    def find_flaws(self, schema: Any) -> tuple[Flaw, ...]:
        """The flaws that the meta-schema finds."""
        if self._validator.is_valid(schema):
            return ()
        flaws = [flaw for error in self._validator.iter_errors(schema) for flaw in self._explain(error)]
        meant = {flaw.instead for flaw in flaws if flaw.instead}
        return tuple(flaw for flaw in flaws if flaw.pointer not in meant)

    def _explain(self, error: ValidationError) -> Iterator[Flaw]:
        pointer = join(error.instance_path)
        subschema: Mapping[str, Any] = value_at(self._meta, join(error.schema_path[:-1]))
        description = subschema.get("description", "")
        match error.kind:
            case ValidationErrorKind.AdditionalProperties(unexpected=keywords):
                for keyword in keywords:
                    yield _unknown_keyword(pointer, keyword, subschema["properties"])
            case ValidationErrorKind.Required(property=keyword):
                yield Flaw(
                    child(pointer, keyword), f"{keyword} is missing here", _describe(subschema, keyword), at_key=True
                )
            case ValidationErrorKind.PropertyNames(error=inner):
                name = str(inner.instance)
                yield Flaw(child(pointer, name), f"{name} is no possible name", description, at_key=True)
            case _ if description:
                yield Flaw(pointer, f"{_shorten(error.instance)} is not possible here", description)
            case _:
                yield Flaw(pointer, error.message)


def _shorten(value: Any) -> str:
    longest = 60
    text = canonical.dumps(value)
    return text if len(text) <= longest else f"{text[:longest]}…"


LEFT_OUT = {
    "$vocabulary": "a kind is written in the draft's own vocabularies; no program reads others",
    "$recursiveRef": "of draft 2019-09: write $dynamicRef",
    "$recursiveAnchor": "of draft 2019-09: write $dynamicAnchor",
    "definitions": "of older drafts: write $defs",
    "additionalItems": "of older drafts: write prefixItems and items",
    "id": "of draft 4: write $id",
    "nullable": "of OpenAPI: write null among the types",
    "discriminator": "of OpenAPI: write oneOf, or if and then",
    "example": "of OpenAPI: write examples, a list",
}
"""Keywords of other drafts and tools, and why they are refused: what reads a schema would ignore them."""


def _unknown_keyword(pointer: str, keyword: str, known: Mapping[str, Any]) -> Flaw:
    if keyword in LEFT_OUT:
        return Flaw(child(pointer, keyword), "this keyword is not read", LEFT_OUT[keyword], at_key=True)
    suggestion = closest(keyword, known)
    if suggestion is not None:
        message = f"unknown keyword (did you mean {suggestion}?)"
        return Flaw(child(pointer, keyword), message, at_key=True, instead=child(pointer, suggestion))
    hint = f"known are {', '.join(known)}"
    return Flaw(child(pointer, keyword), "unknown keyword", hint, at_key=True)


def _describe(subschema: Mapping[str, Any], keyword: str) -> str:
    keyword_schema = subschema.get("properties", {}).get(keyword, {})
    return str(keyword_schema.get("description", "")) if isinstance(keyword_schema, dict) else ""


def find_link_flaws(schema: Mapping[str, Any]) -> Iterator[Flaw]:
    """References that lead nowhere, in circles or to too much, and patterns that not all readers know."""
    parts = list_parts(schema)
    yield from find_reference_flaws(schema, parts)
    yield from _find_format_flaws(parts)
    seen: set[str] = set()
    budget = MAX_PATTERNS_SIZE
    for pointer, pattern, at_key in _iter_patterns(parts):
        fault = find_pattern_fault(pattern)
        if fault is not None:
            message, hint = fault
            yield Flaw(pointer, message, hint, at_key=at_key)
        if fault is not None or pattern in seen:
            continue
        seen.add(pattern)
        budget -= measure_pattern(pattern)
        if budget < 0:
            message = "with this one, the regular expressions of this schema are too large"
            yield Flaw(pointer, message, "repeat less in them: maxLength limits a text as well", at_key=at_key)
            return


def _iter_patterns(parts: Parts) -> Iterator[tuple[str, str, bool]]:
    """Each pattern with its pointer, and whether it is a key there."""
    for pointer, part in parts.items():
        if "pattern" in part:
            yield child(pointer, "pattern"), part["pattern"], False
        for key in part.get("patternProperties", ()):
            yield child(child(pointer, "patternProperties"), key), key, True


FORMATS = (
    "date-time",
    "date",
    "time",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uuid",
    "uri-template",
    "json-pointer",
    "relative-json-pointer",
    "regex",
)
"""The formats of the draft: texts are held to them. Every other one is a remark for readers, as the draft says."""


def _find_format_flaws(parts: Parts) -> Iterator[Flaw]:
    for pointer, part in parts.items():
        name = part.get("format")
        if name is None or name in FORMATS:
            continue
        suggestion = closest(name, FORMATS)
        if suggestion is not None:
            message = f"{name} is no format of JSON Schema (did you mean {suggestion}?)"
            hint = "a format of your own is no check: give it a name that none of the draft's is like"
            yield Flaw(child(pointer, "format"), message, hint)


def find_compile_flaws(schema: Mapping[str, Any]) -> Iterator[Flaw]:
    """Flaws that the validator finds when it compiles the schema."""
    try:
        compile_schema(schema)
    except ValidationError as error:
        yield Flaw(join(error.instance_path), error.message)
    except ValueError as error:
        yield Flaw("", f"the validator cannot compile this: {error}")


_SPEC = "/properties/spec"
_METADATA = "/properties/metadata/properties"
_FIELDS = f"{_SPEC}/properties"
_NOTE = f"/{ANNOTATION}"

JSON_TYPES = {
    SqlType.UUID: ("string",),
    SqlType.VARCHAR: ("string",),
    SqlType.FLOAT: ("number",),
    SqlType.INTEGER: ("integer",),
    SqlType.BOOLEAN: ("boolean",),
    SqlType.JSON: ("object", "array"),
}
"""The JSON Schema types whose values a column of a SQL type can hold."""


def find_cross_flaws(schema: Mapping[str, Any]) -> Iterator[Flaw]:
    """Contradictions in a schema that the meta-schema allows and whose `$ref`s are sound."""
    annotation, spec = schema[ANNOTATION], schema["properties"]["spec"]
    yield from _check_columns_and_fields(annotation["columns"], spec["properties"])
    yield from _check_key(annotation)
    yield from _check_column_names(annotation)
    yield from _check_unit_choices(schema)
    for position, name in enumerate(spec["required"]):
        if name not in spec["properties"]:
            message = f"{name} is required and no field of spec{did_you_mean(name, spec['properties'])}"
            yield Flaw(f"{_SPEC}/required/{position}", message)
    for name in annotation["columns"]:
        if name in spec["properties"]:
            yield from _check_type(schema, name)
    yield from _check_metadata(schema)
    yield from _check_roles(schema)
    yield from _check_spreadsheet(annotation)


def _check_columns_and_fields(columns: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[Flaw]:
    for name in columns:
        if name in TIMESTAMPS:
            yield Flaw(child(f"{_NOTE}/columns", name), f"{name} comes from git: every table has it", at_key=True)
        elif name not in fields:
            message = f"the column {name} has no field in spec{did_you_mean(name, fields)}"
            yield Flaw(child(f"{_NOTE}/columns", name), message, "add it to spec.properties", at_key=True)
    for name in fields:
        if name not in columns:
            message = f"the field {name} has no column{did_you_mean(name, columns)}"
            yield Flaw(child(_FIELDS, name), message, f"add it to {ANNOTATION}.columns", at_key=True)


def _check_key(annotation: Mapping[str, Any]) -> Iterator[Flaw]:
    key, columns = annotation["key"], annotation["columns"]
    if key not in columns:
        yield Flaw(f"{_NOTE}/key", f"the key {key} is none of the columns{did_you_mean(key, columns)}")
    elif columns[key] != SqlType.UUID:
        message = f"the key {key} is {columns[key]}, and a key is a UUID"
        yield Flaw(f"{_NOTE}/key", message, "left out by a resource, it is made from kind and name")


def _check_column_names(annotation: Mapping[str, Any]) -> Iterator[Flaw]:
    columns = annotation["columns"]
    for number, index in enumerate(annotation["indexes"]):
        for position, name in enumerate(index):
            if name not in columns:
                message = f"the index is on {name}, which is no column{did_you_mean(name, columns)}"
                yield Flaw(f"{_NOTE}/indexes/{number}/{position}", message)
    for name in annotation.get("units", {}):
        if name not in columns:
            message = f"the unit is of {name}, which is no column{did_you_mean(name, columns)}"
            yield Flaw(child(f"{_NOTE}/units", name), message, at_key=True)
    known = (*columns, *annotation["references"])
    for position, name in enumerate(annotation.get("importance", ())):
        if name not in known:
            message = f"{name} is neither a column nor a role of the references{did_you_mean(name, known)}"
            yield Flaw(f"{_NOTE}/importance/{position}", message)


def _check_unit_choices(schema: Mapping[str, Any]) -> Iterator[Flaw]:
    """A unit that depends on another column: there is that one, and its words are those that have a unit."""
    annotation, fields = schema[ANNOTATION], schema["properties"]["spec"]["properties"]
    enums = {name: resolve_refs(schema, field).get("enum") for name, field in fields.items()}
    words = {name: tuple(map(str, enum)) for name, enum in enums.items() if enum}
    for name, unit in annotation.get("units", {}).items():
        if not isinstance(unit, dict):
            continue
        pointer, by = child(f"{_NOTE}/units", name), unit["by"]
        if by not in words:
            message = f"the unit depends on {by}, which is no column with an enum{did_you_mean(by, words)}"
            yield Flaw(child(pointer, "by"), message)
            continue
        for word in unit["of"]:
            if word not in words[by]:
                message = f"{word} is no value of {by}{did_you_mean(word, words[by])}"
                yield Flaw(child(f"{pointer}/of", word), message, at_key=True)


def _check_spreadsheet(annotation: Mapping[str, Any]) -> Iterator[Flaw]:
    """Hints for spreadsheets are about fields that there are, and their patterns are such that all readers know."""
    pointer, hints = f"{_NOTE}/spreadsheet", annotation.get("spreadsheet", {})
    fields = {*annotation["columns"], "name", *(f"refs.{role}" for role in annotation["references"])}
    for group in ("headers", "words", "otherwise", "looks"):
        for name in hints.get(group, {}):
            if name not in fields and not name.startswith("labels."):
                message = f"the hint is about {name}, which is no field{did_you_mean(name, fields)}"
                yield Flaw(child(f"{pointer}/{group}", name), message, at_key=True)
    for position, name in enumerate(hints.get("ratios", ())):
        if name not in fields:
            yield Flaw(f"{pointer}/ratios/{position}", f"{name} is no field{did_you_mean(name, fields)}")
    for name, pattern in hints.get("looks", {}).items():
        fault = find_pattern_fault(pattern)
        if fault is not None:
            yield Flaw(child(f"{pointer}/looks", name), *fault)


def _check_type(schema: Mapping[str, Any], name: str) -> Iterator[Flaw]:
    pointer = child(_FIELDS, name)
    field = resolve_refs(schema, schema["properties"]["spec"]["properties"][name])
    column_type = schema[ANNOTATION]["columns"][name]
    sql_type, length = parse_sql_type(column_type)
    json_types = JSON_TYPES[sql_type]
    if field.get("type") not in json_types:
        yield Flaw(pointer, f"the column {name} is {column_type}: the field's type must be {' or '.join(json_types)}")
    elif sql_type is SqlType.UUID and field.get("format") != "uuid":
        yield Flaw(pointer, f"the column {name} is a UUID: the field's format must be uuid")
    elif field.get("enum", True) == [] or "\\u0000" in canonical.dumps([field.get("enum"), field.get("const")]):
        yield Flaw(pointer, "the column could have no value, or one with a NUL character, which no text holds")
    elif length is not None:
        yield from _check_length(pointer, field, length, column_type)


def _check_length(pointer: str, field: Mapping[str, Any], length: int, column_type: str) -> Iterator[Flaw]:
    longest = field.get("maxLength", max((len(str(word)) for word in field.get("enum", ())), default=None))
    if longest is None:
        yield Flaw(pointer, f"the column is {column_type}: the field needs a maxLength of at most {length}")
    elif longest > length:
        yield Flaw(pointer, f"the field may have {longest} characters, and its column is {column_type}")


def _check_metadata(schema: Mapping[str, Any]) -> Iterator[Flaw]:
    parts = schema["properties"]["metadata"]["properties"]
    if "name" not in schema["properties"]["metadata"]["required"]:
        yield Flaw("/properties/metadata/required", "name must be required: nothing else tells resources apart")
    if not _is_name(schema, parts["name"]):
        yield Flaw(f"{_METADATA}/name", "the type of a name must be string")
    for group in ("labels", "annotations"):
        if group in parts and not _is_text_map(schema, parts[group]):
            message = f"{group} must be an object whose additionalProperties are of type string, and have no properties"
            yield Flaw(f"{_METADATA}/{group}", message)


def _is_text_map(schema: Mapping[str, Any], part: Any) -> bool:
    group = _resolve_object(schema, part)
    values = _resolve_object(schema, group.get("additionalProperties"))
    return group.get("type") == "object" and values.get("type") == "string" and "properties" not in group


def _check_roles(schema: Mapping[str, Any]) -> Iterator[Flaw]:
    refs = _resolve_object(schema, schema["properties"]["metadata"]["properties"].get("refs", {"type": "object"}))
    if refs.get("type") != "object" or ("properties" in refs and refs.get("additionalProperties") is not False):
        yield Flaw(f"{_METADATA}/refs", "refs must be of type object, with additionalProperties false")
        return
    references, roles = schema[ANNOTATION]["references"], refs.get("properties", {})
    for role, reference in references.items():
        pointer = child(f"{_NOTE}/references", role)
        if role not in roles:
            message = f"the role {role} is none of metadata.refs{did_you_mean(role, roles)}"
            yield Flaw(pointer, message, "add it to metadata.properties.refs.properties", at_key=True)
        elif not _SHAPES[reference["many"]](schema, roles[role]):
            expected = "a list of names" if reference["many"] else "one name"
            yield Flaw(child(f"{_METADATA}/refs/properties", role), f"the role {role} must hold {expected}")
    for role in roles:
        if role not in references:
            pointer = child(f"{_METADATA}/refs/properties", role)
            yield Flaw(pointer, f"the role {role} refers to no kind", f"add it to {ANNOTATION}.references", at_key=True)


def _is_name(schema: Mapping[str, Any], part: Any) -> bool:
    return _resolve_object(schema, part).get("type") == "string"


def _is_list_of_names(schema: Mapping[str, Any], part: Any) -> bool:
    role = _resolve_object(schema, part)
    return role.get("type") == "array" and _is_name(schema, role.get("items"))


_SHAPES: Mapping[bool, Callable[[Mapping[str, Any], Any], bool]] = {False: _is_name, True: _is_list_of_names}


def _resolve_object(schema: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    return resolve_refs(schema, part) if isinstance(part, dict) else {}
