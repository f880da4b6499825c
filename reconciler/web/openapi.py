"""The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html), made from the endpoints, answers and kinds.

It is flat, as generators of clients want it: every `$ref` is `#/components/schemas/NAME`.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reconciler import answers
from reconciler.answers import Answer
from reconciler.kinds.kind import child, value_at
from reconciler.kinds.parts import list_parts
from reconciler.kinds.references import find_links
from reconciler.service.endpoint import IF_NONE_MATCH, JSON, OWNER_NAME, PATH, PREFER, Role, text
from reconciler.service.endpoints import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.service.endpoint import Endpoint, Parameter

    Json = dict[str, Any]

COMPONENTS = "#/components/schemas/"
REFUSALS: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "It cannot be read",
    HTTPStatus.UNAUTHORIZED: "No token, or one that is not known",
    HTTPStatus.FORBIDDEN: "The token may only read, or a page of another site asks",
    HTTPStatus.NOT_FOUND: "There is none",
    HTTPStatus.REQUEST_TIMEOUT: "The body did not arrive in time",
    HTTPStatus.CONFLICT: "Trying again will not help, or reconciling is suspended",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not application/json",
    HTTPStatus.MISDIRECTED_REQUEST: "The Host header names another server",
    HTTPStatus.UNPROCESSABLE_ENTITY: "It makes no sense: the message says why",
    HTTPStatus.TOO_MANY_REQUESTS: "Too often: `Retry-After` says how long to wait",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A bug: see the daemon's log",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not now: try again",
    HTTPStatus.GATEWAY_TIMEOUT: "It took too long",
}
ALWAYS = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
GUARDED = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.CONFLICT,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
)
WITH_BODY = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
NAMED: Final[Mapping[Any, str]] = {dict: "KindSchema", answers.Session: "Session"}
"""Answers that are no records."""
TIMESTAMPS = ("created_at", "updated_at")
OF_FILES = ("$schema", "$id", "$defs", "$anchor", "$dynamicAnchor", "$dynamicRef")
"""What a schema says as a file, or about its parts, which become components."""


class ErrorBody(answers.Answer, frozen=True):
    code: str
    message: str
    hint: str


class Error(answers.Answer, frozen=True):
    """The one body of every error."""

    error: ErrorBody


def build_document(schemas: Mapping[str, Mapping[str, Any]], owner_word: str, version: str) -> Json:
    """The document of a server whose rows are of kinds with these JSON Schemas.

    `owner_word` is the parameter for whose sessions they are.
    """
    paths: dict[str, Json] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, owner_word)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "reconciler",
            "version": version,
            "summary": "What is live on this host, what changed it, and what operates it",
            "description": (
                "Reads need no token on this host, unless http.local_reads is set to token there. Operating does, and "
                "so does reading from elsewhere."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "this host"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(endpoint.tag for endpoint in ENDPOINTS)],
        "paths": paths,
        "components": {
            "schemas": {**_answer_schemas(), **_kind_schemas(schemas)},
            "responses": {
                _refusal_name(status): {"description": words, "content": {JSON: {"schema": _ref("Error")}}}
                for status, words in REFUSALS.items()
            },
            "headers": {
                "ETag": {"description": "Stays while the answer does", "schema": text()},
                "Link": {"description": 'Of the next page, `rel="next"`', "schema": text()},
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "To read, or to operate as well"}
            },
        },
    }


def _operation(endpoint: Endpoint, owner_word: str) -> Json:
    security: Mapping[Role, list[Json]] = {
        Role.OPEN: [],
        Role.SIGNED: [],
        Role.READ: [{}, {"token": []}],
        Role.OPERATE: [{"token": []}],
    }
    operation: Json = {
        "operationId": "_".join((endpoint.method.lower(), *re.findall(r"\w+", endpoint.path.removeprefix("/v1")))),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "security": security[endpoint.role],
        "parameters": list(_parameters(endpoint, owner_word)),
        "responses": _responses(endpoint),
    }
    if endpoint.body is not None:
        required = [field.name for field in endpoint.body if field.required]
        schema = {
            "type": "object",
            "properties": {field.name: field.schema for field in endpoint.body},
            "required": required,
            "additionalProperties": not endpoint.body,
        }
        operation["requestBody"] = {"required": bool(required), "content": {JSON: {"schema": schema}}}
    elif endpoint.role is Role.SIGNED:
        operation["requestBody"] = {"content": {JSON: {"schema": {}}}}
    return operation


def _parameters(endpoint: Endpoint, owner_word: str) -> Iterator[Json]:
    for name in endpoint.path_names:
        yield _parameter(PATH[name], name, "path", required=True)
    for parameter in endpoint.params:
        name = owner_word if parameter.name == OWNER_NAME else parameter.name
        yield _parameter(parameter, name, "query", required=parameter.required)
    for header in (*endpoint.headers, *[IF_NONE_MATCH] * endpoint.tagged, *[PREFER] * endpoint.waits):
        yield _parameter(header, header.name, "header", required=False)


def _parameter(parameter: Parameter, name: str, place: str, *, required: bool) -> Json:
    return {
        "name": name,
        "in": place,
        "required": required,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _responses(endpoint: Endpoint) -> Json:
    media = endpoint.media or {}
    if endpoint.answer is not None:
        media = {JSON: _ref(NAMED.get(endpoint.answer) or endpoint.answer.__name__)}
    success: Json = {
        "description": HTTPStatus(endpoint.status).phrase,
        "content": {type_: {"schema": schema} for type_, schema in media.items()},
    }
    if endpoint.tagged:
        success["headers"] = {"ETag": {"$ref": "#/components/headers/ETag"}}
        if any(parameter.name == "cursor" for parameter in endpoint.params):
            success["headers"]["Link"] = {"$ref": "#/components/headers/Link"}
    responses = {str(int(endpoint.status)): success}
    if endpoint.tagged:
        responses["304"] = {"description": "The answer is the one that you have"}
    for status in _refusals(endpoint):
        responses.setdefault(str(int(status)), {"$ref": f"#/components/responses/{_refusal_name(status)}"})
    for status in endpoint.also:
        if status < HTTPStatus.BAD_REQUEST:
            responses[str(int(status))] = success
    return dict(sorted(responses.items()))


def _refusals(endpoint: Endpoint) -> tuple[int, ...]:
    guarded = GUARDED if endpoint.role in (Role.READ, Role.OPERATE) else ()
    is_signed = endpoint.role is Role.SIGNED
    signed = (HTTPStatus.UNAUTHORIZED,) if is_signed else ()
    body = WITH_BODY if endpoint.body is not None or is_signed else ()
    also = (status for status in endpoint.also if status >= HTTPStatus.BAD_REQUEST)
    return (*ALWAYS, *guarded, *signed, *body, *also)


def _refusal_name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def _answer_schemas() -> Json:
    """The components of all answers. Those of rows are made for each kind."""
    types = {endpoint.answer for endpoint in ENDPOINTS if isinstance(endpoint.answer, type)}
    records = [type_ for type_ in types if issubclass(type_, Answer) and not issubclass(type_, answers.Rows)]
    _, components = msgspec.json.schema_components(
        sorted((*records, answers.Column, Error, answers.HistoryPoint), key=lambda type_: type_.__name__),
        ref_template=f"{COMPONENTS}{{name}}",
    )
    return {
        **{name: _with_items(_without_titles(schema)) for name, schema in sorted(components.items())},
        "Session": {"type": "object", "additionalProperties": text()},
        "KindSchema": {"type": "object", "description": "JSON Schema 2020-12", "required": ["properties"]},
    }


def _without_titles(schema: Any) -> Any:
    """A schema without what only repeats its name. Fields with a default are required: only UNSET is left out."""
    if not isinstance(schema, dict):
        return schema
    found = {name: value for name, value in schema.items() if name != "title"}
    if "properties" in found:
        properties = {
            name: {key: value for key, value in field.items() if key != "default"}
            for name, field in found["properties"].items()
        }
        required = [
            name
            for name, field in found["properties"].items()
            if "default" in field or name in found.get("required", ())
        ]
        found = {**found, "properties": properties, "required": required}
    return found


def _with_items(value: Any) -> Any:
    """A schema whose arrays all say what they hold: generators of clients take no others."""
    if isinstance(value, list):
        return [_with_items(member) for member in value]
    if not isinstance(value, dict):
        return value
    found = {name: _with_items(member) for name, member in value.items()}
    return {"items": {}, **found} if found.get("type") == "array" else found


def _kind_schemas(schemas: Mapping[str, Mapping[str, Any]]) -> Json:
    """Of each kind its documents, a row's values, a row, and a list of rows; then what may be any of them.

    A dot keeps their names apart from all others: no kind's name has one.
    """
    components: Json = {}
    for kind, schema in schemas.items():
        components |= _document_schemas(kind, schema)
        components[f"Values.{kind}"] = _values_schema(kind, schema, components)
        components[f"Row.{kind}"] = _record(
            name=text(),
            path=_nullable(text()),
            line=_nullable({"type": "integer"}),
            values=_ref(f"Values.{kind}"),
        )
        components[f"Rows.{kind}"] = _rows_schema(kind)
        components[f"RowsPage.{kind}"] = _rows_schema(kind, next=_nullable(text()))
    for name in ("Rows", "RowsPage"):
        components[name] = {"anyOf": [_ref(f"{name}.{kind}") for kind in schemas]} if schemas else {}
    return components


def _document_schemas(kind: str, schema: Mapping[str, Any]) -> Json:
    """A kind's JSON Schema as components: itself, and each part of it that a reference leads to."""
    parts = list_parts(schema)
    found = find_links(schema, parts)
    targets = {pointer: ways[0][0] for pointer, ways in found.targets.items()}
    names = {"": f"Document.{kind}"}
    for target in sorted(set(targets.values())):
        part = re.sub(r"\W", "_", target.rpartition("/")[2])
        taken = sum(name.rpartition(".")[2].startswith(part) for name in names.values())
        names.setdefault(target, f"Document.{kind}.{part}" + (f"_{taken + 1}" if taken else ""))
    links: dict[str, Json] = {pointer: {"$ref": COMPONENTS + names[target]} for pointer, target in targets.items()}
    links |= {pointer: {"type": ["object", "boolean"]} for pointer in found.meta}
    return {name: _move(value_at(schema, pointer), pointer, links) for pointer, name in names.items()}


