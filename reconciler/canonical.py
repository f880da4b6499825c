"""The one place that decides when two values are equal, how a number is written and what a digest covers.

1 and 1.0 in a DOUBLE column, key order, and the case of a UUID are all spelling. They are settled here, when a
value enters the program, so that nothing after this module compares spellings and no drift is cosmetic.
"""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

IDENTITY_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:reconciler:v1:resource")
"""Namespace of the ids derived from kind and name (RFC 9562, version 5)."""

DIGEST_BITS = 256
EXACT_INTEGER = 2**53
"""Above this a double no longer holds every integer (IEEE 754)."""


def derived_id(kind: str, name: str) -> str:
    """The key column's value of a resource that leaves it out: UUIDv5 of kind and name (RFC 9562, section 5.5).

    As `uuid.uuid5` does it, in a third of the time: it is asked for nearly every file of a repository.
    """
    named = hashlib.sha1(IDENTITY_NAMESPACE.bytes + f"{kind}/{name}".encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(named[16], 16) & 3]
    return f"{named[:8]}-{named[8:12]}-5{named[13:16]}-{variant}{named[17:20]}-{named[20:32]}"


def number(value: float) -> float:
    """The canonical double: a float, finite, and never negative zero. Raises ValueError when not finite."""
    result = float(value)
    if not math.isfinite(result):
        raise ValueError(f"not a finite number: {value}")
    return result + 0.0  # -0.0 + 0.0 is 0.0


def normalize(value: Value) -> Value:
    """A JSON value with one spelling for each number: integral doubles that are exact become integers."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return shortest(value)
    if isinstance(value, list):
        return [normalize(item) for item in value]
    return {key: normalize(value[key]) for key in sorted(value)}


def shortest(value: float) -> float:
    """A finite number as JSON has it: 30.0 as 30."""
    exact = number(value)
    return int(exact) if exact.is_integer() and abs(exact) < EXACT_INTEGER else exact


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def dumps(value: object) -> str:
    """Canonical JSON text: sorted keys, no white space, one spelling per number, characters as they are.

    The shape of RFC 8785 (JCS) but for the order of keys outside the basic multilingual plane.
    """
    return _ENCODER.encode(normalize(value))  # type: ignore[arg-type]


def digest(value: object) -> str:
    """SHA-256 in lower-case hexadecimal of a value whose parts are in canonical form already."""
    return hashlib.sha256(_ENCODER.encode(value).encode()).hexdigest()


def add_digests(start: str, *, added: Iterable[str] = (), removed: Iterable[str] = ()) -> str:
    """The digest of a set after some members came and went; `start` is `EMPTY_SET` or an earlier result.

    The members' digests are summed modulo 2**256, so the result does not depend on any order and costs only
    what changed.
    """
    total = int(start, 16) + sum(int(digest, 16) for digest in added) - sum(int(digest, 16) for digest in removed)
    return f"{total % (1 << DIGEST_BITS):064x}"


EMPTY_SET = "0" * 64
"""The digest of the empty set."""


def text(value: Value) -> str:
    """A value as shown in tables, plans and messages: `0.75`, `30`, `EURUSD`, `-` for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(normalize(value))
    if isinstance(value, (list, dict)):
        return dumps(value)
    return str(value)


def text_size(value: object) -> int:
    """Roughly how many characters a value takes as text."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(len, value)) + sum(map(text_size, value.values()))
    return sum(map(text_size, value)) if isinstance(value, list) else 8


def to_json_value(value: Any) -> Value:
    """A value as JSON has it, also for what no schema allows: NaN, infinity, a date, a year 20000."""
    if isinstance(value, dict):
        return {str(key): to_json_value(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list):
        return [to_json_value(item) for item in value]
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, float):
        return normalize(value) if math.isfinite(value) else json.dumps(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def utc(moment: datetime) -> datetime:
    """The same time, aware and in UTC; a naive one is taken as UTC, as the stores return them."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second unless there is more: `2026-11-22T15:31:40Z`."""
    return utc(moment).isoformat().replace("+00:00", "Z")


def join_counts(counts: Mapping[str, int]) -> str:
    """`3 to create, 1 to update`: each count with its words, in the given order."""
    return ", ".join(f"{count} {words}" for words, count in counts.items())
