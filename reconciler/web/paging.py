"""Pages: `?limit=` and `?cursor=`, which is a place in a list as text that means nothing to clients."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any

from reconciler.web import bodies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from reconciler.web.answers import HttpError

    Place = tuple[Any, ...]

ROWS, CHANGES, CHANGES_OF, VERSIONS, FOUND = "rows", "changes", "changes-of", "versions", "found"
"""The lists; filters make another one of the versions."""
MANY = 20
"""How many of what has no end are told unless a client says so."""
LARGEST = 10_000
"""Rows of a page."""
LONGEST = 2_000
"""Characters of a cursor: a name may have some hundred."""
SHOWN = 500
"""Characters of a parameter that an error repeats."""
LIMIT = re.compile("[1-9][0-9]{0,5}", re.ASCII)
VALUES = (str, int, bool)


def limit_of(request: Request) -> int | None:
    """How many are asked for. Raises `HttpError` for what is no number of them."""
    told = request.query_params.get("limit")
    if told is None:
        return None
    if not LIMIT.fullmatch(told):
        raise bodies.unprocessable(f"limit is {told[:SHOWN]!r}", hint="write a number from 1 on")
    return int(told)


def place_of(request: Request, what: str) -> Place | None:
    """Where a page of a list begins; None for its beginning. Raises `HttpError` for a cursor of something else."""
    told = request.query_params.get("cursor")
    if told is None:
        return None
    if len(told) > LONGEST or not told.isascii():
        raise no_cursor()
    try:
        found = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise no_cursor() from None
    if not isinstance(found, list) or found[:1] != [what] or not all(map(_is_plain, found)):
        raise no_cursor()
    return tuple(found[1:])


def with_cursor(answer: Mapping[str, Any], what: str) -> dict[str, Any]:
    """An answer whose `next` is a place, or None, with the cursor for that instead."""
    place = answer.get("next")
    return {**answer, "next": None if place is None else _cursor([what, *place])}


def page(answer: Mapping[str, Any], limit: int | None, after: Place | None) -> dict[str, Any]:
    """A page of live rows out of all of them."""
    rows, key = answer["rows"], answer["key"]
    if limit is not None or after is not None:
        rows = sorted(rows, key=lambda row: row_place(row, key))
    if after is not None:
        rows = [row for row in rows if row_place(row, key) > after]
    if limit is None or len(rows) <= limit:
        return {**answer, "rows": rows, "next": None}
    return {**answer, "rows": rows[:limit], "next": row_place(rows[limit - 1], key)}


def row_place(row: Mapping[str, Any], key: str) -> tuple[str, str]:
    """The place of a live row: its name and id, which stay what they are when it leaves git."""
    return str(row["name"]), str(row["values"][key])


def row_after(place: Place | None) -> tuple[str, str] | None:
    """A place among live rows, as it came back. Raises `HttpError` for what is none."""
    if place is None:
        return None
    if tuple(map(type, place)) != (str, str):
        raise no_cursor()
    return place[0], place[1]


def no_cursor() -> HttpError:
    """What is said to a client that goes on from nowhere."""
    hint = "begin again without one; `next` of an answer is the one that goes on"
    return bodies.unprocessable("this cursor is none of this address", hint=hint)


def _is_plain(value: object) -> bool:
    return type(value) in VALUES and not (isinstance(value, str) and _is_broken(value))


def _is_broken(text: str) -> bool:
    """Whether it has half a surrogate, which no store takes."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _cursor(place: Sequence[Any]) -> str:
    text = json.dumps(list(place), ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
