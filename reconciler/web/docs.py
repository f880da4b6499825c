"""`/openapi.json`, and `/docs`: the same as a page that needs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation

from reconciler import __version__
from reconciler.service.kinds import Kinds
from reconciler.web.api import ConditionalReads
from reconciler.web.openapi import COMPONENTS, build_document
from reconciler.web.pages import responses, templates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.responses import Response

    from reconciler.service.pages import Pages
    from reconciler.service.services import Services
    from reconciler.web.auth import Deadlines
    from reconciler.web.waiting import Waiting

    Json = Mapping[str, Any]

NEEDS = {
    (): "Needs no token.",
    (("token",),): "Needs a token to operate.",
    ((), ("token",)): "A read: needs no token on this host unless it is set so, and one from elsewhere.",
}


class DocumentHandler:
    """Answers with what this server says about itself."""

    def __init__(self, services: Services, pages: Pages, waiting: Waiting, deadlines: Deadlines) -> None:
        self._services, self._pages, self._waiting, self._deadlines = services, pages, waiting, deadlines
        self._reads = ConditionalReads(waiting)

    async def openapi(self, request: Request) -> Response:
        """The document."""
        return await self._reads.answer(request, self._build, self._deadlines.read)

    async def docs(self, request: Request) -> Response:
        """The page."""
        html = await self._waiting.call(self._render, self._deadlines.read)
        return responses.conditional(responses.html_response(html), request)

    def _build(self) -> dict[str, Any]:
        owner_word = self._services.context.session_layout().owner_kind.lower()
        return build_document(self._services.ask(Kinds.schemas), owner_word, __version__)

    def _render(self) -> str:
        return templates.render_page("docs", {"host": self._pages.heading(), "api": describe(self._build())})


def describe(document: Json) -> dict[str, Any]:
    """The document for its page: its operations by group, and its shapes, in words for a reader."""
    operations = list(_operations(document))
    return {
        "title": document["info"]["title"],
        "version": document["info"]["version"],
        "description": document["info"]["description"],
        "groups": [
            {
                "name": tag["name"],
                "operations": [operation for operation in operations if operation["group"] == tag["name"]],
            }
            for tag in document["tags"]
        ],
        "shapes": [_shape(name, shape) for name, shape in document["components"]["schemas"].items()],
    }


def _operations(document: Json) -> Iterator[dict[str, Any]]:
    responses = document["components"]["responses"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield {
                "id": operation["operationId"],
                "method": method.upper(),
                "path": path,
                "summary": operation["summary"],
                "group": operation["tags"][0],
                "needs": NEEDS[tuple(tuple(scheme) for scheme in operation["security"])],
                "parameters": [
                    {
                        "name": parameter["name"],
                        "where": parameter["in"],
                        "required": parameter["required"],
                        "type": describe_type(parameter["schema"]),
                        "words": parameter["description"],
                    }
                    for parameter in operation["parameters"]
                ],
                "body": _fields(_body(operation)),
                "answers": [
                    {
                        "status": status,
                        "words": _resolve(answer, responses)["description"],
                        "shapes": [
                            {"media": media, **_link(content["schema"])}
                            for media, content in _resolve(answer, responses).get("content", {}).items()
                        ],
                    }
                    for status, answer in operation["responses"].items()
                ],
            }


def _resolve(answer: Json, responses: Json) -> Json:
    found: Json = responses[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
    return found


def _body(operation: Json) -> Json:
    found: Json = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return found


def _shape(name: str, shape: Json) -> dict[str, Any]:
    return {"name": name, "type": describe_type(shape), "words": shape.get("description", ""), "fields": _fields(shape)}


def _fields(shape: Json) -> list[dict[str, Any]]:
    required = shape.get("required", ())
    return [
        {
            "name": name,
            "type": describe_type(one),
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
        if reference.startswith(COMPONENTS) and "/" not in reference.removeprefix(COMPONENTS):
            return {"shape": reference.removeprefix(COMPONENTS)}
    return {"shape": ""}


def describe_type(shape: Json) -> str:
    """A shape in a few words."""
    if "$ref" in shape:
        return str(shape["$ref"]).removeprefix(COMPONENTS).rpartition("/")[2]
    if "const" in shape:
        return str(shape["const"])
    if "enum" in shape:
        return " | ".join(map(str, shape["enum"]))
    if "anyOf" in shape or "allOf" in shape:
        joined = " | " if "anyOf" in shape else " and "
        return joined.join(describe_type(one) for one in shape.get("anyOf", shape.get("allOf")))
    if shape.get("type") == "array":
        return f"list of {describe_type(shape.get('items', {}))}"
    return str(shape.get("type", "any"))
