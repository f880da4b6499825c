"""A log record as one line of JSON."""

from __future__ import annotations

import copy
import json
import logging
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pythonjsonlogger.json import JsonFormatter

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
        fields = {f"{name}_" if name in OWN else name: value for name, value in fields_of(record).items()}
        said = {"event": event_of(record), "message": record.message, **fields}
        if not hasattr(record, "event"):
            said["logger"] = record.name  # somebody else's line
        if record.exc_info and record.exc_info[1]:
            said["exception"] = message_dict["exc_info"]
        log_data.update({"time": moment(record), "level": level_of(record)})
        log_data.update(short(self._redactor.value(plain(said))))

    def serialize_log_record(self, log_data: dict[str, Any]) -> str:
        """JSON on one line."""
        return printable(super().serialize_log_record(log_data))


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
