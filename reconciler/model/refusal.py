"""Why a commit was kept from going live: what a host event says of it, so that it can be read when it is long over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from reconciler.model.problem import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from reconciler.canonical import Value
    from reconciler.model.host import HostEvent

REFUSED = "refused"
"""The host event."""
MAX_REASONS = 50
"""Problems that an event holds; the rest are counted."""


class Refusal(Struct, frozen=True):
    """A commit was refused. `rules` are the codes of what it was refused for; `total` counts all problems.

    `problems` are the first of them; none where the event is of a version that did not keep them.
    """

    commit: str
    at: datetime
    rules: tuple[str, ...]
    problems: tuple[Problem, ...]
    total: int

    @classmethod
    def of_event(cls, event: HostEvent) -> Refusal:
        """What an event says."""
        detail = cast("Mapping[str, Any]", event.detail)
        reasons = tuple(
            Problem(**{**fields, "severity": Severity(fields["severity"])}) for fields in detail.get("reasons", ())
        )
        rules = tuple(str(rule) for rule in detail.get("refused_by", ()))
        return cls(event.commit or "", event.at, rules, reasons, int(detail.get("problems", 0)))


def refusal_detail(problems: Sequence[Problem]) -> dict[str, Value]:
    """The detail of the host event: errors before warnings, as the rest may not find room."""
    first = sorted(problems, key=lambda problem: not problem.is_error)[:MAX_REASONS]
    return {
        "problems": len(problems),
        "refused_by": list(rules_of(problems)),
        "reasons": [problem.kept for problem in first],
    }


def rules_of(problems: Iterable[Problem]) -> tuple[str, ...]:
    """The codes of the errors, each once, in order."""
    return tuple(sorted({problem.code for problem in problems if problem.is_error}))
