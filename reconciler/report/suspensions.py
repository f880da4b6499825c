"""A suspension as text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.suspension import Suspension


def line(suspension: Suspension) -> str:
    """By whom, since when, until when, and why."""
    until = f"until {_second(suspension.until)}" if suspension.until else "until somebody resumes"
    return f"by {visible(suspension.actor)} since {_second(suspension.since)}, {until}: {visible(suspension.reason)}"


def as_json(suspension: Suspension | None) -> dict[str, Any] | None:
    """A suspension; null for none."""
    return None if suspension is None else suspension.detail()


def _second(moment: datetime) -> str:
    return canonical.timestamp(moment.replace(microsecond=0))
