"""What a doctor found, as text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.diagnosis import Grade
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model.diagnosis import Diagnosis


def as_json(diagnosis: Diagnosis) -> dict[str, str]:
    """One diagnosis."""
    return {
        "check": diagnosis.check,
        "grade": str(diagnosis.grade),
        "message": diagnosis.message,
        "hint": diagnosis.hint,
    }


def lines(diagnosis: Diagnosis) -> Iterator[str]:
    """A diagnosis, and how to mend it."""
    yield f"{diagnosis.grade:<8} {diagnosis.check:<12} {visible(diagnosis.message)}"
    if diagnosis.hint:
        yield f"{'':<21} {visible(diagnosis.hint)}"


def summary(diagnoses: Sequence[Diagnosis]) -> str:
    """How many of each."""
    counts = [sum(one.grade is grade for one in diagnoses) for grade in (Grade.PROBLEM, Grade.WARNING)]
    if not any(counts):
        return "all is well"
    told = zip(counts, ("problem", "warning"), strict=True)
    return ", ".join(f"{count} {word}{'s'[: count != 1]}" for count, word in told)