def _move(value: Any, pointer: str, links: Mapping[str, Json]) -> Any:
    """A part of a schema, from its pointer, with its references as they are where it stands now."""
    if isinstance(value, list):
        return [_move(member, child(pointer, position), links) for position, member in enumerate(value)]
    if not isinstance(value, dict):
        return value
    moved = {name: _move(member, child(pointer, name), links) for name, member in value.items() if name not in OF_FILES}
    if pointer in links:
        moved.pop("$ref", None)
        moved |= links[pointer]
    return moved


def _values_schema(kind: str, schema: Mapping[str, Any], components: Json) -> Json:
    """The columns. What left git may lack what became necessary later, so each may be null."""
    spec = components[f"Document.{kind}"]["properties"]["spec"]["properties"]
    moment = {**text(format="date-time"), "description": "RFC 3339, in UTC"}
    columns = {name: _nullable(field) for name, field in spec.items()}
    return _record(**columns, **dict.fromkeys(TIMESTAMPS, moment))


def _rows_schema(kind: str, **more: Json) -> Json:
    """A list of rows. What is not of the present has the point in the history that it is of."""
    schema = _record(
        kind={"const": kind},
        key=text(),
        columns=_list(_ref("Column")),
        rows=_list(_ref(f"Row.{kind}")),
        **more,
    )
    schema["properties"]["at"] = _ref("HistoryPoint")
    return schema


def _record(**fields: Json) -> Json:
    """An object that has all of these fields, and may come to have more."""
    return {"type": "object", "properties": fields, "required": list(fields)}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _nullable(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> Json:
    return {"$ref": f"{COMPONENTS}{name}"}
