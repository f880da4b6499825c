"""Lines of the daemon's log for people."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.model.log import Level
from reconciler.report.commits import short_sha
from reconciler.report.escape import escape_block, escape_line

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDER = tuple(Level)
INDENT = "    "


class LogLine(Struct, frozen=True):
    """A line of the log; `rest` is all of it where it is no JSON, as after a crash in the middle of one."""

    time: str
    level: Level | None
    rest: str
    trace: str = ""

    def is_wanted(self, least: Level | None, since: datetime | None) -> bool:
        """Whether it is at least that serious and not older; what it does not say it may be."""
        if least and self.level and ORDER.index(self.level) < ORDER.index(least):
            return False
        return since is None or _parse_time(self.time, since) >= since


def parse_log_line(line: bytes) -> LogLine:
    """A line as it is in the file."""
    fields = parse_log_fields(line)
    if fields is None:
        return LogLine("", None, escape_line(line.decode("utf-8", "replace")))
    time, word, event, message = (str(fields.pop(name, "")) for name in ("time", "level", "event", "message"))
    trace = str(fields.pop("exception", "")).strip()
    last = f"({trace.splitlines()[-1]})" if trace else ""
    texts = (event, message, *(f"{name}={_value(name, value)}" for name, value in fields.items()), last)
    level = Level(word) if word in ORDER else None
    return LogLine(escape_line(time), level, escape_line(" ".join(filter(None, texts))), escape_block(trace))


def parse_log_fields(line: bytes) -> dict[str, Any] | None:
    """The object that a line is; None for anything else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def trace_lines(line: LogLine) -> Iterator[str]:
    """The trace of an error, whole."""
    return (INDENT + text for text in line.trace.splitlines())


def _parse_time(text: str, otherwise: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return found if found.tzinfo else otherwise


def _value(name: str, value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if name == "commit":
        return short_sha(text)
    return f'"{text}"' if " " in text else text
