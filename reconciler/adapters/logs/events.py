"""Writing events down. Implements the port `Log`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.adapters.logs.lines import NUMBERS
from reconciler.model.host import Level

if TYPE_CHECKING:
    import logging


class EventLog:
    """Events of one part of the program, with the fields that all of them share. For any thread."""

    def __init__(self, logger: logging.Logger, **shared: Any) -> None:
        self._logger = logger
        self._shared = shared

    def with_fields(self, **fields: Any) -> EventLog:
        """The same log, with fields that every event gets."""
        return EventLog(self._logger, **self._shared, **fields)

    def event(
        self,
        event: str,
        message: str = "",
        *,
        level: Level = Level.INFO,
        error: BaseException | None = None,
        **fields: Any,
    ) -> None:
        """Write down what happened: a CamelCase word, a sentence, and fields such as commit or duration_ms."""
        extra = {"event": event, "fields": {**self._shared, **fields}}
        self._logger.log(NUMBERS[level], "%s", message, extra=extra, exc_info=error)
