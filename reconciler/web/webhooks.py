"""Whether a webhook request comes from somebody who knows the secret, and what it is about. No input or output.

What a delivery says is a hint: it decides when somebody looks at git, never what is found there. All comparisons take
the same time wherever the difference is, and no body is parsed before its signature has been checked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.web.payloads import Event, understood

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

WINDOW = 300
"""Seconds by which the time in a signature may be off: Standard Webhooks and Stripe allow as much."""
STANDARD_PREFIX = "whsec_"
"""How a secret begins that signs as Standard Webhooks say; the rest is the key in Base64."""
MAX_SIGNATURES = 8
"""Signatures of one request that are looked at: senders that change secrets send two."""
REMEMBERED = 10_000
"""Deliveries whose repetition is noticed."""
PATH_LENGTH = 32

_GENERIC_TIME = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A genuine delivery: who sent it, what happened, and to which branch (None when it does not say, or to several).

    `delivery` is the sender's name for it, for logs. `seal` is what a repetition cannot change.
    """

    forge: str
    event: Event
    branch: str | None
    delivery: str
    seal: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A delivery that is not genuine. The reason is for the log of this host, never for the sender."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Scheme:
    """How one sender signs: the header that tells it, and the check, which returns the seal or why not."""

    forge: str
    header: str
    check: Callable[[Mapping[str, str], bytes, str, float], str | Refusal]


def path_secret(secret: str) -> str:
    """The last part of the webhook address, which follows from the secret: only one of them has to be kept."""
    return _hmac(secret.encode(), b"path").hex()[:PATH_LENGTH]


def is_path(given: str, secret: str) -> bool:
    """Whether this is the last part of the webhook address. Never without a secret."""
    return bool(secret) and _same(given.encode(), path_secret(secret).encode())


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Verdict | Refusal:
    """Check a request's signature. Header names are in lower case, `now` is Unix time in seconds."""
    if not secret:
        return Refusal("there is no webhook secret")
    scheme = next((one for one in _SCHEMES if one.header in headers and _applies(one, secret)), None)
    if scheme is None:
        return Refusal("it is not signed")
    seal = scheme.check(headers, body, secret, now)
    if isinstance(seal, Refusal):
        return seal
    told = understood(scheme.forge, headers, body)
    return Verdict(scheme.forge, told.event, told.branch, told.delivery, seal)


class Seen:
    """The latest deliveries, so that a repetition is noticed; of many, the oldest is forgotten."""

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._seals: OrderedDict[str, None] = OrderedDict()

    def is_new(self, seal: str) -> bool:
        """Whether this delivery has not been here before. It has now."""
        if seal in self._seals:
            return False
        self._seals[seal] = None
        if len(self._seals) > self._capacity:
            self._seals.popitem(last=False)
        return True


def _applies(scheme: _Scheme, secret: str) -> bool:
    """GitLab may send its old header beside the new one; only a signing token can check the new one."""
    return scheme.header != "webhook-signature" or secret.startswith(STANDARD_PREFIX)


def _timed(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str | Refusal:
    """Our own: `X-Reconciler-Signature: t=UNIX,v1=HEX`, the HMAC of `UNIX.BODY`; the form is Stripe's."""
    parts = [part.strip().partition("=") for part in headers["x-reconciler-signature"].split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not _GENERIC_TIME.fullmatch(times[0]):
        return Refusal("its signature has no time")
    mac = _hmac(secret.encode(), times[0].encode() + b"." + body).hex()
    return _judged(mac, (value for name, _, value in parts if name == "v1")) or _late(times[0], now) or mac


def _standard(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str | Refusal:
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
    given = (one.removeprefix("v1,") for one in headers["webhook-signature"].split() if one.startswith("v1,"))
    return _judged(mac, given) or _late(time, now) or mac


def _token(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str | Refusal:
    """GitLab's secret token: the secret itself in a header. Retries have the same Idempotency-Key.

    https://docs.gitlab.com/user/project/integrations/webhooks/
    """
    if not _same(headers["x-gitlab-token"].encode(), secret.encode()):
        return Refusal("its token is another one")
    delivery = headers.get("idempotency-key") or headers.get("x-gitlab-event-uuid") or ""
    return _hmac(secret.encode(), delivery.encode() + b"\0" + body).hex()


def _over_body(header: str, prefix: str = "") -> Callable[[Mapping[str, str], bytes, str, float], str | Refusal]:
    """The HMAC-SHA256 of the body in hexadecimal."""

    def check(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str | Refusal:
        mac = _hmac(secret.encode(), body).hex()
        given = headers[header]
        return _judged(mac, [given.removeprefix(prefix)] if given.startswith(prefix) else []) or mac

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


def _judged(mac: str, given: Iterable[str]) -> Refusal | None:
    found = [_same(one.encode(), mac.encode()) for one in list(given)[:MAX_SIGNATURES]]
    return None if any(found) else Refusal("its signature does not match")


def _late(time: str, now: float) -> Refusal | None:
    return None if abs(now - int(time)) <= WINDOW else Refusal("its signature is too old, or a clock is wrong")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _same(given: bytes, expected: bytes) -> bool:
    """Equality in constant time; of digests, so that not even the length shows."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())
