"""Queries and exports of a daemon. Implements `web.questions.Questions`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.wiring.questions import Questions

FLUSH = 5.0
"""Seconds that a question to the history waits for what is on its way there."""


@dataclass(frozen=True, slots=True)
class HostQuestions:
    """Questions, with a folder for files on their way out; `flush` sends on what waits for the history."""

    questions: Questions
    folder: Path
    flush: Callable[[float], bool]

    def query(self, sql: str, rows: int, *, history: bool) -> Mapping[str, Any]:
        """What `sql --format json` prints."""
        self._see_to(history=history)
        return self.questions.query(sql, rows, history=history)

    def tables(self, *, history: bool) -> Mapping[str, Any]:
        """The tables that can be exported."""
        self._see_to(history=history)
        return self.questions.tables(history=history)

    def export(self, word: str, form: str, *, history: bool) -> tuple[str, int, IO[bytes]]:
        """A table as a file that is gone when it is closed: its name, how many rows it has, and the file."""
        self._see_to(history=history)
        return self.questions.spooled(word, form, self.folder, history=history)

    def _see_to(self, *, history: bool) -> None:
        if history:
            self.flush(FLUSH)
