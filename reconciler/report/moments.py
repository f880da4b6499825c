"""Moments as JSON has them, and as people read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler import canonical

if TYPE_CHECKING:
    from datetime import datetime

FRACTION = re.compile(r"\.\d+(?=Z$)")


def moment(at: datetime | None) -> str | None:
    """A moment in its one form (RFC 3339, UTC); None stays None."""
    return None if at is None else canonical.timestamp(at)


def second(text: str) -> str:
    """A moment in that form without the fraction of its second."""
    return FRACTION.sub("", text)
