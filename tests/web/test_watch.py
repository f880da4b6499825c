"""`/v1/watch`: what happens, told as it happens, without gap or repeat, to a thousand at once."""

from __future__ import annotations

import gc
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from reconciler.service.events import EventBuffer
from reconciler.web import events, server, waiting
from tests.support.patience import DEADLINE, until
from tests.web.crowd import Crowd
from tests.web.harness import TOKEN, Daemon, running
from tests.web.streams import watching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.harness import Site

CROWD = 1_000


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running() as found:
        yield found


def _applied(*names: str, kind: str = "User", complete: bool = True) -> dict[str, object]:
    changes = [{"op": "update", "kind": kind, "name": name, "id": "x", "fields": ["a"]} for name in names]
    return {"commit": "c0ffee", "height": 3, "changes": changes, "complete": complete}


def _address(site: Site) -> str:
    return str(site.server.address.local)


def test_what_happens_is_told_as_it_happens(site: Site) -> None:
    with watching(_address(site)) as stream:
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-store"
        place = stream.placed()
        assert int(stream.retry) <= 5_000
        site.daemon.feed.publish("state", {"sync": "Synced", "note": "line\nbreak <b> \u2028"})
        told = stream.next()
        assert told is not None
        assert (told.event, told.data) == ("state", {"sync": "Synced", "note": "line\nbreak <b> \u2028"})
        assert told.id != place


def test_who_comes_again_misses_nothing_and_hears_nothing_twice(site: Site) -> None:
    feed = site.daemon.feed
    with watching(_address(site)) as stream:
        stream.placed()
        feed.publish("applied", _applied("one"))
        first = stream.next()
        assert first is not None
    feed.publish("applied", _applied("two"))
    feed.publish("applied", _applied("three"))
    for again in (
        {"query": f"?last_event_id={first.id}"},
        {"Last_Event_ID": first.id},
        {"query": "?last_event_id=00000000-1", "Last_Event_ID": first.id},  # a browser's header is newer than the page
    ):
        with watching(_address(site), **again) as stream:
            names = [told.data["changes"][0]["name"] for told in (stream.next(), stream.next()) if told]
            assert names == ["two", "three"]
            feed.publish("state", {})
            after = stream.next()
            assert after is not None
            assert after.event == "state"
        feed.publish("state", {})  # so that the next round has more to tell, at the end


def test_the_place_at_which_a_stream_began_is_a_place_to_come_back_to(site: Site) -> None:
    with watching(_address(site)) as stream:
        place = stream.placed()
    site.daemon.feed.publish("applied", _applied("meanwhile"))
    with watching(_address(site), Last_Event_ID=place) as stream:
        told = stream.next()
        assert told is not None
        assert told.data["changes"][0]["name"] == "meanwhile"


@pytest.mark.parametrize(
    ("told", "reason"),
    [("deadbeef-1", "restarted"), ("nonsense", "restarted"), ("{run}-999999", "too-old"), ("{run}--1", "restarted")],
)
def test_who_was_with_another_run_is_told_to_look_anew(site: Site, told: str, reason: str) -> None:
    feed = site.daemon.feed
    with watching(_address(site), Last_Event_ID=told.format(run=feed.run)) as stream:
        reset = stream.next()
        assert reset is not None
        assert (reset.event, reset.data) == ("reset", {"reason": reason})
        assert reset.id == f"{feed.run}-{feed.newest}"
        feed.publish("state", {"sync": "Unknown"})
        after = stream.next()
        assert after is not None
        assert after.data == {"sync": "Unknown"}


def test_who_was_away_for_too_long_is_told_to_look_anew() -> None:
    with running(Daemon(feed=EventBuffer(max_events=3))) as site:
        feed = site.daemon.feed
        with watching(_address(site)) as stream:
            place = stream.placed()
        for _ in range(4):
            feed.publish("state", {})
        with watching(_address(site), Last_Event_ID=place) as stream:
            told = stream.next()
            assert told is not None
            assert (told.event, told.data) == ("reset", {"reason": "too-old"})


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?kind=user", [["ann"], ["ben"], ["ann", "ben"]]),
        ("?kind=User&name=ann", [["ann"], ["ann"]]),
        ("?name=op-demo", [["op-demo"]]),
        ("", [["ann"], ["op-demo"], ["ben"], [], ["ann", "ben"]]),
    ],
)
def test_a_stream_may_be_about_a_kind_or_a_name(site: Site, query: str, names: list[list[str]]) -> None:
    feed = site.daemon.feed
    with watching(_address(site), query) as stream:
        stream.placed()
        feed.publish("applied", _applied("ann"))
        feed.publish("applied", _applied("op-demo", kind="Account"))
        feed.publish("applied", _applied("ben"))
        feed.publish("state", {"changes": []})
        feed.publish("applied", _applied("ann", "ben"))
        feed.publish("applied", _applied(complete=False))
        heard = []
        while (told := stream.next()) is not None and told.data.get("complete", True):
            heard.append([one["name"] for one in told.data["changes"]])
        assert told is not None  # what is not told in full concerns everybody
        assert heard == names


