"""A flaw in a schema, before it is known where in the file it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong at a JSON Pointer into a schema; `at_key` when it is the key there rather than its value.

    `instead` is the pointer of the keyword that was probably meant, so that its absence is not told as well.
    """

    pointer: str
    message: str
    hint: str = ""
    at_key: bool = False
    instead: str = ""
