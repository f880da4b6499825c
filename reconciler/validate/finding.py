"""What a check finds, before it has a place in a file, and how many of the findings are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.kinds.pointers import is_within, locate
from reconciler.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.model.resource import Document

SECRET = "secret"  # noqa: S105 - the code of a problem
AMBIGUOUS = "ambiguous-scalar"
MISSING = "missing-field"
RANKS = (SECRET, AMBIGUOUS, "not-finite", "wrong-type", "not-allowed", "too-long", "out-of-range", "bad-format")
"""Of several findings at one value the first of these is told: it is the cause, or hides the others."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a JSON Pointer; `at_key` when it is the key there rather than its value.

    `instead` is the pointer of the field that was probably meant, so that its absence is not told as well.
    """

    pointer: str
    code: str
    message: str
    hint: str = ""
    at_key: bool = False
    instead: str = ""


def settled(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each cause: nothing inside a secret, one per value, no field missing that is just misspelt."""
    ordered = sorted(findings, key=_rank)
    secrets = [one.pointer for one in ordered if one.code == SECRET]
    meant = {one.instead for one in ordered if one.instead}
    told: dict[tuple[str, bool], Finding] = {}
    for one in ordered:
        hidden = one.code != SECRET and any(is_within(one.pointer, secret) for secret in secrets)
        misspelt = one.code == MISSING and one.pointer in meant
        if not hidden and not misspelt:
            told.setdefault((one.pointer, one.at_key), one)
    return list(told.values())


def problems(path: str, document: Document, findings: Iterable[Finding], known: Sequence[Problem]) -> list[Problem]:
    """Findings with their places; what stands where decoding already found something at that pointer is left out."""
    taken = {(one.pointer, one.line, one.column) for one in known}
    placed = [_placed(path, document, one) for one in findings]
    return [one for one in placed if (one.pointer, one.line, one.column) not in taken]


def _placed(path: str, document: Document, finding: Finding) -> Problem:
    mark = locate(document.marks, finding.pointer, of_key=finding.at_key)
    return Problem(path, mark.line, mark.column, finding.code, finding.pointer, finding.message, finding.hint)


def _rank(finding: Finding) -> int:
    return RANKS.index(finding.code) if finding.code in RANKS else len(RANKS)
