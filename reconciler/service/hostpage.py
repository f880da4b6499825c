"""What the page of a host shows beside its status: threads, folder, disk, settings."""

from __future__ import annotations

import os
import platform
import re
import shutil
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from reconciler.report.escape import format_time
from reconciler.settings import DRIFT_MODES, LOCAL_READS, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from reconciler.service.context import Context, Heartbeat
    from reconciler.settings import Settings

    Page = dict[str, Any]


MAX_FILES = 20_000
"""Files of a folder that are counted: a mirror may have a hundred thousand."""
PARTS = {
    "state.duckdb": "the live rows",
    "history": "the embedded history",
    "redis": "the embedded Redis",
    "mirror.git": "the mirror of the repository",
    "backups": "copies of the store",
    "log": "what the daemon tells",
    "notifications.json": "what receivers are to be told",
    "halts.json": "what is halted",
}
"""What a state folder holds, and what it is for."""
SET, UNSET = "set", "not set"


def describe_host(context: Context, now: datetime) -> Page:
    """The daemon's threads, what is in its folder, the disk that is on, its settings."""
    folder = context.state
    backups = sorted(context.list_backups(), reverse=True)
    return {
        "threads": _threads(context.heartbeats()),
        "folder": str(folder),
        "parts": [{"name": name, "purpose": what, **_size(folder / name)} for name, what in PARTS.items()],
        "backups": [
            {"file": backup.file.name, "at": format_time(backup.at), **_size(backup.file)} for backup in backups
        ],
        "disk": _disk(folder),
        "settings": list_settings(context.settings),
        "program": {"version": version("reconciler"), "python": platform.python_version(), "os": platform.platform()},
        "at": format_time(now),
    }


def _threads(heartbeats: Sequence[Heartbeat]) -> list[Page]:
    reported = {
        beat.thread: {"doing": beat.doing, "age": round(beat.age, 1), "limit": beat.limit, "stuck": beat.stuck}
        for beat in heartbeats
    }
    silent = {"doing": None, "age": None, "limit": None, "stuck": False}
    names = sorted({*reported, *(thread.name for thread in threading.enumerate())})
    return [{"name": name, **reported.get(name, silent)} for name in names]


def _size(path: Path) -> Page:
    """Bytes and number of files; `complete` is false where some were not counted."""
    files = size = 0
    for file in _files(path):
        files += 1
        try:
            size += file.stat(follow_symlinks=False).st_size
        except FileNotFoundError:  # it was deleted meanwhile
            continue
        if files >= MAX_FILES:
            break
    return {"bytes": size, "files": files, "complete": files < MAX_FILES}


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    waiting = [path] if path.is_dir() else []
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path / entry.path)
            else:
                yield path / entry.path


def _disk(folder: Path) -> Page | None:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return {"free": usage.free, "total": usage.total}


def list_settings(settings: Settings) -> list[dict[str, Any]]:
    """Each setting with its value, empty for one that has none."""
    values = _values(settings)
    return [
        {
            "name": setting.name,
            "variable": setting.variable,
            "value": values.get(setting.name, ""),
            "default": setting.default,
            "purpose": setting.purpose,
        }
        for setting in SETTINGS
    ]


def _values(settings: Settings) -> dict[str, str]:
    origin = settings.origin
    return {
        "repository.url": without_secret(origin.url) if origin.url else str(origin.folder),
        "repository.branch": settings.branch or "",
        "repository.path": settings.path,
        "repository.poll_interval": f"{origin.poll_interval:g}s",
        "repository.credentials": _is_set(origin.credentials),
        "repository.ssh_key": str(origin.ssh_key or ""),
        "repository.known_hosts": str(origin.known_hosts or ""),
        "repository.webhook_secret": _is_set(settings.webhook_secret),
        "state.dir": str(settings.state or ""),
        "history.url": without_secret(settings.history_url),
        "redis.url": without_secret(settings.redis_url),
        "sessions.idle_timeout": f"{settings.idle_timeout:g}s",
        "http.listen": settings.listen,
        "http.tokens": f"{len(settings.grants)} of them" if settings.grants else "",
        "http.local_reads": LOCAL_READS[0] if settings.local_reads else LOCAL_READS[1],
        "host.name": settings.host,
        "host.system": settings.config_resource or "",
        "drift.mode": DRIFT_MODES[0] if settings.heal_drift else DRIFT_MODES[1],
        "limits.paths": str(settings.limits.paths),
        "limits.yaml_mb": str(settings.limits.yaml_mb),
        "notify": ", ".join(receiver.label for receiver in settings.receivers),
    }


def without_secret(url: str) -> str:
    """A URL without who logs in, what follows a question mark and what follows a hash: secrets stand there.

    By hand: of several hosts `urlsplit` makes an error, and of a password that is not escaped a part of the path.
    """
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{re.split('[?#]', rest.rpartition('@')[2], maxsplit=1)[0]}"


def _is_set(secret: str) -> str:
    return SET if secret else UNSET
