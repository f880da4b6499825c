"""`POST /webhooks/{path secret}`: whether a delivery is genuine, and what it is about.

A delivery is a hint: it decides when git is fetched, never what is found there. One that comes again is a hint again:
somebody delivers it once more because the first one came to nothing. All comparisons take the same time wherever the
difference is, and no body is parsed before its signature has been checked. Senders that are refused learn nothing.

Where each forge puts what:
https://docs.github.com/en/webhooks/webhook-events-and-payloads · https://docs.gitlab.com/user/project/integrations/webhook_events/
https://docs.gitea.com/usage/webhooks · https://forgejo.org/docs/latest/user/webhooks/
https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/ · https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import re
import time
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from msgspec import Struct
from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation

from reconciler.model.grants import path_secret
from reconciler.web.http import HttpError, json_response, read_body, routing_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.responses import Response


BRANCH = "refs/heads/"
_NAME = re.compile(r"[\w.:{}-]{1,64}", re.ASCII)


class Event(StrEnum):
    """What a delivery is about."""

    PUSH = "push"
    PING = "ping"
    OTHER = "other"


class Payload(Struct, frozen=True):
    """What a delivery says about itself."""

    event: Event
    branch: str | None
    delivery: str


class _Vocabulary(Struct, frozen=True):
    """Where one forge puts what: headers, the first that is there, and what they say of a push or a test."""

    events: tuple[str, ...]
    deliveries: tuple[str, ...]
    pushes: frozenset[str]
    pings: frozenset[str] = frozenset({"ping"})


_PUSH = frozenset({"push"})
_VOCABULARIES = {
    "github": _Vocabulary(("x-github-event",), ("x-github-delivery",), _PUSH),
    "gitea": _Vocabulary(("x-gitea-event",), ("x-gitea-delivery",), _PUSH),
    "forgejo": _Vocabulary(("x-forgejo-event",), ("x-forgejo-delivery",), _PUSH),
    "gitlab": _Vocabulary(
        ("x-gitlab-event",), ("idempotency-key", "webhook-id", "x-gitlab-event-uuid"), frozenset({"Push Hook", "push"})
    ),
    "bitbucket": _Vocabulary(
        ("x-event-key",),
        ("x-request-uuid", "x-request-id"),
        frozenset({"repo:push", "repo:refs_changed", "mirror:repo_synchronized"}),
        frozenset({"diagnostics:ping"}),
    ),
    "generic": _Vocabulary(("x-reconciler-event",), ("x-reconciler-delivery",), frozenset({"push", ""})),
}


def read_payload(forge: str, headers: Mapping[str, str], body: bytes) -> Payload:
    """What a delivery of a forge says. A body that is not a JSON object is never a push, but for the generic one."""
    vocabulary = _VOCABULARIES[forge]
    payload = _parse_body(headers, body)
    delivery = _delivery_id(headers, vocabulary.deliveries)
    if payload is None:
        return Payload(Event.OTHER, None, delivery)
    events = [_header(headers, vocabulary.events)]
    if forge == "gitlab":  # hooks for a whole server have one header for all events
        events += [word for word in (payload.get("object_kind"), payload.get("event_name")) if isinstance(word, str)]
    event = Event.OTHER if vocabulary.pings.isdisjoint(events) else Event.PING
    return Payload(event if vocabulary.pushes.isdisjoint(events) else Event.PUSH, _branch(payload), delivery)


def _parse_body(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    if not body and "x-reconciler-signature" in headers:
        return {}
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            body = parse_qs(body.decode(), max_num_fields=10).get("payload", [""])[0].encode()
        except ValueError:
            return None
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _branch(payload: Mapping[str, Any]) -> str | None:
    ref = payload.get("ref")
    if isinstance(ref, str):
        return ref.removeprefix(BRANCH) if ref.startswith(BRANCH) else None
    push = payload.get("push")
    changes = push.get("changes") if isinstance(push, dict) else payload.get("changes")
    branches = [_changed_branch(change) for change in changes] if isinstance(changes, list) else []
    return branches[0] if len(branches) == 1 else None


def _changed_branch(change: Any) -> str | None:
    """The branch in one change of Bitbucket: Cloud says what was and is, Data Center names the ref."""
    if not isinstance(change, dict):
        return None
    cloud, center = change.get("new") or change.get("old"), change.get("ref")
    if isinstance(cloud, dict) and cloud.get("type") == "branch":
        return cloud["name"] if isinstance(cloud.get("name"), str) else None
    if isinstance(center, dict) and center.get("type") == "BRANCH":
        return center["displayId"] if isinstance(center.get("displayId"), str) else None
    return None


def _header(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((headers[name] for name in names if name in headers), "")


def _delivery_id(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The sender's name for a delivery, when it is one: it goes into logs, and nobody signed it."""
    name = _header(headers, names)
    return name if _NAME.fullmatch(name) else ""


