"""The daemon's log: JSON lines in the state folder, lines for people on stderr, secrets in neither.

On logging of the standard library, through which uvicorn, warnings and drivers speak; the JSON is python-json-logger's.
"""

from __future__ import annotations

import copy
import json
import logging
import math
import os
import re
import threading
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Self, TextIO
from urllib.parse import quote, quote_plus

from pythonjsonlogger.json import JsonFormatter

from reconciler import canonical
from reconciler.adapters.logfile import LEVEL_NUMBERS, EventLog, RotatingFile
from reconciler.model.log import Level

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOG_FOLDER, LOG_FILE = "log", "reconciler.jsonl"
ROOT = "reconciler"
ADOPTED_LOGGERS = ("py.warnings", "uvicorn.error")
"""Loggers of others that the daemon speaks for: Python's warnings, and the HTTP server's."""

MAX_BYTES = 64 << 20


MAX_TEXT = 16_384
"""Characters of one text; the middle of a longer one is left out, as a trace says most at its ends."""

OWN_FIELDS = frozenset({"time", "level", "event", "message", "exception", "logger"})


class JsonLines(JsonFormatter):
    """`time`, `level`, `event`, `message`, then the fields of the event, and `exception` with its trace."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__(json_ensure_ascii=False)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        whole = copy.copy(record)
        whole.msg, whole.args = message_of(record), ()
        return super().format(whole)

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Put into `log_data` what the line has, in its order and without secrets."""
        fields = {f"{name}_" if name in OWN_FIELDS else name: value for name, value in fields_of(record).items()}
        values = {"event": event_of(record), "message": record.message, **fields}
        if not hasattr(record, "event"):
            values["logger"] = record.name  # somebody else's line
        if record.exc_info and record.exc_info[1]:
            values["exception"] = message_dict["exc_info"]
        log_data.update({"time": format_time(record), "level": level_of(record)})
        log_data.update(shorten(self._redactor.value(to_plain(values))))

    def serialize_log_record(self, log_data: dict[str, Any]) -> str:
        """JSON on one line."""
        return printable(super().serialize_log_record(log_data))


def printable(line: str) -> str:
    """JSON with whatever would end a line or move a terminal's cursor escaped, and half characters too."""
    return (
        line
        if line.isprintable()
        else "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in line)
    )


def format_time(record: logging.LogRecord) -> str:
    """When it happened: RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def level_of(record: logging.LogRecord) -> Level:
    """Our word for the level; one between two of ours is called by the lower one."""
    return next((level for level in reversed(LEVEL_NUMBERS) if record.levelno >= LEVEL_NUMBERS[level]), Level.DEBUG)


def event_of(record: logging.LogRecord) -> str:
    """What happened, in one word: of what is not ours, where it comes from."""
    return str(getattr(record, "event", record.name))


def message_of(record: logging.LogRecord) -> str:
    """The message; where somebody else's arguments do not fit it, both as they are."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, LookupError):
        return f"{record.msg} {record.args}"


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that came with an event."""
    fields = getattr(record, "fields", {})
    return dict(fields) if isinstance(fields, dict) else {}


def to_plain(value: Any) -> Any:
    """A value as JSON can have it."""
    match value:
        case datetime():
            return canonical.timestamp(value)
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float():
            return value
        case dict():
            return {str(key): to_plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [to_plain(item) for item in value]
    return str(value)


def shorten(value: Any) -> Any:
    """A plain value with no text longer than a line can bear. Secrets are out by then: half of one is one, too."""
    match value:
        case str() if len(value) > MAX_TEXT:
            half = MAX_TEXT // 2
            return f"{value[:half]} … {len(value) - MAX_TEXT} characters left out … {value[-half:]}"
        case dict():
            return {key: shorten(item) for key, item in value.items()}
        case list():
            return [shorten(item) for item in value]
    return value


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


def style_of(stream: TextIO, environ: Mapping[str, str], *, coloured: bool) -> Style:
    """Priorities for systemd's journal, colours for who wants them, else nothing special."""
    if _is_journal(stream, environ.get("JOURNAL_STREAM", "")):
        return Style.JOURNAL
    return Style.COLOUR if coloured else Style.PLAIN


