"""One comment for each configuration and change, which is written once and then replaced.

It is found again by its first line, a marker that nobody sees, and by its author: anybody may write a comment that
begins with the marker, and could go on changing what such a comment says.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from reconciler_ci.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

ATTEMPTS = 4
PAUSE = 1.0
"""Seconds before the second attempt; twice as many before each further one."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment that is there; `own` when it was written with the same token's account."""

    key: int
    body: str
    own: bool


class Thread(Protocol):
    """The comments on one change. All methods raise `Refused` or `Unavailable`."""

    def comments(self) -> Iterator[Comment]:
        """All of them, oldest first."""

    def add(self, body: str) -> None:
        """Write a new one."""

    def replace(self, comment: Comment, body: str) -> None:
        """Write another text over one."""


def marked(markdown: str, path: str) -> str:
    """The text of a comment about the configuration that begins at `path`.

    Each one in a repository has a comment of its own: below the marker of `reconciler plan` stands its place.
    """
    marker, _, rest = markdown.partition("\n")
    place = f"<!-- at {quote(path).replace('--', '-%2D')} -->\n" if path else ""
    return f"{marker}\n{place}{rest}"


def upsert(thread: Thread, body: str, *, needed: bool, pause: float = PAUSE) -> str:
    """Put the text into the thread; one that is not `needed` only replaces an older one. Says what was done.

    Looks again before each attempt: a write that failed may have come through. Raises `Refused`, or `Unavailable`
    after some attempts.
    """
    for attempt in range(ATTEMPTS - 1):
        try:
            return _put(thread, body, needed=needed)
        except Unavailable:
            time.sleep(pause * 2**attempt)
    return _put(thread, body, needed=needed)


def _put(thread: Thread, body: str, *, needed: bool) -> str:
    key = _key(body)
    found = next((comment for comment in thread.comments() if comment.own and _key(comment.body) == key), None)
    if found is None:
        if not needed:
            return "nothing to tell"
        thread.add(body)
        return "written"
    if _plain(found.body) == _plain(body):
        return "as it was"
    thread.replace(found, body)
    return "updated"


def _key(body: str) -> tuple[str, str]:
    """The marker, and the place below it if there is one."""
    first, second, *_ = [*_plain(body).split("\n", 2), ""]
    return first, second if second.startswith("<!-- at ") else ""


def _plain(body: str) -> str:
    """As it was sent: what comes back may have other line ends."""
    return body.replace("\r\n", "\n").rstrip("\n")
