"""Sending a message to a receiver: webhooks, Telegram. Forges are in `forges`.

Sources: https://core.telegram.org/bots/api#sendmessage and #making-requests, RFC 9110 (Retry-After, status codes),
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header (Idempotency-Key).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from abc import ABC, abstractmethod
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from reconciler import __version__
from reconciler.adapters.outgoing import HttpClient
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.notify.messages import telegram_text, webhook_body
from reconciler.report.escape import escape_line

if TYPE_CHECKING:
    from reconciler.adapters.outgoing import Reply
    from reconciler.model.receiver import Receiver
    from reconciler.notify.messages import Origin
    from reconciler.notify.outbox import Message

USER_AGENT = f"reconciler/{__version__}"
LONGEST_WAIT = 3600.0
"""Seconds that a receiver may ask to be left alone."""
SERVER_ERROR = 500
LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
OF_THE_RECEIVER = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.PAYMENT_REQUIRED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
        HTTPStatus.GONE,
    }
)
"""What is wrong with the address or the token, and not with one message."""
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
MAX_SAID = 200


class Postponed(RetryLater):
    """The receiver asks to be left alone for so many seconds."""

    def __init__(self, message: str, *, after: float) -> None:
        super().__init__(message)
        self.after = after


class Rejected(NeedsHuman):
    """The receiver does not take this message, and perhaps another one."""


class NotThere(NeedsHuman):
    """Nothing is at the address, or nothing that may be seen."""


class Sender(ABC):
    """Sends to one receiver. For one thread, but for `stop`."""

    gap: ClassVar[float] = 10.0
    """Seconds between two messages: what happens meanwhile is one."""
    takes_parts: ClassVar[bool] = True
    """Whether of a message that it does not take the halves are tried: one change of many may be the cause."""
    pause = 0.0
    """Seconds to wait before what is left of a message is sent."""

    def __init__(self, receiver: Receiver, origin: Origin) -> None:
        self.receiver, self.origin = receiver, origin
        self.client = HttpClient(receiver.label, receiver.ca_cert)

    @abstractmethod
    def send(self, message: Message) -> Message | None:
        """Send it; gives what is left to send, None for nothing.

        Raises `Postponed`, `RetryLater`, `Rejected` and `NeedsHuman`. No secret is in what it says.
        """

    def stop(self) -> None:
        """End what is being sent."""
        self.client.stop()

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Reply:
        """Post JSON and check the answer."""
        sent = {"Content-Type": "application/json", "user-agent": USER_AGENT, **headers}
        reply = self.client.send("POST", url, sent, body)
        self.check(reply)
        return reply

    def check(self, reply: Reply, what: str = "") -> None:
        """Raise what an answer stands for, unless it is a good one. `what` was asked, or is what it says."""
        status = reply.status
        if status // 100 == HTTPStatus.OK // 100:
            return
        message = f"{self.receiver.label} answers {describe_status(status)}{f': {what}' if what else ''}"
        if status // 100 == HTTPStatus.MULTIPLE_CHOICES // 100:
            hint = "redirects are not followed: write the address that it leads to"
            raise NeedsHuman(message, hint=hint)
        after = retry_after(reply)
        if after is not None and (status in LATER or status == HTTPStatus.FORBIDDEN or status >= SERVER_ERROR):
            raise Postponed(message, after=after)
        if status in LATER or status >= SERVER_ERROR:
            raise RetryLater(message)
        if status in OF_THE_RECEIVER:
            hint = "see that its address and token in `notify` are right, and what the token allows"
            raise (NotThere if status in GONE else NeedsHuman)(message, hint=hint)
        raise Rejected(message, hint="it does not take this message; `reconciler doctor --notify` sends another one")

    def redact(self, text: str) -> str:
        """What a receiver says, on one line and without its secrets."""
        for secret in self.receiver.secrets:
            text = text.replace(secret, "***")
        return escape_line(text)[:MAX_SAID]


class WebhookSender(Sender):
    """JSON to an address. With a secret the body is signed, as GitHub signs its own."""

    def send(self, message: Message) -> Message | None:
        body = webhook_body(message, self.origin)
        headers = {"Idempotency-Key": message.id, "X-Reconciler-Delivery": message.id}
        if self.receiver.secret:
            digest = hmac.digest(self.receiver.secret.encode(), body, hashlib.sha256).hex()
            headers["X-Reconciler-Signature-256"] = f"sha256={digest}"
        self.post(self.receiver.url, body, headers)
        return None


class TelegramSender(Sender):
    """A message of a bot in a chat."""

    def send(self, message: Message) -> Message | None:
        chat, _, topic = self.receiver.chat.partition("/")
        asked: dict[str, Any] = {
            "chat_id": chat if chat.startswith("@") else int(chat),
            "text": telegram_text(message, self.origin),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if topic:
            asked["message_thread_id"] = int(topic)
        url = f"{self.receiver.url}/bot{self.receiver.token}/sendMessage"
        self.post(url, json.dumps(asked).encode(), {})
        return None

    def check(self, reply: Reply, what: str = "") -> None:
        """Its answer says more than the status."""
        told = parse_object(reply.body)
        said = self.redact(str(told.get("description", what)))
        parameters = told.get("parameters")
        after = parameters.get("retry_after") if isinstance(parameters, dict) else None
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS and isinstance(after, (int, float)):
            raise Postponed(f"{self.receiver.label}: {said}", after=limit_wait(after))
        if reply.status == HTTPStatus.BAD_REQUEST and "chat not found" in said:
            hint = "add the bot to the chat, or write to the bot once, and see that `chat` is its number"
            raise NeedsHuman(f"{self.receiver.label}: {said}", hint=hint)
        super().check(reply, said)


def describe_status(status: int) -> str:
    """A status with the name that the standard gives it: a server's own words may hold anything."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def retry_after(reply: Reply) -> float | None:
    """Seconds that a server asks to be left alone, as RFC 9110 has it or as GitHub tells of its limits."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return limit_wait(int(text))
    if text:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        return limit_wait((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time())
    reset = reply.headers.get("x-ratelimit-reset", "")
    if reply.headers.get("x-ratelimit-remaining") == "0" and reset.isascii() and reset.isdigit():
        return limit_wait(int(reset) - time.time())
    return None


def limit_wait(seconds: float) -> float:
    return min(max(1.0, float(seconds)), LONGEST_WAIT)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; empty for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
