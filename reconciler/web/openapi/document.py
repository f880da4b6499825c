"""The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html), made from the entries and the kinds."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from reconciler.web.openapi.entries import ENTRIES, OPEN, OPERATE, READ, SIGNED
from reconciler.web.openapi.kinds import kind_shapes
from reconciler.web.openapi.parameters import PARAMETERS, SPELT
from reconciler.web.openapi.shapes import SHAPES, named, record, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.web.openapi.entries import Entry

    Json = dict[str, Any]

IN_PATH = re.compile(r"\{(\w+)\}")
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
ERROR: Json = {"application/json": {"schema": named("Error")}}


def document(schemas: Mapping[str, Mapping[str, Any]], owner_word: str, version: str) -> Json:
    """The document of a server whose rows are of kinds with these JSON Schemas.

    `owner_word` is the parameter for whose sessions they are.
    """
    paths: dict[str, Json] = {}
    for entry in ENTRIES:
        paths.setdefault(entry.path, {})[entry.method.lower()] = _operation(entry, owner_word)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "reconciler",
            "version": version,
            "summary": "What is live on this host, what changed it, and what operates it",
            "description": "Reads need no token on this host. Operating does, and so does reading from elsewhere.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "this host"}],
        "tags": [{"name": group} for group in dict.fromkeys(entry.group for entry in ENTRIES)],
        "paths": paths,
        "components": {
            "schemas": {**SHAPES, **kind_shapes(schemas)},
            "responses": {
                _refusal(status): {"description": words, "content": ERROR} for status, words in REFUSALS.items()
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


def _operation(entry: Entry, owner_word: str) -> Json:
    told: Json = {
        "operationId": _id(entry),
        "summary": entry.summary,
        "tags": [entry.group],
        "security": {OPEN: [], SIGNED: [], READ: [{}, {"token": []}], OPERATE: [{"token": []}]}[entry.needs],
        "parameters": list(_parameters(entry, owner_word)),
        "responses": _responses(entry),
    }
    if entry.body is not None:
        shape = {**record(**entry.body), "required": list(entry.needed), "additionalProperties": not entry.body}
        told["requestBody"] = {"required": bool(entry.needed), "content": {"application/json": {"schema": shape}}}
    elif entry.needs == SIGNED:
        told["requestBody"] = {"content": {"application/json": {"schema": {}}}}
    return told


def _id(entry: Entry) -> str:
    words = re.findall(r"\w+", entry.path.removeprefix("/v1"))
    return "_".join((entry.method.lower(), *words))


def _parameters(entry: Entry, owner_word: str) -> Any:
    headers = [*entry.headers, *["if-none-match"] * entry.tagged, *["prefer"] * entry.waited]
    for name in IN_PATH.findall(entry.path):
        yield _parameter(name, name, "path", required=True)
    for name in entry.query:
        spelt = owner_word if name == "owner" else SPELT.get(name, name)
        yield _parameter(name, spelt, "query", required=name in entry.required)
    for name in headers:
        yield _parameter(name, name, "header", required=False)


def _parameter(name: str, spelt: str, where: str, *, required: bool) -> Json:
    words, shape = PARAMETERS[name]
    return {"name": spelt, "in": where, "required": required, "description": words, "schema": shape}


def _responses(entry: Entry) -> Json:
    done: Json = {
        "description": HTTPStatus(entry.status).phrase,
        "content": {media: {"schema": shape} for media, shape in entry.answer.items()},
    }
    if entry.tagged:
        done["headers"] = {"ETag": {"$ref": "#/components/headers/ETag"}}
    if "cursor" in entry.query and entry.tagged:
        done["headers"]["Link"] = {"$ref": "#/components/headers/Link"}
    told = {str(int(entry.status)): done}
    if entry.tagged:
        told["304"] = {"description": "The answer is the one that you have"}
    for status in _refusals(entry):
        told.setdefault(str(int(status)), {"$ref": f"#/components/responses/{_refusal(status)}"})
    for status in entry.also:
        if status < HTTPStatus.BAD_REQUEST:
            told[str(int(status))] = done
    return dict(sorted(told.items()))


def _refusals(entry: Entry) -> tuple[int, ...]:
    guarded = GUARDED if entry.needs in (READ, OPERATE) else ()
    signed = (HTTPStatus.UNAUTHORIZED,) if entry.needs == SIGNED else ()
    body = WITH_BODY if entry.body is not None or entry.needs == SIGNED else ()
    return (*ALWAYS, *guarded, *signed, *body, *(one for one in entry.also if one >= HTTPStatus.BAD_REQUEST))


def _refusal(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")
