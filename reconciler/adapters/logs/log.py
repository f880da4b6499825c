"""The daemon's log as one thing: opened, turned up and down while it runs, closed."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Self, TextIO

from reconciler.adapters.logs.console import Console, ConsoleLines, Style
from reconciler.adapters.logs.events import EventLog
from reconciler.adapters.logs.file import RotatingFile
from reconciler.adapters.logs.lines import NUMBERS, JsonLines
from reconciler.adapters.logs.redaction import Redactor
from reconciler.model.host import Level

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOG_FOLDER, LOG_FILE = "log", "reconciler.jsonl"
ROOT = "reconciler"
ADOPTED = ("py.warnings", "uvicorn.error")
"""Loggers of others that the daemon speaks for: Python's warnings, and the HTTP server's."""

MAX_BYTES = 64 << 20


class DaemonLog:
    """Writes what the loggers `reconciler.*` say to `log/reconciler.jsonl` in a state folder, and to a stream.

    Nothing happens before it is entered, and loggers are as they were after it: whoever uses reconciler as a library
    has no handler of ours. A file that cannot be written keeps nothing from going on: see `trouble`.
    """

    def __init__(
        self, folder: Path, stream: TextIO, style: Style = Style.PLAIN, *, adopted: Sequence[str] = ADOPTED
    ) -> None:
        self.redactor = Redactor()
        self.file = folder / LOG_FOLDER / LOG_FILE
        self._console = Console(stream, ConsoleLines(self.redactor, style))
        self._rotating = RotatingFile(self.file, MAX_BYTES, JsonLines(self.redactor), self._console.say)
        self._adopted = tuple(adopted)
        self._before: list[tuple[logging.Logger, int, bool]] = []
        self._showwarning = warnings.showwarning
        self.events = EventLog(logging.getLogger(f"{ROOT}.daemon"))

    def __enter__(self) -> Self:
        for name in (ROOT, *self._adopted):
            logger = logging.getLogger(name)
            self._before.append((logger, logger.level, logger.propagate))
            logger.propagate = False
            logger.addHandler(self._console)
            logger.addHandler(self._rotating)
        self.set_level(Level.INFO)
        self._showwarning = warnings.showwarning
        logging.captureWarnings(True)
        return self

    def __exit__(self, *_: object) -> None:
        logging.captureWarnings(False)
        warnings.showwarning = self._showwarning
        for logger, level, propagate in self._before:
            logger.removeHandler(self._console)
            logger.removeHandler(self._rotating)
            logger.setLevel(level)
            logger.propagate = propagate
        self._before.clear()
        self._rotating.close()
        self._console.close()

    @property
    def trouble(self) -> str:
        """Why the file cannot be written; empty when it can."""
        return self._rotating.trouble

    def set_level(self, level: Level) -> None:
        """Write down what is at least this serious, from now on; of what others say, warnings at least."""
        for logger, _, _ in self._before:
            logger.setLevel(max(NUMBERS[level], NUMBERS[Level.WARN] if logger.name in self._adopted else 0))

    def set_max_size(self, max_bytes: int) -> None:
        """Rotate the file when it would grow beyond this, from now on."""
        self._rotating.resize(max_bytes)
