"""A suspension as text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.report.moments import second
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.suspension import Suspension


def line(answer: Mapping[str, Any]) -> str:
    """By whom, since when, until when, and why; from the JSON of a suspension."""
    until = f"until {second(answer['until'])}" if answer["until"] else "until somebody resumes"
    return f"by {visible(answer['actor'])} since {second(answer['since'])}, {until}: {visible(answer['reason'])}"


def as_json(suspension: Suspension | None) -> dict[str, Any] | None:
    """A suspension; null for none."""
    return None if suspension is None else suspension.detail()
