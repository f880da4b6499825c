"""What a terminal, a log or a page would obey, hide or misplace, made visible. The one place that decides what that is.

Names, values and messages are other people's text. Raw, an escape sequence in one rewrites the reviewer's screen, and
a bidirectional control makes a line read differently from what it says (CVE-2021-42574).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from reconciler import canonical

if TYPE_CHECKING:
    from datetime import datetime

_UNSAFE = (
    "\x00-\x1f\x7f-\x9f"  # control characters: C0, DEL, and C1, among them the one-character CSI
    "\xad\u061c\u180e\u200b\u200e\u200f"  # soft hyphen, bidirectional marks, spaces without width
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # line and paragraph ends, bidirectional and invisible controls
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # no characters at all: half ones, and what XML does not allow
    "\U000e0000-\U000e007f"  # tags, which nobody sees
)
_ANY = re.compile(f"[{_UNSAFE}]")
_BUT_LINE_ENDS = re.compile(f"(?!\n)[{_UNSAFE}]")


def visible(text: str) -> str:
    r"""The text on one line with `\n`, `\x1b` and `\u202e` for such characters, as Python writes them.

    Backslashes stay as they are: a path is to be read, not to be parsed.
    """
    return text if text.isascii() and text.isprintable() else _ANY.sub(_escaped, text)


def visible_lines(text: str) -> str:
    """The same for text of several lines: their ends stay."""
    return _BUT_LINE_ENDS.sub(_escaped, text)


def json_text(value: Any) -> str:
    """JSON for people and programs: indented, with such characters escaped as JSON has it, all others as they are."""
    return _BUT_LINE_ENDS.sub(lambda found: json.dumps(found[0])[1:-1], json.dumps(value, indent=2, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


FRACTION = re.compile(r"\.\d+(?=Z$)")


def moment(at: datetime | None) -> str | None:
    """A moment in its one form (RFC 3339, UTC); None stays None."""
    return None if at is None else canonical.timestamp(at)


def second(text: str) -> str:
    """A moment in that form without the fraction of its second."""
    return FRACTION.sub("", text)
