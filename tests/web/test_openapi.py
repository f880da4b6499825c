"""The document is of its form, names the routes there are and no others, and follows the kinds."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31
from starlette.routing import Route

from reconciler.service.endpoint import MAX_WAIT
from reconciler.service.endpoints import ENDPOINTS
from reconciler.service.events import EventBuffer
from reconciler.web.app import App
from reconciler.web.auth import Deadlines, ServerConfig
from reconciler.web.docs import describe
from reconciler.web.openapi import COMPONENTS, REFUSALS, build_document
from reconciler.web.pages.routes import PageRoutes
from reconciler.web.waiting import EventHub, Waiting
from reconciler.wiring.bundled import bundled_kinds
from tests.conftest import GOLDEN
from tests.docs.markdown import read
from tests.support.openapi import outline
from tests.web.harness import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERRED = ("schemas", "responses", "headers")
OF_KINDS = (f"{COMPONENTS}Document.", f"{COMPONENTS}Values.", f"{COMPONENTS}Row")
"""What is there for each kind, whether or not an operation leads to it."""
KINDS = {kind.name: kind.schema for kind in bundled_kinds().kinds}
SCHEMAS = Path(__file__).parents[1] / "cases" / "schemas" / "positive"
DOCUMENT = build_document(KINDS, "user", "1")


def _routes() -> set[tuple[str, str]]:
    """Method and template of every route but the pages'."""
    waiting, host = Waiting(EventHub(EventBuffer())), Daemon().served
    pages = {route.path for route in PageRoutes(host.pages, waiting, Deadlines()).table()}
    app = App(host, ServerConfig("t"), waiting)
    app.api.close()
    return {
        (method, route.path)
        for route in app.starlette.routes
        if isinstance(route, Route) and route.path not in pages
        for method in (route.methods or set()) - {"HEAD"}
    }


def test_it_is_a_document_of_its_form() -> None:
    assert [error.message for error in Draft202012Validator(OPENAPI_31).iter_errors(DOCUMENT)] == []
    wrong = {**DOCUMENT, "paths": {"/x": {"get": {"responses": {"200": {}}}}}}
    assert list(Draft202012Validator(OPENAPI_31).iter_errors(wrong))


def test_it_names_the_routes_that_there_are() -> None:
    told = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert told == _routes()
    assert len(ENDPOINTS) == len(told), "none twice"


def test_nothing_of_it_is_lost() -> None:
    """The addresses, parameters, statuses and fields that clients were made for; there may be more fields."""
    expected, now = json.loads((GOLDEN / "openapi.json").read_text(encoding="utf-8")), outline(DOCUMENT)
    assert [(path, *methods) for path, methods in now.items()] == [
        (path, *methods) for path, methods in expected.items()
    ]
    for path, methods in expected.items():
        for method, operation in methods.items():
            found = now[path][method]
            assert (found["parameters"], found["statuses"]) == (operation["parameters"], operation["statuses"]), path
            assert set(operation["body"]) == set(found["body"]), path
            assert found["answers"].keys() == operation["answers"].keys(), path
            for media, fields in operation["answers"].items():
                assert set(fields) - set(found["answers"][media]) == set(), path


def test_every_part_is_used_and_every_reference_leads_to_a_component() -> None:
    """A flat document is what generators of clients take: they know no other places, and no parts of parts."""
    components = DOCUMENT["components"]
    used = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT)))
    there = {f"#/components/{group}/{name}" for group in REFERRED for name in components[group]}
    assert used <= there
    assert {one for one in there - used if not one.startswith(OF_KINDS)} == set()


def test_it_is_flat() -> None:
    """What generators of clients stumble over; tests/openapi runs them."""
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT)))
    assert {one for one in references if not re.fullmatch("#/components/[^/]+/[^/]+", one)} == set()
    for schema in _schemas(DOCUMENT):
        assert not schema.keys() & {"$defs", "$id", "$schema"}
        assert not any("oneOf" in _resolved(one) for one in schema.get("allOf", ())), schema
        assert schema.get("type") != "array" or "items" in schema, schema


