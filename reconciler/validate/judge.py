"""What gives the verdict on a document, and which documents it is not given to.

The engine holds the interpreter while it judges one document. Nearly every schema judges the largest file in
milliseconds; for one that asks a lot, what a document may hold is limited, so that other threads go on within a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.kinds.engine import compile_schema, measure_pattern
from reconciler.kinds.parts import list_parts
from reconciler.kinds.references import MAX_DATA_DEPTH, measure_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema_rs import Draft202012Validator

    from reconciler.model.change import Document

MAX_COMPARISONS = 10_000_000
"""Values of a document times what one value may be compared with."""

MAX_STEPS = 2**34
"""Characters of a document times bytes of the largest compiled pattern: each may be looked at with all of it."""

COSTLY = 0.1
"""The part of what is allowed from which on a document is judged where no other thread waits for it."""

CHEAP_OVERLAP, CHEAP_PATTERN = 100, 4 * 1024
"""So little costs no document anything: its file is limited as well."""


class Judge(Struct, frozen=True):
    """A compiled schema, what one value may be compared with, and the size of its largest pattern and of all.

    `reach` is how many values may be inside each other for that to be true. A document of at most `harmless` values and
    characters is not costly.
    """

    validator: Draft202012Validator
    overlap: int
    pattern_size: int
    patterns_size: int
    reach: int
    harmless: float

    def is_too_costly(self, document: Document) -> bool:
        """Whether a document could take more than about a second."""
        if self.reach < MAX_DATA_DEPTH and _is_deeper(document.value, self.reach):
            return True
        return self._weigh(document) > 1

    def is_costly(self, document: Document) -> bool:
        """Whether a document could hold the interpreter for longer than other threads should wait."""
        return self._weigh(document) > COSTLY

    def _weigh(self, document: Document) -> float:
        """What judging a document may cost, as a part of what is allowed; 0 for nearly all, which are not measured.

        One text is seldom compared with all patterns, and never counts as too much for that alone.
        """
        if document.size is not None and document.size <= self.harmless:
            return 0.0
        if self.overlap <= CHEAP_OVERLAP and self.patterns_size <= CHEAP_PATTERN:
            return 0.0
        values, characters = _measure(document.value)
        by_all = min(characters * self.patterns_size / MAX_STEPS * COSTLY, 1.0)
        return max(values * self.overlap / MAX_COMPARISONS, characters * self.pattern_size / MAX_STEPS, by_all)


def make_judge(schema: Mapping[str, Any]) -> Judge:
    """The judge of a sound schema. Raises `ValueError` where it is none."""
    validator = compile_schema(schema)
    parts = list_parts(schema).values()
    patterns = {part["pattern"] for part in parts if "pattern" in part}
    patterns.update(pattern for part in parts for pattern in part.get("patternProperties", ()))
    extent = measure_schema(schema)
    sizes = [measure_pattern(pattern) for pattern in patterns]
    largest, total = max(sizes, default=0), sum(sizes)
    harmless = min(COSTLY * MAX_COMPARISONS / max(extent.overlap, 1), COSTLY * MAX_STEPS / max(total, 1))
    return Judge(validator, extent.overlap, largest, total, extent.reach, harmless)


def _is_deeper(document: Any, depth: int) -> bool:
    """Whether a document has more values inside each other than this."""
    values = [document]
    for _ in range(depth + 1):
        nested = (value for value in values if isinstance(value, (dict, list)))
        values = [member for value in nested for member in (value.values() if isinstance(value, dict) else value)]
    return bool(values)


def _measure(document: Any) -> tuple[int, int]:
    """How many values there are in a document, and how many characters."""
    values = characters = 0
    for value in (pending := [document]):
        values += 1
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, dict):
            characters += sum(map(len, value))
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return values, characters
