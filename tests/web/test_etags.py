"""Reads that are the same are not sent again, and whoever waits for another answer gets it when it is there."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.web import api, waiting
from reconciler.web.http import PIECE, VOLATILE, encode_json, has_tag, preferred_wait, weak_tag
from tests.support.patience import DEADLINE, until
from tests.web.harness import Daemon, Reply, Site, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READS = (
    "/v1/status",
    "/v1/resources/user",
    "/v1/resources/user/ann",
    "/v1/resources/user?at=main",
    "/v1/resources/user/ann/history",
    "/v1/resources/user/ann/blame",
    "/v1/history",
    "/v1/versions",
    "/v1/versions/abcd",
    "/v1/diff?base=a&head=b",
    "/v1/drift",
    "/v1/kinds",
    "/v1/kinds/user",
    "/v1/plan",
)
LONGEST = 60
"""Seconds that a request may ask to wait, more than a client of these tests does."""
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5)


@dataclass
class AnsweringDaemon(Daemon):
    """Answers everything with the same, until that is changed."""

    says: dict[str, Any] = field(default_factory=lambda: {"sync": "Synced"})

    def answer(self, name: str) -> Mapping[str, Any]:
        """What it says now."""
        return dict(self.says)

    def say(self, says: dict[str, Any]) -> None:
        """Change it, and let everybody know."""
        self.says = says
        self.feed.publish("state", {})


@pytest.fixture(scope="module")
def lasting() -> Iterator[Site]:
    """One for all tests of this file."""
    with running(AnsweringDaemon()) as found:
        yield found


@pytest.fixture
def site(lasting: Site) -> Site:
    """The same, as it was in the beginning."""
    assert isinstance(lasting.daemon, AnsweringDaemon)
    lasting.daemon.says = {"sync": "Synced"}
    return lasting


def _waiting(site: Site, path: str, tag: str, seconds: int) -> Reply:
    """The answer after a wait; a client gives up before the longest is over."""
    return site.ask("GET", path, If_None_Match=tag, Prefer=f"wait={seconds}")


@pytest.mark.parametrize("path", READS)
def test_the_same_is_not_sent_again(site: Site, path: str) -> None:
    first, again = site.ask("GET", path), site.ask("GET", path)
    tag = first.headers["etag"]
    assert (first.status, again.headers["etag"]) == (200, tag)
    assert tag.startswith("W/") == (path == "/v1/status")
    for header in (tag, f"W/{tag.removeprefix('W/')}", f'"other", {tag}', "*"):
        same = site.ask("GET", path, If_None_Match=header)
        assert (same.status, same.json, same.headers["etag"]) == (304, None, tag)
        assert "content-length" not in same.headers
        assert same.headers["cache-control"] == "private, no-cache"
    for header in ('"other"', "other", "", tag.removeprefix("W/").strip('"')):
        assert site.ask("GET", path, If_None_Match=header).status == 200
    assert isinstance(site.daemon, AnsweringDaemon)
    site.daemon.says = {"sync": "OutOfSync"}
    other = site.ask("GET", path, If_None_Match=tag)
    assert (other.status, other.json["sync"]) == (200, "OutOfSync")
    assert other.headers["etag"] != tag


@pytest.mark.parametrize("path", READS)
def test_head_says_what_get_would(site: Site, path: str) -> None:
    whole, head = site.ask("GET", path), site.ask("HEAD", path)
    assert (head.status, head.json) == (200, None)
    for header in ("etag", "content-length", "content-type"):
        assert head.headers[header] == whole.headers[header]
    assert site.ask("HEAD", path, If_None_Match=head.headers["etag"]).status == 304


def test_a_status_is_the_same_while_only_time_passes(site: Site) -> None:
    assert isinstance(site.daemon, AnsweringDaemon)
    status: dict[str, Any] = {
        "sync": "Synced",
        "daemon": {"pid": 1, "phase": "Idle", "beat_at": "1", "phase_since": "1", "last_sync_at": "1"},
        "history": {"versions": 0, "last_success_at": "1", "next_attempt_at": "1"},
        "drift": {"at": "1", "found": 0},
        "troubles": [],
    }
    site.daemon.says = status
    tag = site.ask("GET", "/v1/status").headers["etag"]
    site.daemon.says = json.loads(json.dumps(status).replace('"1"', '"2"').replace("Idle", "Scanning"))
    assert site.ask("GET", "/v1/status", If_None_Match=tag).status == 304
    for name, found in (("daemon", {"pid": 2}), ("history", {"versions": 1}), ("drift", {"found": 1})):
        site.daemon.says = {**status, name: {**status[name], **found}}
        assert site.ask("GET", "/v1/status", If_None_Match=tag).status == 200, name
    site.daemon.says = {**status, "drift": None}
    assert site.ask("GET", "/v1/status", If_None_Match=tag).status == 200


def test_only_clocks_are_left_out_of_a_status() -> None:
    body = {name: dict.fromkeys((*fields, "other"), 1) for name, fields in VOLATILE.items()}
    for name in VOLATILE:
        assert weak_tag({**body, name: {**body[name], "other": 2}}, b"") != weak_tag(body, b"")


def test_whoever_waits_is_told_at_once(site: Site) -> None:
    assert isinstance(site.daemon, AnsweringDaemon)
    tag = site.ask("GET", "/v1/status").headers["etag"]
    timer = threading.Timer(0.5, lambda: site.daemon.say({"sync": "OutOfSync"}))
    timer.start()
    answer = _waiting(site, "/v1/status", tag, LONGEST)
    timer.join()
    assert (answer.status, answer.json) == (200, {"sync": "OutOfSync"})
    assert answer.headers["preference-applied"] == f"wait={LONGEST}"


def test_news_that_change_nothing_do_not_end_a_wait(site: Site) -> None:
    assert isinstance(site.daemon, AnsweringDaemon)
    tag = site.ask("GET", "/v1/status").headers["etag"]
    timer = threading.Timer(0.2, lambda: site.daemon.say(dict(site.daemon.says)))
    timer.start()
    began = time.monotonic()
    answer = _waiting(site, "/v1/status", tag, 1)
    took = time.monotonic() - began
    timer.join()
    assert (answer.status, answer.json, answer.headers["etag"]) == (304, None, tag)
    assert answer.headers["preference-applied"] == "wait=1"
    assert took > 0.9


def test_what_is_no_news_is_found_as_well(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(site.daemon, AnsweringDaemon)
    monkeypatch.setattr(api, "LOOK_AGAIN", 0.2)
    tag = site.ask("GET", "/v1/versions").headers["etag"]
    timer = threading.Timer(0.3, lambda: setattr(site.daemon, "says", {"versions": []}))
    timer.start()
    answer = _waiting(site, "/v1/versions", tag, LONGEST)
    timer.join()
    assert (answer.status, answer.json["versions"]) == (200, [])


def test_nobody_waits_who_has_another_answer_or_none(site: Site) -> None:
    for tag in ('"other"', None):
        headers = {} if tag is None else {"If_None_Match": tag}
        answer = site.ask("GET", "/v1/status", Prefer=f"wait={LONGEST}", **headers)
        assert (answer.status, "preference-applied" in answer.headers) == (200, False)


def test_what_is_not_asked_again_and_again_is_answered_at_once(site: Site) -> None:
    address = "/v1/sql?query=SELECT+1"
    tag = site.ask("GET", address).headers["etag"]
    same = site.ask("GET", address, If_None_Match=tag, Prefer=f"wait={LONGEST}")
    assert (same.status, "preference-applied" in same.headers) == (304, False)
    posted = site.ask("POST", "/v1/sql", b'{"query":"SELECT 1"}', Content_Type="application/json", If_None_Match=tag)
    assert (posted.status, posted.headers["etag"]) == (200, tag)


def test_whoever_hangs_up_is_waited_for_no_longer(site: Site) -> None:
    tag = site.ask("GET", "/v1/status").headers["etag"]
    hub = site.server._waiting.hub
    connection = site.connect()
    connection.request("GET", "/v1/status", headers={"If-None-Match": tag, "Prefer": "wait=60"})
    until(lambda: hub.waiters == 1)
    connection.close()
    until(lambda: hub.waiters == 0)


def test_the_end_of_the_server_ends_all_waits() -> None:
    with running(AnsweringDaemon()) as site:
        tag = site.ask("GET", "/v1/status").headers["etag"]
        found: list[int] = []
        asking = threading.Thread(target=lambda: found.append(_waiting(site, "/v1/status", tag, LONGEST).status))
        asking.start()
        until(lambda: site.server._waiting.hub.waiters == 1)
        site.server.stop()
        asking.join(DEADLINE)
    assert found in ([304], [503])


def test_there_is_room_for_so_many(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITERS", 0)
    tag = site.ask("GET", "/v1/status").headers["etag"]
    answer = site.ask("GET", "/v1/status", If_None_Match=tag, Prefer="wait=5")
    assert (answer.status, answer.code) == (503, "retry-later")
    assert site.ask("GET", "/v1/status", If_None_Match=tag).status == 304


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["wait=30"], 30),
        (["respond-async, wait=7"], 7),
        (["respond-async", "Wait = 5"], 5),
        (['wait="9"; foo=bar'], 9),
        (["wait=3, wait=8"], 3),
        (["wait=99999"], 60),
        *(([text], 0) for text in ("", "wait", "wait=", "wait=-1", "wait=1.5", "await=5", "wait=٣", "wait=0")),
    ],
)
def test_a_preference_is_read_as_rfc_7240_has_it(headers: list[str], seconds: int) -> None:
    assert preferred_wait(headers) == seconds


@pytest.mark.parametrize(
    ("header", "tag", "same"),
    [
        *((header, '"a"', True) for header in ('"a"', 'W/"a"', '"b","a,b" , "a"')),
        ('"a"', 'W/"a"', True),
        *((header, '"a"', False) for header in ('"a,b"', "a", "", '"A"')),
    ],
)
def test_tags_are_compared_weakly(header: str, tag: str, same: bool) -> None:
    assert has_tag(header, tag) == same


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), st.integers(0, 2 * PIECE + 2))
def test_pieces_make_the_same_text(body: dict[str, Any], many: int) -> None:
    whole = {**body, "rows": [{"name": str(one), "é": [one]} for one in range(many)]}
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    assert encode_json(whole) == text.encode("utf-8", "replace")
    assert encode_json({}) == b"{}"


def test_a_large_answer_keeps_nobody_waiting() -> None:
    """While 100,000 rows are read and encoded the loop goes on."""
    row = {"name": "fx-majors-01", "path": "users/fx-majors-01.yaml", "values": dict.fromkeys("abcdefgh", 1.5)}
    body = {"rows": [dict(row) for _ in range(100_000)]}

    async def rounds() -> int:
        making, gone = asyncio.ensure_future(asyncio.to_thread(encode_json, body)), 0
        while not making.done():
            await asyncio.sleep(0.001)
            gone += 1
        return gone

    assert asyncio.run(rounds()) > 5
