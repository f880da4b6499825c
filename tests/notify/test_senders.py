"""Webhooks and Telegram, over real HTTP: what is sent, and what each answer means. No secret is in any word."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater
from reconciler.model.receiver import parse_receivers
from reconciler.notify.receivers import make_senders
from reconciler.notify.senders import LONGEST_WAIT, NotThere, Postponed, Rejected
from tests.notify.test_messages import ORIGIN, live, message
from tests.support.receivers import receiving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.notify.senders import Sender
    from tests.support.receivers import Answer, Receiving

SECRET, TOKEN = "hunter2-hunter2", "123456:hunter2hunter2"
PATH = "/services/hunter2/hook"


def sender(receiver: dict[str, Any]) -> Sender:
    (found,) = make_senders(parse_receivers([receiver], lambda *_: ""), ORIGIN)
    return found


@contextmanager
def webhook(answer: Answer = (200, {}, b"")) -> Iterator[tuple[Receiving, Sender]]:
    with receiving(lambda sent: answer) as server:
        yield server, sender({"kind": "webhook", "url": server.url + PATH, "secret": SECRET})


@contextmanager
def telegram(status: int, **told: Any) -> Iterator[tuple[Receiving, Sender]]:
    with receiving(lambda sent: (status, {}, json.dumps({"ok": status == 200, **told}).encode())) as server:
        yield server, sender({"kind": "telegram", "url": server.url, "token": TOKEN, "chat": "-1001/7"})


def test_a_webhook_is_signed_and_says_which_message_it_is() -> None:
    with webhook() as (server, sends):
        assert sends.send(message(live())) is None
        assert sends.send(message(live())) is None
    first, again = server.sent
    assert (first.method, first.path, first.body) == ("POST", PATH, again.body)
    assert first.headers["content-type"] == "application/json"
    assert first.headers["idempotency-key"] == first.json["id"] == "m-1"
    digest = hmac.new(SECRET.encode(), first.body, hashlib.sha256).hexdigest()
    assert first.headers["x-reconciler-signature-256"] == f"sha256={digest}"
    assert SECRET not in str(first)


def test_a_bot_writes_to_a_topic_of_a_chat() -> None:
    with telegram(200) as (server, sends):
        assert sends.send(message(live())) is None
    (sent,) = server.sent
    assert sent.path == f"/bot{TOKEN}/sendMessage"
    assert (sent.json["chat_id"], sent.json["message_thread_id"], sent.json["parse_mode"]) == (-1001, 7, "HTML")
    assert sent.json["text"].startswith("<b>vps-ldn-01: aaaaaaaa is live</b>")


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (500, {}, RetryLater),
        (503, {"Retry-After": "7"}, Postponed),
        (429, {}, RetryLater),
        (429, {"Retry-After": "99999999"}, Postponed),
        (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, Postponed),
        (429, {"Retry-After": "soon"}, RetryLater),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, Postponed),
        (403, {}, NeedsHuman),
        (404, {}, NotThere),
        (410, {}, NotThere),
        (400, {}, Rejected),
        (413, {}, Rejected),
        (302, {"Location": "https://elsewhere.example/hunter2"}, NeedsHuman),
        (999, {}, RetryLater),
    ],
)
def test_what_an_answer_means(status: int, headers: dict[str, str], error: type[ReconcilerError]) -> None:
    with webhook((status, headers, b"hunter2")) as (server, sends), pytest.raises(ReconcilerError) as caught:
        sends.send(message(live()))
    assert type(caught.value) is error
    assert str(status) in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert len(server.sent) == 1
    if isinstance(caught.value, Postponed):
        assert 1 <= caught.value.after <= LONGEST_WAIT


def test_a_redirect_is_not_followed() -> None:
    with receiving() as elsewhere, webhook((307, {"Location": elsewhere.url}, b"")) as (_, sends):
        with pytest.raises(NeedsHuman, match="307") as caught:
            sends.send(message(live()))
        assert elsewhere.sent == []
    assert "redirect" in caught.value.hint


def test_telegram_says_how_long_to_wait_and_what_is_wrong() -> None:
    asked = {"description": "Too Many Requests", "parameters": {"retry_after": 5}}
    with telegram(429, **asked) as (_, sends), pytest.raises(Postponed, match="Too Many Requests") as caught:
        sends.send(message(live()))
    assert caught.value.after == 5
    unknown = telegram(400, description="Bad Request: chat not found")
    with unknown as (_, sends), pytest.raises(NeedsHuman, match="chat not found") as wrong:
        sends.send(message(live()))
    assert "add the bot" in wrong.value.hint
    hostile = telegram(401, description=f"Unauthorized {TOKEN} \x1b[2J")
    with hostile as (_, sends), pytest.raises(NeedsHuman, match="Unauthorized") as said:
        sends.send(message(live()))
    assert TOKEN not in str(said.value)
    assert "\x1b" not in str(said.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"[" * 100_000, b"\xff", b'{"description": 7, "parameters": []}'])
def test_an_answer_that_is_none_is_bounded(body: bytes) -> None:
    with receiving(lambda sent: (429, {}, body)) as server:
        sends = sender({"kind": "telegram", "url": server.url, "token": TOKEN, "chat": "1"})
        with pytest.raises(RetryLater):
            sends.send(message(live()))


def test_what_is_being_sent_can_be_ended() -> None:
    arrived, done = threading.Event(), threading.Event()

    def hang(sent: Any) -> Answer:
        arrived.set()
        done.wait(60)
        return 200, {}, b""

    with receiving(hang) as server:
        sends = sender({"kind": "webhook", "url": server.url + PATH})
        ending = threading.Thread(target=lambda: (arrived.wait(60), sends.stop()))
        ending.start()
        with pytest.raises(RetryLater, match="stops"):
            sends.send(message(live()))
        done.set()
        ending.join()
