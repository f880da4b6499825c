"""The log for people: one line on stderr, for a terminal, a journal or whatever else reads it."""

from __future__ import annotations

import logging
import os
from enum import Enum
from typing import TYPE_CHECKING, TextIO

from reconciler.adapters.logs.lines import event_of, fields_of, level_of, message_of, moment, plain
from reconciler.model.host import Level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.adapters.logs.redaction import Redactor

COLOURS = {Level.DEBUG: "\x1b[2m", Level.INFO: "\x1b[32m", Level.WARN: "\x1b[33m", Level.ERROR: "\x1b[1;31m"}
PLAIN_AGAIN = "\x1b[0m"
PRIORITIES = {Level.DEBUG: 7, Level.INFO: 6, Level.WARN: 4, Level.ERROR: 3}
"""What a journal takes from the beginning of a line: sd-daemon(3)."""
SHORT_SHA = 8


class Style(Enum):
    """Who reads."""

    PLAIN = "plain"
    COLOUR = "colour"
    JOURNAL = "journal"


def style_of(stream: TextIO, environ: Mapping[str, str]) -> Style:
    """Colours for a terminal that wants them, priorities for systemd's journal, else nothing special."""
    if stream.isatty():
        return Style.PLAIN if environ.get("NO_COLOR") or environ.get("TERM") == "dumb" else Style.COLOUR
    journal = environ.get("JOURNAL_STREAM", "")  # device and inode of the journal's socket: systemd.exec(5)
    if not journal:
        return Style.PLAIN
    try:
        found = os.fstat(stream.fileno())
    except OSError:
        return Style.PLAIN
    return Style.JOURNAL if journal == f"{found.st_dev}:{found.st_ino}" else Style.PLAIN


class ConsoleLines(logging.Formatter):
    """`TIME LEVEL Event message field=value …`; a trace is in the file, here is only what it ends with."""

    def __init__(self, redactor: Redactor, style: Style) -> None:
        super().__init__()
        self._redactor = redactor
        self._reader = style

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        level, text = level_of(record), self._redactor.text(_visible(_text(record)))
        match self._reader:
            case Style.JOURNAL:
                return f"<{PRIORITIES[level]}>{text}"
            case Style.COLOUR:
                return f"{moment(record)} {COLOURS[level]}{level:<5}{PLAIN_AGAIN} {text}"
            case Style.PLAIN:
                return f"{moment(record)} {level:<5} {text}"


class Console(logging.Handler):
    """Writes to a stream. When that is gone, as when a terminal was closed, it is left alone."""

    def __init__(self, stream: TextIO, formatter: ConsoleLines) -> None:
        super().__init__()
        self._stream: TextIO | None = stream
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; what the stream cannot spell is escaped."""
        self.say(self.format(record))

    def say(self, line: str) -> None:
        """Write a line that is no record: about the log itself."""
        if self._stream is None:
            return
        encoding = self._stream.encoding or "utf-8"
        try:
            self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: it was closed
            self._stream = None


def _text(record: logging.LogRecord) -> str:
    fields = " ".join(f"{name}={_field(name, plain(value))}" for name, value in fields_of(record).items())
    error = record.exc_info[1] if record.exc_info else None
    wrong = f"({type(error).__name__}: {error})" if error else ""
    return " ".join(part for part in (event_of(record), message_of(record), fields, wrong) if part)


def _field(name: str, value: object) -> str:
    text = str(value)
    if name == "commit":
        return text[:SHORT_SHA]
    return f'"{text}"' if " " in text else text


def _visible(text: str) -> str:
    """On one line, and with nothing in it that a terminal would obey."""
    return text if text.isprintable() else "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
