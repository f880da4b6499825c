"""Escapes control and invisible characters, and formats times: the last step before text is shown.

Names, values and messages are untrusted. An escape sequence in one rewrites the terminal, and a bidirectional control
reorders what a line says (CVE-2021-42574).
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler import canonical
from reconciler.times import format_moment, format_moment_in_full

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

_UNSAFE = (
    "\x00-\x1f\x7f-\x9f"  # control characters: C0, DEL, and C1, among them the one-character CSI
    "\xad\u061c\u180e\u200b\u200e\u200f"  # soft hyphen, bidirectional marks, zero-width spaces
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # separators of lines, bidirectional and invisible controls
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # surrogates, noncharacters and what XML does not allow
    "\U000e0000-\U000e007f"  # invisible tags
)
_UNSAFE_CHARACTER = re.compile(f"[{_UNSAFE}]")
_UNSAFE_BUT_NEWLINE = re.compile(f"(?!\n)[{_UNSAFE}]")
_FRACTION = re.compile(r"\.\d+(?=Z$)")
_TIME = re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z", re.ASCII)


def escape_line(text: str) -> str:
    r"""Write unsafe characters as `\n`, `\x1b` or `\u202e`, as Python does. Backslashes stay single."""
    return text if text.isascii() and text.isprintable() else _UNSAFE_CHARACTER.sub(_escape_match, text)


def escape_block(text: str) -> str:
    """The same but for newlines, which stay."""
    return _UNSAFE_BUT_NEWLINE.sub(_escape_match, text)


def dump_json(value: Any) -> str:
    """Indented JSON; unsafe characters are escaped as JSON does it, all others are written as they are."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _UNSAFE_BUT_NEWLINE.sub(lambda match: json.dumps(match[0])[1:-1], text)


def format_time(at: datetime | None) -> str | None:
    """RFC 3339 in UTC; None stays None."""
    return None if at is None else canonical.timestamp(at)


def strip_fraction(time: str) -> str:
    """A time in that form, to the second."""
    return _FRACTION.sub("", time)


class Moments(NamedTuple):
    """How times of answers, in RFC 3339, are shown: in few words, and in full for what matters."""

    short: Callable[[str], str] = strip_fraction
    full: Callable[[str], str] = strip_fraction

    def within(self, text: str) -> str:
        """A sentence of an answer, with its times in full."""
        return _TIME.sub(lambda match: self._in_full(match[0]), text)

    def _in_full(self, text: str) -> str:
        try:
            return self.full(text)
        except ValueError:  # somebody wrote of a 30 February
            return text


EXACT = Moments()
"""As programs read them."""


def moments_at(now: datetime, zone: tzinfo) -> Moments:
    """As people read them, there and then."""
    return Moments(
        lambda text: format_moment(datetime.fromisoformat(text), now, zone),
        lambda text: format_moment_in_full(datetime.fromisoformat(text), now, zone),
    )


def _escape_match(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
