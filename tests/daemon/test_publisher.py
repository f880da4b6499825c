"""What the feed is told of the host's state: that it is another one, once."""

from __future__ import annotations

import threading
from typing import Any

from reconciler.daemon.events import EventPublisher
from reconciler.service.events import EventBuffer

QUIET: dict[str, Any] = {
    "sync": "Synced",
    "health": "Healthy",
    "head": "c1",
    "applied": {"commit": "c1", "applied_at": "now"},
    "refused": None,
    "suspended": None,
    "rolled_back": None,
    "halted": [],
    "troubles": [],
    "drift": None,
}


def _told(*said: dict[str, Any]) -> list[tuple[str, Any]]:
    """What is told when the status says these things, one after the other."""
    feed, sights = EventBuffer(), [QUIET | one for one in said]
    publisher = EventPublisher(feed, lambda: sights.pop(0))
    for _ in said:
        publisher.publish_state()
    return [(one.event, one.data) for one in feed.after(0) or ()]


def _scan(at: int, found: int, healed: int = 0, *fighting: str) -> dict[str, Any]:
    return {"drift": {"at": str(at), "found": found, "healed": healed, "fighting": fighting}}


def test_a_state_is_told_when_it_changes_and_not_when_it_is_looked_at() -> None:
    told = _told({}, {}, {"health": "Degraded"}, {"health": "Degraded"}, {})
    assert [(event, data["health"]) for event, data in told] == [
        ("state", "Healthy"),
        ("state", "Degraded"),
        ("state", "Healthy"),
    ]
    assert told[0][1]["applied"] == "c1"


def test_what_only_time_changes_is_no_news() -> None:
    told = _told({}, {"applied": {"commit": "c1", "applied_at": "later"}}, {"daemon": {"beat_at": "later"}})
    assert len(told) == 1


def test_drift_that_is_left_alone_is_told_once_and_so_is_its_end() -> None:
    told = _told(_scan(1, 0), _scan(2, 3), _scan(3, 3), _scan(4, 2), _scan(5, 0), _scan(6, 0))
    assert [data["found"] for event, data in told if event == "drift"] == [3, 2, 0]


def test_a_restore_forgets_what_was_seen_and_that_is_no_news() -> None:
    told = _told(_scan(1, 3), {"drift": None}, _scan(2, 0), _scan(3, 3))
    assert [data["found"] for event, data in told if event == "drift"] == [3, 3]


def test_drift_that_is_put_right_is_told_each_time() -> None:
    told = _told(_scan(1, 1, 1), _scan(1, 1, 1), _scan(2, 1, 1), _scan(3, 0), _scan(4, 1, 0, "a row"))
    assert [(data["at"], data["healed"]) for event, data in told if event == "drift"] == [
        ("1", 1),
        ("2", 1),
        ("3", 0),
        ("4", 0),
    ]


def test_threads_that_look_at_once_tell_nothing_twice() -> None:
    feed, health = EventBuffer(), ["Healthy"]
    publisher = EventPublisher(feed, lambda: QUIET | {"health": health[0]})

    def look() -> None:
        for _ in range(200):
            publisher.publish_state()

    for one in ("Healthy", "Degraded", "Healthy"):
        health[0] = one
        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [one.data["health"] for one in feed.after(0) or ()] == ["Healthy", "Degraded", "Healthy"]
