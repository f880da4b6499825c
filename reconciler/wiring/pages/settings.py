"""The settings in force, for people: of secrets only whether there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from reconciler.settings import DRIFT_MODES, SETTINGS

if TYPE_CHECKING:
    from reconciler.settings import Settings

SET, UNSET = "set", "not set"


def shown(settings: Settings) -> list[dict[str, Any]]:
    """Each setting with its value, empty for one that has none."""
    values = _values(settings)
    return [
        {
            "name": one.name,
            "variable": one.variable,
            "value": values.get(one.name, ""),
            "default": one.default,
            "purpose": one.purpose,
        }
        for one in SETTINGS
    ]


def _values(settings: Settings) -> dict[str, str]:
    origin = settings.origin
    return {
        "repository.url": without_secret(origin.url) if origin.url else str(origin.folder),
        "repository.branch": settings.branch or "",
        "repository.path": settings.path,
        "repository.poll_interval": f"{origin.poll_interval:g}s",
        "repository.credentials": _whether(origin.credentials),
        "repository.ssh_key": str(origin.ssh_key or ""),
        "repository.known_hosts": str(origin.known_hosts or ""),
        "repository.webhook_secret": _whether(settings.webhook_secret),
        "state.dir": str(settings.state or ""),
        "history.url": without_secret(settings.history_url),
        "redis.url": without_secret(settings.redis_url),
        "sessions.idle_timeout": f"{settings.idle_timeout:g}s",
        "http.listen": settings.listen,
        "http.tokens": f"{len(settings.grants)} of them" if settings.grants else "",
        "host.name": settings.host,
        "host.system": settings.obeys or "",
        "drift.mode": DRIFT_MODES[0] if settings.heals else DRIFT_MODES[1],
    }


def without_secret(url: str) -> str:
    """A URL without who logs in, what follows a question mark and what follows a hash: secrets stand there."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _whether(secret: str) -> str:
    return SET if secret else UNSET
