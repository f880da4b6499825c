"""A host of a daemon with real parts, run by a test instead of the loop."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from reconciler.daemon.assembly import make_dependencies
from reconciler.daemon.host import Host
from reconciler.settings import load
from reconciler.wiring.daemon import daemon_parts
from tests.support.standings import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.metrics import Metrics
    from reconciler.settings import Settings


class Lines:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def event(self, name: str, message: str = "", **more: Any) -> None:
        self.events.append((name, message))


def settings_of(repository: Path | str, state: Path, **settings: str) -> Settings:
    """Those of a host without history and Redis; `settings` are variables without RECONCILER_."""
    given = {"HISTORY_URL": "none", "REDIS_URL": "none", "HTTP_LISTEN": "127.0.0.1:0", **settings}
    given |= {"REPOSITORY_URL": str(repository), "STATE_DIR": str(state)}
    return load(None, {}, {f"RECONCILER_{name}": value for name, value in given.items()})


@contextmanager
def host(repository: Path | str, state: Path, figure: Metrics | None = None, **settings: str) -> Iterator[Host]:
    """The host, which closes everything at the end."""
    parts = daemon_parts(settings_of(repository, state, **settings))
    with ExitStack() as stack:
        yield Host(make_dependencies(parts, Lines(), figure or metrics(), stack), parts.bundled)