WINDOW = 300
"""Seconds by which the time in a signature may be off: Standard Webhooks and Stripe allow as much."""
STANDARD_PREFIX = "whsec_"
"""How a secret begins that signs as Standard Webhooks say; the rest is the key in Base64."""
MAX_SIGNATURES = 8
"""Signatures of one request that are looked at: senders that change secrets send two."""

_GENERIC_TIME = re.compile(r"[0-9]{1,12}")


class Verdict(Struct, frozen=True):
    """A genuine delivery: who sent it, what happened, and to which branch (None when it does not say, or to several).

    `delivery` is the sender's name for it, for logs.
    """

    forge: str
    event: Event
    branch: str | None
    delivery: str


class Refusal(Struct, frozen=True):
    """A delivery that is not genuine. The reason is for the log of this host, never for the sender."""

    reason: str


class _Scheme(Struct, frozen=True):
    """How one sender signs: the header that tells it, and the check, which returns why it is not genuine."""

    forge: str
    header: str
    check: Callable[[Mapping[str, str], bytes, str, float], Refusal | None]


def is_path(given: str, secret: str) -> bool:
    """Whether this is the last part of the webhook address. Never without a secret."""
    return bool(secret) and _same(given.encode(), path_secret(secret).encode())


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Verdict | Refusal:
    """Check a request's signature. Header names are in lower case, `now` is Unix time in seconds."""
    if not secret:
        return Refusal("there is no webhook secret")
    scheme = next((scheme for scheme in _SCHEMES if scheme.header in headers and _applies(scheme, secret)), None)
    if scheme is None:
        return Refusal("it is not signed")
    refusal = scheme.check(headers, body, secret, now)
    if refusal is not None:
        return refusal
    payload = read_payload(scheme.forge, headers, body)
    return Verdict(scheme.forge, payload.event, payload.branch, payload.delivery)


def _applies(scheme: _Scheme, secret: str) -> bool:
    """GitLab may send its old header beside the new one; only a signing token can check the new one."""
    return scheme.header != "webhook-signature" or secret.startswith(STANDARD_PREFIX)


