"""What waits is kept: once, in order, within limits, over a restart."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from reconciler.errors import NeedsHuman
from reconciler.model.host import ConditionSeverity
from reconciler.model.receiver import MAX_RECEIVERS
from reconciler.notify.drifting import Drifting, Row
from reconciler.notify.outbox import FILE_NAME, GIVE_UP, MAX_FILE, MAX_WAITING, Outbox, Queue, read_outbox, write_outbox
from reconciler.notify.transitions import MAX_TEXT, CommitInfo, Failing, Flaps, Told
from reconciler.values import replace
from tests.notify.test_messages import live
from tests.support.standings import NOON

if TYPE_CHECKING:
    from pathlib import Path


def test_a_message_on_its_way_stays_as_it_is() -> None:
    queue = Queue().with_offer(live(1)).with_message(NOON, lambda one: one, lambda: "first")
    again = queue.with_offer(live(2)).with_failure(NOON).with_message(NOON, lambda one: one, lambda: "second")
    assert again.sending == queue.sending
    after = again.with_success().with_message(NOON, lambda one: one, lambda: "second")
    assert after.sending is not None
    assert (after.sending.id, after.sending.transitions, after.failures) == ("second", (live(2),), 0)


def test_of_very_many_changes_the_newest_are_kept_and_the_others_counted() -> None:
    queue = Queue()
    for number in range(MAX_WAITING + 30):
        queue = queue.with_offer(live(number))
    assert (len(queue.waiting), queue.dropped, queue.waiting[-1]) == (MAX_WAITING, 30, live(MAX_WAITING + 29))
    sent = queue.with_message(NOON, lambda one: one)
    assert sent.sending is not None
    assert (sent.sending.dropped, sent.dropped) == (30, 0)


def test_the_largest_outbox_that_there_may_be_is_read_again() -> None:
    wide, commits = "\U0001f600" * MAX_TEXT, tuple(CommitInfo("a" * 40, "é" * 200, "é" * 200) for _ in range(100))
    large = live(1, message=wide, hint=wide, reason=wide, about=wide, details=(wide,) * 10, commits=())
    queue = Queue()
    for turn in range(2):
        for _ in range(60):
            queue = queue.with_offer(large)
        if not turn:
            queue = queue.with_message(NOON, lambda one: replace(one, commits=commits)).split()
    assert queue.sending is not None
    assert queue.waiting
    outbox = Outbox(queues=dict.fromkeys(map(str, range(MAX_RECEIVERS)), queue))
    assert len(msgspec.json.encode(outbox)) < MAX_FILE


def test_a_message_that_is_not_taken_is_sent_in_halves() -> None:
    queue = Queue().with_offer(live(1)).with_offer(live(2)).with_offer(live(3)).with_message(NOON, lambda one: one)
    halves = queue.with_offer(live(4)).split()
    assert queue.sending is not None
    assert halves.sending is not None
    assert (halves.sending.transitions, halves.waiting) == ((live(1),), (live(2), live(3), live(4)))
    assert halves.sending.id != queue.sending.id
    assert (queue.can_split, halves.can_split) == (True, False)


def test_nobody_is_told_of_what_is_very_old() -> None:
    queue = Queue().with_offer(live()).with_message(NOON, lambda one: one)
    assert not queue.is_too_old(NOON + GIVE_UP - timedelta(seconds=1))
    assert queue.is_too_old(NOON + GIVE_UP)


def test_the_file_holds_all_of_it(tmp_path: Path) -> None:
    assert read_outbox(tmp_path) is None
    failing = {"Redis": Failing(ConditionSeverity.RETRYING, "RetryLater", NOON)}
    drifting = Drifting().with_seen(["User ann"], 1, NOON, differs=True).with_told(["User ann"], NOON)
    told = Told(store="s", seq=9, live="a", failing=failing, flaps={"Redis": Flaps(2, NOON)}, drifting=drifting)
    queue = Queue().with_offer(live(1)).with_message(NOON, lambda one: one).with_offer(live(2)).with_failure(NOON)
    outbox = Outbox(told=told).with_queue("webhook-1", queue)
    write_outbox(tmp_path, outbox)
    assert read_outbox(tmp_path) == outbox
    assert outbox.for_receivers(["other"]).queues == {"other": Queue()}


def test_a_file_of_an_older_version_is_read(tmp_path: Path) -> None:
    text = """{"version": 1, "queues": {}, "told": {"store": "s", "seq": 9, "live": "a", "refused": ["b"], "held": null,
        "suspended": "", "drift": ["User ann"], "healed": {"User ben": "2026-11-23T12:00:00Z"}, "failing": {}}}"""
    (tmp_path / FILE_NAME).write_text(text, encoding="utf-8")
    found = read_outbox(tmp_path)
    assert found is not None
    assert (found.told.drift, found.told.healed) == ((), {})
    assert found.told.drifting.differing == ("User ann",)
    assert found.told.drifting.rows["User ben"] == Row(differs=False, at=NOON, messages=1)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"told": 7}', "\0\xff"])
def test_a_file_that_cannot_be_read_is_said_to_be(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text, encoding="latin-1")
    with pytest.raises(NeedsHuman, match=FILE_NAME):
        read_outbox(tmp_path)