def _schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document, of which schemas are some."""
    if isinstance(value, dict):
        yield value
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _schemas(member)


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix(COMPONENTS)
    return DOCUMENT["components"]["schemas"].get(name, schema)


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [told["operationId"] for methods in DOCUMENT["paths"].values() for told in methods.values()]
    assert len(names) == len(set(names))


def test_rows_are_typed_by_their_kinds() -> None:
    shape = {"$ref": "#/components/schemas/Rows.Account", "components": DOCUMENT["components"]}
    row = {"name": "a", "path": None, "line": None, "values": dict.fromkeys(_columns("Account"))}
    row["values"] |= {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "leverage": 30}
    rows = {"kind": "Account", "key": "account_id", "columns": [], "rows": [row]}
    validator = Draft202012Validator(shape)
    assert list(validator.iter_errors(rows)) == []
    for wrong in ("30", 0, True):
        values = {**row["values"], "leverage": wrong}
        assert list(validator.iter_errors({**rows, "rows": [{**row, "values": values}]})), wrong
    assert list(validator.iter_errors({**rows, "kind": "User"}))
    del row["values"]["leverage"]
    assert list(validator.iter_errors(rows)), "a column that is missing"


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_of_a_kind_is_the_same_where_it_stands_now(kind: str) -> None:
    moved = Draft202012Validator({"$ref": f"#/components/schemas/Document.{kind}", **DOCUMENT})
    plain = Draft202012Validator(dict(KINDS[kind]))
    for name in ("fx-majors-01", "Not A Name", "x" * 64):
        said = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": {}}
        found = [sorted(error.message for error in one.iter_errors(said)) for one in (moved, plain)]
        assert found[0] == found[1]


def test_references_of_every_kind_lead_into_the_document() -> None:
    """By anchors, to the schema itself and to the draft's: generators of clients follow only the document's own."""
    schema = json.loads((SCHEMAS / "standard-keywords.schema.json").read_bytes())
    told = build_document({"Desk": schema}, "desk", "1")["components"]["schemas"]
    notes = told["Document.Desk"]["properties"]["spec"]["properties"].pop("notes")["properties"]
    assert notes["rules"] == {"$ref": f"{COMPONENTS}Document.Desk.meta"}
    assert notes["x"] == {"const": {"$ref": "a value"}}
    assert told["Document.Desk.meta"] == {"type": ["object", "boolean"]}
    del told["Values.Desk"]["properties"]["notes"]
    references = [one["$ref"] for one in _schemas(told) if "$ref" in one]
    assert references
    assert {one for one in references if one.removeprefix(COMPONENTS) not in told} == set()


def test_another_kind_is_another_document() -> None:
    schema = json.loads(json.dumps(KINDS["Account"]).replace("Account", "Venue"))
    told = build_document({"Venue": schema}, "desk", "1")
    assert told["components"]["schemas"]["Rows"] == {"anyOf": [{"$ref": "#/components/schemas/Rows.Venue"}]}
    owners = [one["name"] for one in told["paths"]["/v1/sessions"]["get"]["parameters"]]
    assert owners[0] == "desk"
    assert build_document({}, "desk", "1")["components"]["schemas"]["Rows"] == {}


def test_operations_need_a_token_and_reads_need_none() -> None:
    for endpoint in ENDPOINTS:
        security = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]["security"]
        assert {} not in security or endpoint.method == "GET" or endpoint.path == "/v1/sql"
        assert security != [] or endpoint.path in {"/healthz", "/readyz", "/webhooks/{secret}"}


def test_the_statuses_are_those_of_the_page() -> None:
    table = read("docs/http.md").partition("\n## Errors")[2].partition("\n## ")[0]
    told = {int(status) for status in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert told - {405} == set(REFUSALS), "what asks with another method than the document has is told so anyway"


def test_the_longest_wait_is_that_of_the_page() -> None:
    assert f"after so many seconds, {MAX_WAIT} at most" in read("docs/http.md")


def _columns(kind: str) -> list[str]:
    return list(KINDS[kind]["properties"]["spec"]["properties"])


def test_the_page_shows_every_operation_and_shape() -> None:
    told = describe(DOCUMENT)
    operations = [one for group in told["groups"] for one in group["operations"]]
    assert len(operations) == len(ENDPOINTS)
    assert {one["name"] for one in told["shapes"]} == set(DOCUMENT["components"]["schemas"])
    linked = {one["shape"] for shape in told["shapes"] for one in shape["fields"]} - {""}
    assert linked <= {one["name"] for one in told["shapes"]}
    status = next(one for one in operations if one["path"] == "/v1/status")
    assert status["needs"].startswith("A read")
    assert html.escape(status["summary"]) == status["summary"]
