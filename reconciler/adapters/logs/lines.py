"""A log record as one line of JSON."""

from __future__ import annotations

import json
import logging
import math
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.model.host import Level

if TYPE_CHECKING:
    from reconciler.adapters.logs.redaction import Redactor

LONGEST = 16_384
"""Characters of one text; the middle of a longer one is left out, as a trace says most at its ends."""

NUMBERS = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARN: logging.WARNING,
    Level.ERROR: logging.ERROR,
}
OWN = frozenset({"time", "level", "event", "message", "exception", "logger"})


class JsonLines(logging.Formatter):
    """`time`, `level`, `event`, `message`, then the fields of the event, and `exception` with its trace."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields = {f"{name}_" if name in OWN else name: value for name, value in fields_of(record).items()}
        said = {"event": event_of(record), "message": message_of(record), **fields}
        if not hasattr(record, "event"):
            said["logger"] = record.name  # somebody else's line
        if record.exc_info and record.exc_info[1]:
            said["exception"] = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        line = {"time": moment(record), "level": level_of(record), **short(self._redactor.value(plain(said)))}
        return printable(json.dumps(line, ensure_ascii=False, allow_nan=False))


def printable(line: str) -> str:
    """JSON with whatever would end a line or move a terminal's cursor escaped, and half characters too."""
    return line if line.isprintable() else "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line)


def moment(record: logging.LogRecord) -> str:
    """When it happened: RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def level_of(record: logging.LogRecord) -> Level:
    """Our word for the level; one between two of ours is called by the lower one."""
    return next((level for level in reversed(NUMBERS) if record.levelno >= NUMBERS[level]), Level.DEBUG)


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


def plain(value: Any) -> Any:
    """A value as JSON can have it."""
    match value:
        case datetime():
            return canonical.timestamp(value)
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float():
            return value
        case dict():
            return {str(key): plain(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(one) for one in value]
    return str(value)


def short(value: Any) -> Any:
    """A plain value with no text longer than a line can bear. Secrets are out by then: half of one is one, too."""
    match value:
        case str() if len(value) > LONGEST:
            half = LONGEST // 2
            return f"{value[:half]} … {len(value) - LONGEST} characters left out … {value[-half:]}"
        case dict():
            return {key: short(one) for key, one in value.items()}
        case list():
            return [short(one) for one in value]
    return value
