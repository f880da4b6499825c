"""The deliveries in `payloads/`: as forges document them, with the signature left open."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from tests.web.harness import PAYLOADS, SECRET, signed

STANDARD_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NAMES = sorted(file.name for file in PAYLOADS.glob("*.http"))


@dataclass(frozen=True)
class Delivery:
    """A request, and what it is to be taken for: forge, event, branch, delivery; `-` for nothing."""

    headers: dict[str, str]
    body: bytes
    expected: tuple[str, ...]
    secret: str


def delivery(name: str, now: float, secret: str = "") -> Delivery:
    """A delivery of a file, signed at a moment, with the secret that its sender takes or another one."""
    head, _, body = (PAYLOADS / name).read_bytes().partition(b"\n\n")
    lines = head.decode().splitlines()
    expected = next(line for line in lines if line.startswith("# expect: ")).split()[2:]
    proper = STANDARD_SECRET if name == "gitlab-signed.http" else SECRET
    body, used = body.removesuffix(b"\n"), secret or proper
    named = dict(line.split(": ", 1) for line in lines if not line.startswith("#"))
    stamp = str(int(now))
    key = base64.b64decode(used.removeprefix("whsec_")) if used.startswith("whsec_") else used.encode()
    standard = f"{named.get('webhook-id')}.{stamp}.".encode() + body
    filled = {
        "{secret}": used,
        "{now}": stamp,
        "{hex}": signed(used, body),
        "{timed}": signed(used, f"{stamp}.".encode() + body),
        "{base64}": base64.b64encode(hmac.new(key, standard, hashlib.sha256).digest()).decode(),
    }
    for hole, value in filled.items():
        named = {header: text.replace(hole, value) for header, text in named.items()}
    return Delivery(named, body, tuple(expected), proper)


def lowered(found: Delivery) -> dict[str, str]:
    """Header names as `verify` takes them."""
    return {name.lower(): value for name, value in found.headers.items()}
