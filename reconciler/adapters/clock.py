"""The machine's clock."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Implements the port `Clock`."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)
