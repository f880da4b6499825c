"""The addresses of the past: what each asks the daemon for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.client import DaemonClient
from reconciler.errors import UsageError
from tests.web.harness import TOKEN, Site, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NASTY = "' OR 1=1 --&at=x#?%2F\n\N{RIGHT-TO-LEFT OVERRIDE}é+"


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
    ("address", "asked"),
    [
        ("/v1/history", ("history", None, None, 20)),
        ("/v1/history?limit=3", ("history", None, None, 3)),
        ("/v1/resources/user/ann/history?limit=7", ("history", "user", "ann", 7)),
        ("/v1/resources/user/ann/blame", ("blame", "user", "ann")),
        ("/v1/resources/user/ann?at=2026-11-23T08:00%2B01:00", ("show", "user", "ann", "2026-11-23T08:00+01:00")),
        ("/v1/resources/user?at=main~2", ("show", "user", None, "main~2")),
        ("/v1/resources/user/ann", ("rows", "user", "ann")),
        ("/v1/versions", ("versions", 20, {})),
        ("/v1/versions?limit=2&author=ann&status=orphaned", ("versions", 2, {"author": "ann", "status": "orphaned"})),
        ("/v1/versions/abcd", ("version", "abcd")),
        ("/v1/diff?base=a&head=b", ("diff", "a", "b")),
    ],
)
def test_an_address_asks_for(site: Site, address: str, asked: tuple[Any, ...]) -> None:
    assert site.ask("GET", address).status == 200
    assert site.daemon.asked == [asked]


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


CALLS: dict[str, tuple[Callable[[DaemonClient], object], tuple[Any, ...]]] = {
    "history": (lambda client: client.history(NASTY, NASTY, 5), ("history", NASTY, NASTY, 5)),
    "all": (lambda client: client.history(None, None, 5), ("history", None, None, 5)),
    "blame": (lambda client: client.blame(NASTY, NASTY), ("blame", NASTY, NASTY)),
    "show": (lambda client: client.show(NASTY, NASTY, NASTY), ("show", NASTY, NASTY, NASTY)),
    "show all": (lambda client: client.show(NASTY, None, NASTY), ("show", NASTY, None, NASTY)),
    "diff": (lambda client: client.diff(NASTY, NASTY), ("diff", NASTY, NASTY)),
    "versions": (lambda client: client.versions(5, {"author": NASTY}), ("versions", 5, {"author": NASTY})),
}


@pytest.mark.parametrize("call", CALLS)
def test_the_client_passes_on_what_it_is_given(site: Site, call: str) -> None:
    ask, asked = CALLS[call]
    ask(DaemonClient(str(site.server.address.local), TOKEN))
    assert site.daemon.asked == [asked]
