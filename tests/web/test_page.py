"""docs/http.md says what is there, and no more."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from reconciler.model.grants import path_secret
from reconciler.service.endpoints import ENDPOINTS
from reconciler.service.events import EventBuffer
from reconciler.web.app import App
from reconciler.web.auth import Deadlines, ServerConfig
from reconciler.web.waiting import EventHub, Waiting
from tests.docs.markdown import blocks, read
from tests.web.harness import SECRET, Daemon, running

PAGE = read("docs/http.md")
SOURCES = Path(__file__).parents[2] / "reconciler" / "web"


def test_every_address_is_documented() -> None:
    app = App(Daemon().served, ServerConfig("t"), Waiting(EventHub(EventBuffer())))
    there = {(next(iter(route.methods - {"HEAD"})), route.path) for route in app.starlette.routes}
    app.api.close()
    told = set(re.findall(r"^\| `(GET|POST) (\S+)`", PAGE, re.MULTILINE))
    assert told == there


def test_every_error_code_is_documented() -> None:
    sources = "".join(file.read_text(encoding="utf-8") for file in SOURCES.glob("*.py"))
    raised = set(
        re.findall(r'(?:HttpError\(\s*(?:HTTPStatus\.\w+|status), |HTTPStatus\.\w+, |"code": )"([a-z-]+)"', sources)
    ) | {endpoint.unavailable for endpoint in ENDPOINTS if endpoint.unavailable}
    table = PAGE.partition("\n## Errors")[2].partition("\n## ")[0]
    told = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| \d+ \| (.*?) \|", table, re.MULTILINE))))
    assert told == raised


def test_the_deadlines_are_those_of_the_page() -> None:
    assert f"up to {Deadlines().read:g} s for a read and {Deadlines().operation:g} s for an operation" in PAGE
    assert f"did not arrive within {Deadlines().body:g} s" in PAGE


def test_the_program_of_the_page_is_accepted() -> None:
    with running() as site, redirect_stdout(StringIO()) as printed:
        address = f"http://{site.server.address}/webhooks/{path_secret(SECRET)}"
        exec(blocks(PAGE, "python")[0].body, {"SECRET": SECRET, "ADDRESS": address})
        assert site.daemon.hints == ["webhook: generic push"]
    assert printed.getvalue() == '{"result":"accepted"}\n'
