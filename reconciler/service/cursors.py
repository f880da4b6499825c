"""Cursors: a place in a list as text that means nothing to clients, who send it back as they got it."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    Place = tuple[Any, ...]

ROWS, CHANGES, CHANGES_OF, VERSIONS, FOUND = "rows", "changes", "changes-of", "versions", "found"
"""The lists; filters make another one of the versions."""
MAX_LENGTH = 2_000
"""Characters of a cursor: a name may have some hundred."""
SCALARS = (str, int, bool)


def parse_cursor(cursor: str | None, list_: str) -> Place | None:
    """Where a page of a list begins; None for its beginning. Raises `UsageError` for a cursor of something else."""
    if cursor is None:
        return None
    if len(cursor) > MAX_LENGTH or not cursor.isascii():
        raise bad_cursor()
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise bad_cursor() from None
    if not isinstance(place, list) or place[:1] != [list_] or not all(map(_is_plain, place)):
        raise bad_cursor()
    return tuple(place[1:])


def format_cursor(place: Sequence[Any] | None, list_: str) -> str | None:
    """The cursor for what follows a place; None at the end of the list."""
    if place is None:
        return None
    text = json.dumps([list_, *place], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_row_cursor(cursor: str | None, mark: str = "") -> tuple[Any, str, str] | None:
    """The place of a live row: what it is sorted by, its name and id; these stay what they are when it leaves git.

    `mark` tells the rows of one selection from those of another.
    """
    place = parse_cursor(cursor, f"{ROWS}{mark}")
    if place is None:
        return None
    if tuple(map(type, place)) != (str, str, str)[bool(not mark) :]:
        raise bad_cursor()
    *sorted_by, name, key = place
    try:
        value = json.loads(sorted_by[0]) if sorted_by else None
    except (ValueError, RecursionError):
        raise bad_cursor() from None
    if not (value is None or isinstance(value, (str, int, float, bool))):
        raise bad_cursor()
    return value, name, key


def format_row_cursor(place: tuple[Any, str, str] | None, mark: str = "") -> str | None:
    """The cursor for the rows after one; None after the last."""
    if place is None:
        return None
    value, *known = place
    return format_cursor((json.dumps(value, ensure_ascii=False), *known) if mark else known, f"{ROWS}{mark}")


def bad_cursor() -> UsageError:
    """The error for a cursor that this list did not give."""
    hint = "begin again without one; `next` of an answer is the one that goes on"
    return UsageError("this cursor is none of this address", hint=hint)


def _is_plain(value: object) -> bool:
    """Whether no store chokes on it: half a surrogate is no text."""
    return type(value) in SCALARS and not (
        isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value)
    )
