"""What happened, kept in order, within bounds, and told to whoever listens."""

from __future__ import annotations

import threading

from reconciler.service.events import EventBuffer


def test_who_follows_gets_all_that_came_after_in_order() -> None:
    feed = EventBuffer()
    for number in range(5):
        feed.publish("applied", {"height": number})
    assert feed.newest == 5
    assert [(one.number, one.data["height"]) for one in feed.after(2) or ()] == [(3, 2), (4, 3), (5, 4)]
    assert feed.after(5) == ()


def test_what_is_kept_no_longer_or_was_never_told_is_not_made_up() -> None:
    feed = EventBuffer(max_events=3)
    for number in range(5):
        feed.publish("applied", {"height": number})
    assert feed.after(1) is None
    assert [one.number for one in feed.after(2) or ()] == [3, 4, 5]
    assert feed.after(6) is None


def test_large_steps_make_room_for_less_but_the_newest_stays() -> None:
    feed = EventBuffer(max_weight=100)
    for _ in range(4):
        feed.publish("applied", {}, 40)
    assert feed.after(1) is None
    assert len(feed.after(2) or ()) == 2
    feed.publish("applied", {}, 1_000)
    assert [one.number for one in feed.after(4) or ()] == [5]
    assert feed.after(3) is None
    feed.publish("state", {}, 1)
    assert [one.number for one in feed.after(5) or ()] == [6]


def test_a_listener_hears_of_each_until_it_leaves() -> None:
    feed, heard = EventBuffer(), []
    leave = feed.subscribe(lambda: heard.append(feed.newest))
    feed.publish("state", {})
    feed.publish("state", {})
    leave()
    feed.publish("state", {})
    assert heard == [1, 2]


def test_two_runs_have_different_names() -> None:
    assert EventBuffer().run != EventBuffer().run


def test_threads_that_publish_at_once_lose_nothing() -> None:
    feed = EventBuffer(max_events=4_000)

    def publish(which: int) -> None:
        for number in range(1_000):
            feed.publish("state", {"who": which, "number": number})

    threads = [threading.Thread(target=publish, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = feed.after(0)
    assert told is not None
    assert [one.number for one in told] == list(range(1, 4_001))
    for which in range(4):
        assert [one.data["number"] for one in told if one.data["who"] == which] == list(range(1_000))