def _is_journal(stream: TextIO, journal: str) -> bool:
    """Of systemd.exec(5): the variable has device and inode of the journal's socket."""
    if not journal:
        return False
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return False
    return journal == f"{status.st_dev}:{status.st_ino}"


class ConsoleLines(logging.Formatter):
    """`TIME LEVEL Event message field=value …`; a trace is in the file, here is only what it ends with."""

    def __init__(self, redactor: Redactor, style: Style) -> None:
        super().__init__()
        self._redactor = redactor
        self._reader = style

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        level, text = level_of(record), shorten(self._redactor.text(_visible(_text(record))))
        match self._reader:
            case Style.JOURNAL:
                return f"<{PRIORITIES[level]}>{text}"
            case Style.COLOUR:
                return f"{format_time(record)} {COLOURS[level]}{level:<5}{PLAIN_AGAIN} {text}"
            case Style.PLAIN:
                return f"{format_time(record)} {level:<5} {text}"


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
    fields = " ".join(f"{name}={_field(name, to_plain(value))}" for name, value in fields_of(record).items())
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
    return (
        text if text.isprintable() else "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)
    )


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


REDACTED = "***"

USER_INFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<who>[^\s/?#\"'<>]*)@", re.IGNORECASE)
"""The user information of a URL (RFC 3986, section 3.2.1), up to the last `@` before its path."""

PARAMETER = re.compile(
    r"(?P<name>[?&;](?:access_token|api_?key|auth|credential|key|passw(?:or)?d|pwd|private_token|secret|sig|signature|"
    r"token)=)[^\s&;#\"'<>]+",
    re.IGNORECASE,
)
AUTHORIZATION = re.compile(r"\b(?P<scheme>Basic|Bearer) +[A-Za-z0-9+/._~-]{8,}=*")
"""The value of an Authorization header (RFC 9110, section 11.6.2)."""


class Redactor:
    """Takes secrets out of texts and values. Secrets may be added at any time, from any thread."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._guard = threading.Lock()
        self._spellings: set[str] = set()
        self._known: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Never show this text, nor as URLs, JSON and Python spell it. An empty one is none."""
        if not secret:
            return
        spellings = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), repr(secret)[1:-1]}
        spellings |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
        with self._guard:
            self._spellings |= spellings
            longest_first = sorted(self._spellings, key=lambda one: (-len(one), one))
            self._known = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """The text with `***` for each secret, and for the credentials of any URL."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        if "://" in text:
            text = USER_INFO.sub(_without_password, text)
        if "=" in text:
            text = PARAMETER.sub(rf"\g<name>{REDACTED}", text)
        return AUTHORIZATION.sub(rf"\g<scheme> {REDACTED}", text)

    def value(self, value: Any) -> Any:
        """The same for anything that can be logged, inside lists and mappings too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(item) for item in value]
        if value is None or isinstance(value, bool):
            return value
        text = str(value)
        redacted = self.text(text)
        return value if redacted == text and isinstance(value, (int, float)) else redacted


def _without_password(found: re.Match[str]) -> str:
    """Over ssh the name belongs to the address; anywhere else it may be a token."""
    if "ssh" in found["scheme"].lower() and ":" not in found["who"]:
        return found[0]
    return f"{found['scheme']}{REDACTED}@"


class DaemonLog:
    """Writes what the loggers `reconciler.*` say to `log/reconciler.jsonl` in a state folder, and to a stream.

    Nothing happens before it is entered, and loggers are as they were after it: whoever uses reconciler as a library
    has no handler of ours. A file that cannot be written keeps nothing from going on: see `trouble`.
    """

    def __init__(
        self, folder: Path, stream: TextIO, style: Style = Style.PLAIN, *, adopted: Sequence[str] = ADOPTED_LOGGERS
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
            logger.setLevel(max(LEVEL_NUMBERS[level], LEVEL_NUMBERS[Level.WARN] if logger.name in self._adopted else 0))

    def set_max_size(self, max_bytes: int) -> None:
        """Rotate the file when it would grow beyond this, from now on."""
        self._rotating.resize(max_bytes)
