"""An OpenAPI document as a flat list: each operation with its parameters, statuses, and fields of body and answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
COMBINED = ("anyOf", "oneOf", "allOf")


def outline(document: Mapping[str, Any]) -> Json:
    """By path and method: parameters, statuses, and the fields of body and answers."""
    return {
        path: {method: _operation(document, told) for method, told in methods.items()}
        for path, methods in document["paths"].items()
    }


def _operation(document: Mapping[str, Any], told: Mapping[str, Any]) -> Json:
    answers = {
        media: _fields(document, content["schema"])
        for status, answer in told["responses"].items()
        if status in {"200", "201"}
        for media, content in answer["content"].items()
    }
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return {
        "parameters": [
            f"{one['name']} in {one['in']}{', required' if one['required'] else ''}" for one in told["parameters"]
        ],
        "statuses": " ".join(told["responses"]),
        "body": _fields(document, body),
        "answers": answers,
    }


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    return sorted(set(_paths(document, schema, "")))


def _paths(document: Mapping[str, Any], schema: Mapping[str, Any], at: str) -> Iterator[str]:
    """Each field that is no mere object as a line: its place, `?` if it may be missing, and its types."""
    alternatives = list(_alternatives(document, schema))
    types = sorted({_type(one) for one in alternatives})
    if types not in (["any"], ["object"]):
        yield f"{at}: {' | '.join(types)}"
    for one in alternatives:
        for name, field in one.get("properties", {}).items():
            yield from _paths(document, field, f"{at}.{name}{'' if name in one.get('required', ()) else '?'}")
        if "items" in one:
            yield from _paths(document, one["items"], f"{at}[]")
        if isinstance(one.get("additionalProperties"), dict):
            yield from _paths(document, one["additionalProperties"], f"{at}.*")


def _alternatives(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a schema may be, with its references followed."""
    if "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        yield from _alternatives(document, found)
    elif combined := [one for word in COMBINED for one in schema.get(word, ())]:
        for one in combined:
            yield from _alternatives(document, one)
    else:
        yield schema


def _type(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return str(schema["const"])
    return "string" if "enum" in schema else str(schema.get("type", "any"))