def _timed(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Refusal | None:
    """Our own: `X-Reconciler-Signature: t=UNIX,v1=HEX`, the HMAC of `UNIX.BODY`; the form is Stripe's."""
    parts = [part.strip().partition("=") for part in headers["x-reconciler-signature"].split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not _GENERIC_TIME.fullmatch(times[0]):
        return Refusal("its signature has no time")
    mac = _hmac(secret.encode(), times[0].encode() + b"." + body).hex()
    return _compare(mac, (value for name, _, value in parts if name == "v1")) or _check_time(times[0], now)


def _standard(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Refusal | None:
    """Standard Webhooks, as GitLab signs with a signing token: `v1,BASE64`, the HMAC of `ID.UNIX.BODY`.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    try:
        key = base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except binascii.Error:
        return Refusal(f"the webhook secret begins with {STANDARD_PREFIX}, and the rest is not Base64")
    time = headers.get("webhook-timestamp", "")
    if not key or not _GENERIC_TIME.fullmatch(time):
        return Refusal("its signature has no time")
    signed = f"{headers.get('webhook-id', '')}.{time}.".encode() + body
    mac = base64.b64encode(_hmac(key, signed)).decode()
    given = (word.removeprefix("v1,") for word in headers["webhook-signature"].split() if word.startswith("v1,"))
    return _compare(mac, given) or _check_time(time, now)


def _token(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Refusal | None:
    """GitLab's secret token: the secret itself in a header.

    https://docs.gitlab.com/user/project/integrations/webhooks/
    """
    is_ours = _same(headers["x-gitlab-token"].encode(), secret.encode())
    return None if is_ours else Refusal("its token is another one")


def _over_body(header: str, prefix: str = "") -> Callable[[Mapping[str, str], bytes, str, float], Refusal | None]:
    """The HMAC-SHA256 of the body in hexadecimal."""

    def check(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Refusal | None:
        mac = _hmac(secret.encode(), body).hex()
        given = headers[header]
        return _compare(mac, [given.removeprefix(prefix)] if given.startswith(prefix) else [])

    return check


_SCHEMES = (
    _Scheme("generic", "x-reconciler-signature", _timed),
    _Scheme("gitlab", "webhook-signature", _standard),
    _Scheme("gitlab", "x-gitlab-token", _token),
    # Forgejo sends Gitea's headers and GitHub's besides its own, and Gitea sends GitHub's
    _Scheme("forgejo", "x-forgejo-signature", _over_body("x-forgejo-signature")),
    _Scheme("gitea", "x-gitea-signature", _over_body("x-gitea-signature")),
    _Scheme("github", "x-hub-signature-256", _over_body("x-hub-signature-256", "sha256=")),
    _Scheme("bitbucket", "x-hub-signature", _over_body("x-hub-signature", "sha256=")),
)
"""The first whose header is there decides: a wrong signature is not made good by another one."""


def _compare(mac: str, given: Iterable[str]) -> Refusal | None:
    matches = [_same(signature.encode(), mac.encode()) for signature in list(given)[:MAX_SIGNATURES]]
    return None if any(matches) else Refusal("its signature does not match")


def _check_time(time: str, now: float) -> Refusal | None:
    return None if abs(now - int(time)) <= WINDOW else Refusal("its signature is too old, or a clock is wrong")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _same(given: bytes, expected: bytes) -> bool:
    """Equality in constant time; of digests, so that not even the length shows."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())


MAX_BODY = 1024 * 1024
"""Bytes of a delivery. A push of thousands of commits may be larger; polling notices that one."""
LOG_INTERVAL = 60.0
"""Seconds between two lines about refused deliveries in the log, however many there are."""
ACCEPTED = "accepted"
LOG = logging.getLogger(__name__)


class Webhooks:
    """The webhook address of one repository. Without a secret there is none.

    `hint` says that something may have changed in git, and who says so; `count` counts answers.
    """

    def __init__(self, hint: Callable[[str], None], count: Callable[[str], None], secret: str, deadline: float) -> None:
        self._hint, self._count, self._secret, self._deadline = hint, count, secret, deadline
        self._refused = 0
        self._logged_at = -LOG_INTERVAL

    async def receive(self, request: Request) -> Response:
        """Answer 202 to a push, 200 to what needs nothing done; 404 for a wrong address, 401 for any other fault."""
        try:
            result = await self._handle(request)
        except HttpError as error:
            self._count(error.code)
            raise
        self._count(result)
        return json_response({"result": result}, HTTPStatus.ACCEPTED if result == ACCEPTED else HTTPStatus.OK)

    async def _handle(self, request: Request) -> str:
        if not is_path(request.path_params["secret"], self._secret):
            raise routing_error(HTTPStatus.NOT_FOUND)
        body = await read_body(request, MAX_BODY, self._deadline)
        verdict = verify(request.headers, body, self._secret, time.time())
        if isinstance(verdict, Refusal):
            self._log_refusal(verdict)
            raise HttpError(HTTPStatus.UNAUTHORIZED, "refused", "this delivery is refused")
        if verdict.event is not Event.PUSH:
            return "pong" if verdict.event is Event.PING else "ignored"
        self._hint(_source(verdict))
        return ACCEPTED

    def _log_refusal(self, refusal: Refusal) -> None:
        """Log why, now and then: ten thousand forged deliveries must not fill a disk."""
        self._refused += 1
        if time.monotonic() - self._logged_at >= LOG_INTERVAL:
            LOG.warning("refused %d webhook deliveries; the last one because %s", self._refused, refusal.reason)
            self._refused, self._logged_at = 0, time.monotonic()


def _source(verdict: Verdict) -> str:
    branch = f" to {verdict.branch}" if verdict.branch else ""
    delivery = f", delivery {verdict.delivery}" if verdict.delivery else ""
    return f"webhook: {verdict.forge} push{branch}{delivery}"
