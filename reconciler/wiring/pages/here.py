"""This host for pages: what it did, its threads, its folder, its settings."""

from __future__ import annotations

import os
import platform
import re
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from reconciler.errors import ReconcilerError, UsageError
from reconciler.report.escape import format_time
from reconciler.report.pages import build_host_events
from reconciler.wiring.pages.settings import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from reconciler.adapters.duckdb.keeper import Keeper
    from reconciler.settings import Settings
    from reconciler.web.operations import Heartbeat

    Answer = dict[str, Any]

PAGE = 50
NUMBER = re.compile("[1-9][0-9]{0,17}", re.ASCII)
MOST_FILES = 20_000
"""Files of a folder that are counted: a mirror may have a hundred thousand."""
PARTS = {
    "state.duckdb": "the live rows",
    "history": "the embedded history",
    "redis": "the embedded Redis",
    "mirror.git": "the mirror of the repository",
    "backups": "copies of the store",
    "log": "what the daemon tells",
}
"""What a state folder holds, and what it is for."""


def events(keeper: Keeper, asked: Mapping[str, str]) -> Answer:
    """The newest events, or those before one."""
    before = asked.get("before", "")
    if before and not NUMBER.fullmatch(before):
        raise UsageError("before is no event's number", hint="leave it away to see the newest")
    with keeper.reading() as reader:
        found = reader.events(PAGE + 1, int(before) if before else None)
    told, more = found[:PAGE], len(found) > PAGE
    return {
        "events": build_host_events(told),
        "before": int(before) if before else None,
        "more": told[-1].seq if more else None,
    }


def health(settings: Settings, folder: Path, beats: Sequence[Heartbeat], now: datetime) -> Answer:
    """The daemon's threads, what is in its folder, the disk that is on, its settings."""
    return {
        "threads": _threads(beats),
        "folder": str(folder),
        "parts": [{"name": name, "purpose": what, **_size(folder / name)} for name, what in PARTS.items()],
        "backups": _backups(folder),
        "disk": _disk(folder),
        "settings": shown(settings),
        "program": {"version": version("reconciler"), "python": platform.python_version(), "os": platform.platform()},
        "at": format_time(now),
    }


def _threads(beats: Sequence[Heartbeat]) -> list[Answer]:
    told = {
        beat.thread: {"doing": beat.doing, "age": round(beat.age, 1), "limit": beat.limit, "stuck": beat.stuck}
        for beat in beats
    }
    silent = {"doing": None, "age": None, "limit": None, "stuck": False}
    names = sorted({*told, *(thread.name for thread in threading.enumerate())})
    return [{"name": name, **told.get(name, silent)} for name in names]


def _size(path: Path) -> Answer:
    """Bytes and number of files; `complete` is false where some were not counted."""
    files = size = 0
    for file in _files(path):
        files += 1
        try:
            size += file.stat(follow_symlinks=False).st_size
        except FileNotFoundError:  # it went while we looked
            continue
        if files >= MOST_FILES:
            break
    return {"bytes": size, "files": files, "complete": files < MOST_FILES}


def _files(path: Path) -> Any:
    if path.is_file():
        yield path
    waiting = [path] if path.is_dir() else []
    while waiting:
        try:
            found = list(os.scandir(waiting.pop()))
        except FileNotFoundError:
            continue
        for one in found:
            if one.is_dir(follow_symlinks=False):
                waiting.append(path / one.path)
            else:
                yield path / one.path


def _backups(folder: Path) -> list[Answer]:
    from reconciler.adapters.duckdb.backup import backups

    found = sorted(backups(folder), reverse=True)
    return [{"file": one.file.name, "at": format_time(one.at), **_size(one.file)} for one in found]


def _disk(folder: Path) -> Answer | None:
    from reconciler.adapters.machine import room

    try:
        found = room(folder)
    except ReconcilerError:
        return None
    return {"free": found.free, "total": found.total}
