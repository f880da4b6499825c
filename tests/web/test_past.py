"""The addresses of reads: what each asks the services for, and what the commands' client makes of their methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import UsageError
from reconciler.service.history import History
from reconciler.service.host import Host
from reconciler.service.kinds import Kinds
from reconciler.service.limits import DEFAULT_ROWS
from reconciler.service.remote import DaemonClient
from reconciler.service.rows import Plans, Rows
from reconciler.service.sessions import Sessions
from reconciler.service.sql import Sql
from tests.web.harness import TOKEN, Site, TypedDaemon, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NASTY = "' OR 1=1 --&at=x#?%2F\n\N{RIGHT-TO-LEFT OVERRIDE}é+"
ANN = {"kind": "user", "name": "ann"}


@pytest.fixture(scope="module")
def lasting() -> Iterator[Site]:
    """One for all tests of this file."""
    with running() as found:
        yield found


@pytest.fixture
def site(lasting: Site) -> Site:
    """The same, with a daemon that was asked nothing."""
    lasting.daemon.begin_anew()
    return lasting


@pytest.mark.parametrize(
    ("address", "method", "arguments"),
    [
        ("/v1/history", "History.newest", {"limit": 20}),
        ("/v1/history?limit=3", "History.newest", {"limit": 3}),
        ("/v1/history?limit=3&cursor=xyz", "History.newest", {"limit": 3, "cursor": "xyz"}),
        ("/v1/resources/user/ann/history?limit=7", "History.changes", {"kind": "user", "name": "ann", "limit": 7}),
        ("/v1/resources/user/ann/blame", "History.blame", {"kind": "user", "name": "ann"}),
        ("/v1/resources/user/ann?at=2026-11-23T08:00%2B01:00", "Rows.row", {**ANN, "at": "2026-11-23T08:00+01:00"}),
        ("/v1/resources/user?at=main~2", "Rows.page", {"kind": "user", "at": "main~2"}),
        ("/v1/resources/user/ann", "Rows.row", ANN),
        ("/v1/versions", "History.versions", {"limit": 20}),
        (
            "/v1/versions?limit=2&author=ann&status=orphaned",
            "History.versions",
            {"limit": 2, "author": "ann", "status": "orphaned"},
        ),
        ("/v1/versions/abcd", "History.version", {"revision": "abcd"}),
        ("/v1/diff?base=a&head=b", "History.diff", {"base": "a", "head": "b"}),
        ("/v1/why/abcd", "Why.commit", {"revision": "abcd"}),
        ("/v1/why/user/ann?field=status", "Why.resource", {**ANN, "field": "status"}),
    ],
)
def test_an_address_asks_for(site: Site, address: str, method: str, arguments: dict[str, Any]) -> None:
    assert site.ask("GET", address).status == 200
    assert site.daemon.asked == [(method, arguments)]


@pytest.mark.parametrize(
    "address",
    [
        "/v1/history?limit=0",
        "/v1/history?limit=x",
        "/v1/versions?limit=%EF%BC%91",
        "/v1/versions?limit=1000000",
        "/v1/diff",
        "/v1/diff?base=a",
        "/v1/resources/user/ann?at=",
    ],
)
def test_what_makes_no_sense_is_not_asked(site: Site, address: str) -> None:
    answer = site.ask("GET", address)
    assert (answer.status, answer.code) == (422, "usage")
    assert site.daemon.asked == []


def test_nothing_of_it_operates(site: Site) -> None:
    for address in ("/v1/history", "/v1/diff?base=a&head=b", "/v1/versions/abcd"):
        assert site.operate(address).status == 405
    assert site.daemon.asked == []


def test_what_the_history_does_not_know(site: Site) -> None:
    site.daemon.error = UsageError("the history knows no User x", hint="did you mean y?")
    answer = site.ask("GET", "/v1/resources/user/x/history")
    assert (answer.status, answer.code) == (422, "usage")
    assert answer.json["error"]["hint"] == "did you mean y?"


CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any], dict[str, Any]]] = {
    "changes": (History.changes, {"kind": NASTY, "name": NASTY, "limit": 5}, {}),
    "newest": (History.newest, {"limit": 5}, {}),
    "blame": (History.blame, {"kind": NASTY, "name": NASTY}, {}),
    "row": (Rows.row, {"kind": NASTY, "name": NASTY, "at": NASTY}, {}),
    "page": (Rows.page, {"kind": NASTY, "at": NASTY, "limit": 7, "cursor": NASTY}, {}),
    "diff": (History.diff, {"base": NASTY, "head": NASTY}, {}),
    "versions": (History.versions, {"limit": 5, "author": NASTY}, {}),
    "version": (History.version, {"revision": NASTY}, {}),
    "status": (Host.status, {}, {}),
    "drift": (Rows.drift, {}, {}),
    "plan": (Plans.ahead, {}, {}),
    "kinds": (Kinds.all, {}, {}),
    "kind": (Kinds.schema, {"kind": NASTY}, {}),
    "query": (Sql.query, {"query": NASTY, "history": True}, {"limit": DEFAULT_ROWS}),
    "tables": (Sql.tables, {"history": False}, {}),
    "use": (Sessions.touch, {"session_id": NASTY}, {}),
}
"""Methods, with what they are given, and what they take by default."""


@pytest.mark.parametrize("call", CALLS)
def test_the_client_passes_on_what_it_is_given(call: str) -> None:
    method, given, default = CALLS[call]
    with running(TypedDaemon()) as site:
        DaemonClient(str(site.server.address.local), TOKEN).ask(method, **given)
        assert site.daemon.asked == [(method.__qualname__, given | default)]
