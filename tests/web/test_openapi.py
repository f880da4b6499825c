"""The document is of its form, names the routes there are and no others, and follows the kinds."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31
from starlette.routing import Route

from reconciler import wiring
from reconciler.daemon.events import Feed
from reconciler.web import etags
from reconciler.web.app import create_app
from reconciler.web.openapi.document import REFUSALS, document
from reconciler.web.openapi.entries import ENTRIES
from reconciler.web.openapi.page import shown
from reconciler.web.openapi.parameters import PARAMETERS
from reconciler.web.openapi.shapes import SHAPES
from reconciler.web.pages.routes import PageRoutes
from reconciler.web.pulse import Pulse
from reconciler.web.serving import Deadlines, Serving
from reconciler.web.waiting import Waiting
from tests.docs.markdown import read
from tests.web.harness import Daemon

KINDS = {kind.name: kind.schema for kind in wiring.shipped().kinds}
DOCUMENT = document(KINDS, "user", "1")


def _routes() -> set[tuple[str, str]]:
    """Method and template of every route but the pages'."""
    waiting, deadlines = Waiting(Pulse(Feed())), Deadlines()
    pages = {route.path for route in PageRoutes(Daemon(), waiting, deadlines).table()}
    return {
        (method, route.path)
        for route in create_app(Daemon(), Serving("t"), waiting).routes
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
    assert len(ENTRIES) == len(told), "none twice"


def test_every_part_is_used_and_every_reference_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        place: Any = DOCUMENT
        for part in reference.split("/"):
            place = place[part.replace("~1", "/").replace("~0", "~")]
    for name in SHAPES:
        assert f'#/components/schemas/{name}"' in text, name
    for name in DOCUMENT["components"]["responses"]:
        assert f'#/components/responses/{name}"' in text, name
    asked = {name for entry in ENTRIES for name in (*entry.query, *entry.headers)}
    asked |= {name for entry in ENTRIES for name in re.findall(r"\{(\w+)\}", entry.path)}
    assert asked | {"if-none-match", "prefer"} == set(PARAMETERS)


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


def test_another_kind_is_another_document() -> None:
    schema = json.loads(json.dumps(KINDS["Account"]).replace("Account", "Venue"))
    told = document({"Venue": schema}, "desk", "1")
    assert told["components"]["schemas"]["Rows"] == {"anyOf": [{"$ref": "#/components/schemas/Rows.Venue"}]}
    owners = [one["name"] for one in told["paths"]["/v1/sessions"]["get"]["parameters"]]
    assert owners[0] == "desk"
    assert document({}, "desk", "1")["components"]["schemas"]["Rows"] == {}


def test_operations_need_a_token_and_reads_need_none() -> None:
    for entry in ENTRIES:
        security = DOCUMENT["paths"][entry.path][entry.method.lower()]["security"]
        assert {} not in security or entry.method == "GET" or entry.path == "/v1/sql"
        assert security != [] or entry.path in {"/healthz", "/readyz", "/webhooks/{secret}"}


def test_the_statuses_are_those_of_the_page() -> None:
    table = read("docs/http.md").partition("\n## Errors")[2].partition("\n## ")[0]
    told = {int(status) for status in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert told - {405} == set(REFUSALS), "what asks with another method than the document has is told so anyway"


def test_the_longest_wait_is_that_of_the_page() -> None:
    assert f"after so many seconds, {etags.LONGEST_WAIT} at most" in read("docs/http.md")


def _columns(kind: str) -> list[str]:
    return list(KINDS[kind]["properties"]["spec"]["properties"])


def test_the_page_shows_every_operation_and_shape() -> None:
    told = shown(DOCUMENT)
    operations = [one for group in told["groups"] for one in group["operations"]]
    assert len(operations) == len(ENTRIES)
    assert {one["name"] for one in told["shapes"]} == set(DOCUMENT["components"]["schemas"])
    linked = {one["shape"] for shape in told["shapes"] for one in shape["fields"]} - {""}
    assert linked <= {one["name"] for one in told["shapes"]}
    status = next(one for one in operations if one["path"] == "/v1/status")
    assert status["needs"].startswith("A read")
    assert html.escape(status["summary"]) == status["summary"]
