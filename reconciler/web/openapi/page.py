"""What the page of the document shows: its operations by group, and its shapes, in the words of a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Json = Mapping[str, Any]

SHAPES = "#/components/schemas/"
NEEDS = {
    (): "Needs no token.",
    (("token",),): "Needs a token to operate.",
    ((), ("token",)): "A read: needs no token on this host, and one from elsewhere.",
}


def shown(document: Json) -> dict[str, Any]:
    """The document for its page."""
    operations = list(_operations(document))
    return {
        "title": document["info"]["title"],
        "version": document["info"]["version"],
        "description": document["info"]["description"],
        "groups": [
            {"name": tag["name"], "operations": [one for one in operations if one["group"] == tag["name"]]}
            for tag in document["tags"]
        ],
        "shapes": [_shape(name, shape) for name, shape in document["components"]["schemas"].items()],
    }


def _operations(document: Json) -> Iterator[dict[str, Any]]:
    responses = document["components"]["responses"]
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            yield {
                "id": told["operationId"],
                "method": method.upper(),
                "path": path,
                "summary": told["summary"],
                "group": told["tags"][0],
                "needs": NEEDS[tuple(tuple(one) for one in told["security"])],
                "parameters": [
                    {
                        "name": one["name"],
                        "where": one["in"],
                        "required": one["required"],
                        "type": kind_of(one["schema"]),
                        "words": one["description"],
                    }
                    for one in told["parameters"]
                ],
                "body": _fields(_body(told)),
                "answers": [
                    {
                        "status": status,
                        "words": _resolved(answer, responses)["description"],
                        "shapes": [
                            {"media": media, **_link(content["schema"])}
                            for media, content in _resolved(answer, responses).get("content", {}).items()
                        ],
                    }
                    for status, answer in told["responses"].items()
                ],
            }


def _resolved(answer: Json, responses: Json) -> Json:
    found: Json = responses[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
    return found


def _body(told: Json) -> Json:
    found: Json = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return found


def _shape(name: str, shape: Json) -> dict[str, Any]:
    return {"name": name, "type": kind_of(shape), "words": shape.get("description", ""), "fields": _fields(shape)}


def _fields(shape: Json) -> list[dict[str, Any]]:
    required = shape.get("required", ())
    return [
        {
            "name": name,
            "type": kind_of(one),
            **_link(one),
            "required": name in required,
            "words": one.get("description", ""),
        }
        for name, one in shape.get("properties", {}).items()
    ]


def _link(shape: Json) -> dict[str, str]:
    """The shape that a shape is, or is made of: what a reader wants to look at next."""
    for one in (shape, shape.get("items", {}), *shape.get("anyOf", ())):
        reference = one.get("$ref", "")
        if reference.startswith(SHAPES) and "/" not in reference.removeprefix(SHAPES):
            return {"shape": reference.removeprefix(SHAPES)}
    return {"shape": ""}


def kind_of(shape: Json) -> str:
    """A shape in a few words."""
    if "$ref" in shape:
        return str(shape["$ref"]).removeprefix(SHAPES).rpartition("/")[2]
    if "const" in shape:
        return str(shape["const"])
    if "enum" in shape:
        return " | ".join(map(str, shape["enum"]))
    if "anyOf" in shape or "allOf" in shape:
        joined = " | " if "anyOf" in shape else " and "
        return joined.join(kind_of(one) for one in shape.get("anyOf", shape.get("allOf")))
    if shape.get("type") == "array":
        return f"list of {kind_of(shape['items'])}"
    return str(shape.get("type", "any"))