def test_silence_is_broken_and_says_where_the_stream_is(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", 0.05)
    feed = site.daemon.feed
    with watching(_address(site), "?kind=account") as stream:
        stream.placed()
        feed.publish("applied", _applied("ann"))
        while stream.response.readline() != b": still here\n":
            pass
        feed.publish("applied", _applied("op-demo", kind="Account"))
        assert stream.next() is not None
    with watching(_address(site), "?kind=account") as stream:
        stream.placed()
        feed.publish("applied", _applied("ann"))
        place = ""
        while place != f"{feed.run}-{feed.newest}":  # what was not for it is behind it, too
            stream.id = ""
            line = stream.response.readline().decode()
            place = line[4:-1] if line.startswith("id: ") else place


def test_a_reader_that_falls_behind_is_told_so_and_goes_on() -> None:
    with running(Daemon(feed=EventBuffer(max_events=5))) as site:
        feed, loop = site.daemon.feed, site.server._loop
        assert loop is not None
        with watching(_address(site)) as stream:
            stream.placed()
            busy, done = threading.Event(), threading.Event()
            loop.call_soon_threadsafe(lambda: (busy.set(), done.wait(DEADLINE)))
            assert busy.wait(DEADLINE)
            for number in range(20):
                feed.publish("state", {"number": number})
            done.set()
            told = stream.next()
            assert told is not None
            assert (told.event, told.data, told.id) == ("reset", {"reason": "too-old"}, f"{feed.run}-20")
            feed.publish("state", {"number": 20})
            told = stream.next()
            assert told is not None
            assert told.data == {"number": 20}


def test_what_is_asked_has_to_make_sense(site: Site) -> None:
    assert site.ask("GET", "/v1/watch?kinds=user").status == 422
    assert site.ask("GET", f"/v1/watch?name={'x' * 501}").status == 422
    assert site.ask("GET", "/v1/watch", Host="evil.example").code == "unknown-host"
    assert site.ask("GET", "/v1/watch", X_Forwarded_For="203.0.113.9").code == "no-token"
    assert site.ask("GET", "/v1/watch", Sec_Fetch_Site="cross-site").code == "foreign-origin"
    assert site.operate("/v1/watch").code == "method-not-allowed"
    assert site.ask("HEAD", "/v1/watch").status == 200
    with watching(_address(site), X_Forwarded_For="203.0.113.9", Authorization=f"Bearer {TOKEN}") as stream:
        stream.placed()


def test_there_is_an_end_to_how_many_may_follow(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITERS", 2)
    with watching(_address(site)) as one, watching(_address(site)) as two:
        one.placed(), two.placed()
        refused = site.ask("GET", "/v1/watch")
        assert (refused.status, refused.code) == (503, "retry-later")
        assert refused.headers["retry-after"]
        assert site.ask("GET", "/healthz").status == 200
    _await_nobody(site)
    with watching(_address(site)) as stream:
        stream.placed()


def test_a_client_that_takes_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STALL", 0.3)
    with running() as site, socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.connect((site.server.address.host, site.server.address.port))
        opened.sendall(f"GET /v1/watch HTTP/1.1\r\nHost: {_address(site)}\r\n\r\n".encode())
        with watching(_address(site)) as other:
            other.placed()
            until(lambda: _hub(site).waiters == 2)
            for _ in range(10):
                site.daemon.feed.publish("state", {"text": "x" * 1_000_000})
                told = other.next()  # nobody else is kept waiting
                assert told is not None
            until(lambda: _hub(site).waiters == 1)


def test_a_stopping_server_ends_every_stream_well() -> None:
    with running() as site:
        crowd = Crowd(site.server.address.host, site.server.address.port, 200)
        stopping = threading.Thread(target=site.server.stop)
        stopping.start()
        assert crowd.await_end(DEADLINE) == 200
        stopping.join(DEADLINE)
        crowd.end(abruptly=False)


@pytest.mark.slow
@pytest.mark.parametrize("abruptly", [True, False])
def test_a_thousand_hear_of_a_commit_and_leave_nothing_behind(*, abruptly: bool) -> None:
    with running() as site:
        threads = threading.active_count()
        crowd = Crowd(site.server.address.host, site.server.address.port, CROWD)
        assert threading.active_count() <= threads + 4  # not one for each
        for number in range(3):
            crowd.forget()
            site.daemon.feed.publish("applied", {**_applied("ann"), "number": number})
            crowd.hear(b'"number":%d' % number, DEADLINE)
        crowd.end(abruptly=abruptly)
        _await_nobody(site)
        assert site.ask("GET", "/healthz").status == 200
        gc.collect()
        assert not [one for one in gc.get_objects() if isinstance(one, events.EventStream)]


def _hub(site: Site) -> waiting.EventHub:
    return site.server._waiting.hub


def _await_nobody(site: Site) -> None:
    until(lambda: _hub(site).waiters == 0)
