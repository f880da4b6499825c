"""Kinds, plan, document and its page, as a real daemon tells them."""

from __future__ import annotations

import http.client
import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from reconciler.service.endpoints import ENDPOINTS
from tests.docs.commandline import reconciler
from tests.docs.session import environment
from tests.support.daemons import running, until
from tests.support.gitrepo import GitRepo
from tests.web.desk import Desk, begun, example_files

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

USER = "users/fx-majors-01.yaml"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A daemon without a history, which nothing here needs."""
    folder = tmp_path_factory.mktemp("catalogue")
    repo = begun(GitRepo.create(folder / "desk"))
    with running(repo.path, repo.path / ".git" / "reconciler") as daemon:
        daemon.await_live(repo.git("rev-parse", "main"))
        yield Desk(repo, daemon)


class Page(HTMLParser):
    """What a page links to, and what it could fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        found = {name: value or "" for name, value in attrs}
        self.ids += [found["id"]] if "id" in found else []
        if tag == "a":
            self.links.add(found["href"])
        else:
            self.fetched |= {found[name] for name in ("src", "href") if name in found}


def _page(desk: Desk, **headers: str) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection(desk.daemon.client().address, timeout=60)
    connection.request("GET", "/docs", headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text, {name.lower(): value for name, value in response.getheaders()}


def test_kinds_are_what_schema_list_prints(desk: Desk) -> None:
    desk.repo.git("checkout", "--quiet", "main", "--", ".")
    said = reconciler(["schema", "list", "--format", "json"], desk.repo.path, environment(desk.repo.path))
    printed = [
        {**one, "origin": "shipped" if one["origin"] == "shipped" else "repository"} for one in json.loads(said.out)
    ]
    told = desk.ask("/v1/kinds")[0]["kinds"]
    assert told == printed
    assert {one["kind"]: one["origin"] for one in told}["Broker"] == "repository"


def test_a_kind_is_its_schema(desk: Desk) -> None:
    own = json.loads(str(example_files()["schemas/broker.schema.json"]))
    for word in ("broker", "Brokers", "broker_config"):
        assert desk.ask(f"/v1/kinds/{word}")[0] == own
    error = desk.ask("/v1/kinds/brooker", 422)[0]["error"]
    assert (error["message"], error["hint"]) == ("there is no kind brooker", "did you mean broker?")


def test_the_plan_is_what_does_not_go_live(desk: Desk) -> None:
    head = desk.repo.git("rev-parse", "main")
    plan = desk.ask("/v1/plan")[0]
    assert (plan["base"], plan["head"], plan["changes"], plan["problems"]) == (head, head, [], [])
    desk.daemon.client().suspend("maren", "an election")
    text = str(example_files()[USER])
    tag = desk.ask("/v1/plan")[1]["etag"]
    changed = desk.repo.commit({USER: text.replace("0.75", "0.4")}, "Less risk")
    desk.daemon.await_status(lambda said: said["head"] == changed)
    plan, headers = desk.ask("/v1/plan", If_None_Match=tag, Prefer="wait=30")
    (change,) = plan["changes"]
    assert (change["op"], change["name"], plan["base"], plan["head"]) == ("update", "fx-majors-01", head, changed)
    assert change["fields"] == [{"field": "risk_per_trade_percent", "old": 0.6, "new": 0.4}]
    assert headers["etag"] != tag
    desk.repo.commit({USER: text.replace("0.75", "lots")}, "A slip")
    plan = desk.ask("/v1/plan")[0]
    assert "wrong-type" in {one["code"] for one in plan["problems"]}
    desk.repo.commit({USER: text.replace("0.75", "0.6")}, "As it was")
    assert desk.ask("/v1/plan")[0]["changes"] == []
    desk.daemon.client().resume("maren")


def test_the_document_follows_the_kinds_of_the_store(desk: Desk) -> None:
    document, headers = desk.ask("/openapi.json")
    shapes = document["components"]["schemas"]
    assert "Document.Broker" in shapes
    assert shapes["Values.Broker"]["required"][-2:] == ["created_at", "updated_at"]
    assert document["paths"]["/v1/sessions"]["get"]["parameters"][0]["name"] == "user"
    desk.ask("/openapi.json", If_None_Match='"other"')
    assert headers["etag"].startswith('"')


def test_the_page_shows_all_of_it_and_asks_for_nothing_elsewhere(desk: Desk) -> None:
    status, text, headers = _page(desk)
    page = Page(text)
    assert status == 200
    for endpoint in ENDPOINTS:
        assert f"<code>{endpoint.path}</code>" in text
    assert "shape-Values.Broker" in page.ids
    assert len(page.ids) == len(set(page.ids))
    assert {link for link in page.links if link.startswith("#")} <= {f"#{one}" for one in page.ids}
    assert all(one.startswith("/static/") for one in page.fetched)
    assert "default-src 'none'" in headers["content-security-policy"]
    until(lambda: _page(desk, If_None_Match=_page(desk)[2]["etag"])[0] == 304, lambda: "its head moves for ever")
