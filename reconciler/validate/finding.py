"""What a check finds, before it has a place in a file, and which of the findings are reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.kinds.build import is_within, locate
from reconciler.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.model.change import Document

SECRET = "secret"  # noqa: S105 - the code of a problem
AMBIGUOUS = "ambiguous-scalar"
MISSING = "missing-field"
RANKS = (SECRET, AMBIGUOUS, "not-finite", "wrong-type", "not-allowed", "too-long", "out-of-range", "bad-format")
"""Of several findings at one value the first of these is reported: it is the cause, or hides the others."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a JSON Pointer; `at_key` when it is the key there rather than its value.

    `instead` is the pointer of the field that was probably meant, so that its absence is not reported as well.
    """

    pointer: str
    code: str
    message: str
    hint: str = ""
    at_key: bool = False
    instead: str = ""


def drop_consequences(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each cause: none inside a secret, one per value, no missing field that is only misspelt."""
    ordered = sorted(findings, key=_rank)
    secret_pointers = [finding.pointer for finding in ordered if finding.code == SECRET]
    suggested = {finding.instead for finding in ordered if finding.instead}
    kept: dict[tuple[str, bool], Finding] = {}
    for finding in ordered:
        hidden = finding.code != SECRET and any(is_within(finding.pointer, secret) for secret in secret_pointers)
        misspelt = finding.code == MISSING and finding.pointer in suggested
        if not hidden and not misspelt:
            kept.setdefault((finding.pointer, finding.at_key), finding)
    return list(kept.values())


def locate_findings(
    path: str, document: Document, findings: Iterable[Finding], decoding_problems: Sequence[Problem]
) -> list[Problem]:
    """Findings with their places, without those where decoding found a problem already."""
    known_places = {(problem.pointer, problem.line, problem.column) for problem in decoding_problems}
    located = [_locate(path, document, finding) for finding in findings]
    return [problem for problem in located if (problem.pointer, problem.line, problem.column) not in known_places]


def _locate(path: str, document: Document, finding: Finding) -> Problem:
    mark = locate(document.marks, finding.pointer, of_key=finding.at_key)
    return Problem(path, mark.line, mark.column, finding.code, finding.pointer, finding.message, finding.hint)


def _rank(finding: Finding) -> int:
    return RANKS.index(finding.code) if finding.code in RANKS else len(RANKS)
