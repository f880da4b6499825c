"""The terminal: tables as wide as it is, and times as they are where it is."""

from __future__ import annotations

from shutil import get_terminal_size
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfoNotFoundError

from tzlocal import get_localzone

from reconciler.adapters.machine import SystemClock
from reconciler.cli.tables import LEAST_TEXT, cells, cut, draw, draw_plain, plain, wrap_words
from reconciler.report.escape import moments_at

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, tzinfo

    from reconciler.cli.tables import Drawn, Style
    from reconciler.report.escape import Moments
    from reconciler.report.tables import TextTable

__all__ = ["cut_line", "draw_on_terminal", "draw_plain", "moments_here", "wrap_behind"]


def draw_on_terminal(
    table: TextTable, style: Style | None, *, whole: bool, rows: Collection[int] | None = None
) -> Drawn:
    """A table as it fits the terminal; or some of its rows, without headers."""
    return draw(table, get_terminal_size().columns, style or plain, whole=whole, rows=rows)


def moments_here() -> Moments:
    """Times as people say them now, in the zone of this machine or of TZ."""
    now = SystemClock().now()
    return moments_at(now, _local_zone(now))


def _local_zone(now: datetime) -> tzinfo:
    """One that no database knows is told by its offset of now."""
    try:
        return get_localzone()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = now.astimezone().tzinfo
        assert zone
        return zone


def wrap_behind(text: str, indent: int) -> list[str]:
    """A text in lines that have room behind so many blanks; where that is too little, in one line."""
    room = get_terminal_size().columns - indent
    return wrap_words(text, room) if room >= LEAST_TEXT else [text]


def cut_line(before: str, text: str, after: str, least: int) -> str:
    """A line of three parts, the second one cut where the terminal is too narrow, to so many cells at least."""
    room = max(get_terminal_size().columns - cells(before) - cells(after), least)
    return f"{before}{cut(text, room)}{after}"
