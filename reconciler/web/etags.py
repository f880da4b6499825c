"""Which answers are the same: entity tags and the headers that speak of them (RFC 9110, section 8.8.3; RFC 7240)."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from reconciler.web.encoding import encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

LONGEST_WAIT = 60
"""Seconds that a client may be kept waiting for another answer."""
DIGITS = 32
_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_WAIT = re.compile(r'\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:;.*)?', re.IGNORECASE | re.ASCII)
CLOCKS: Mapping[str, tuple[str, ...]] = {
    "daemon": ("phase", "phase_since", "beat_at", "last_sync_at"),
    "history": ("last_success_at", "next_attempt_at"),
    "drift": ("at",),
}
"""What moves in a status while nothing happens: by object the fields."""


def of_text(text: bytes) -> str:
    """The tag of a text: another byte, another tag."""
    return f'"{_digest(text)}"'


def strong(body: Mapping[str, Any], text: bytes) -> str:
    """The tag of an answer: that of its text."""
    return of_text(text)


def weak(body: Mapping[str, Any], text: bytes) -> str:
    """The tag of a status: the same while nothing but the time has changed in it."""
    still = dict(body)
    for name, fields in CLOCKS.items():
        if isinstance(body.get(name), dict):
            still[name] = {field: value for field, value in body[name].items() if field not in fields}
    return f'W/"{_digest(encoded(still))}"'


def held(request: Request, tag: str) -> bool:
    """Whether whoever asks has the answer with this tag already."""
    return known(",".join(request.headers.getlist("if-none-match")), tag)


def known(header: str, tag: str) -> bool:
    """Whether `If-None-Match` has a tag. It is compared weakly, as that header asks for."""
    if header.strip() == "*":
        return True
    return _opaque(tag) in (found[1] for found in _TAG.finditer(header))


def preferred_wait(headers: Iterable[str]) -> int:
    """The seconds of `Prefer: wait=`, at most `LONGEST_WAIT`; 0 without it. Of several the first counts."""
    told = (part for header in headers for part in header.split(","))
    found = next((match for match in map(_WAIT.fullmatch, told) if match), None)
    return min(int(found[1]), LONGEST_WAIT) if found else 0


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/").strip('"')


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:DIGITS]
