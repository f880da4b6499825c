"""The repository that settings name: read from git, planned and judged without a store or a history."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.adapters.git.repository import open_repository
from reconciler.errors import RetryLater
from reconciler.service.context import remote_state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.git.mirror import Mirror
    from reconciler.adapters.git.repository import GitSource
    from reconciler.adapters.git.transport import Credentials
    from reconciler.model.limits import Limits
    from reconciler.settings import Settings


@contextmanager
def open_source(settings: Settings) -> Iterator[GitSource]:
    """Open the repository that the settings name; one elsewhere as it was fetched last, or for the first time now.

    Raises `UsageError` when there is none.
    """
    if settings.origin.url is None:
        with open_repository(settings.origin.folder, limits=settings.limits) as source:
            yield source
    else:
        with open_mirror(settings) as mirror, _open_or_fetch(mirror, settings.limits) as source:
            yield source


@contextmanager
def open_nearby(settings: Settings) -> Iterator[GitSource]:
    """The same, but nothing is fetched: raises `RetryLater` for one elsewhere that was not fetched yet."""
    if settings.origin.url is None:
        with open_source(settings) as source:
            yield source
    else:
        with open_mirror(settings) as mirror, mirror.open(settings.limits) as source:
            yield source


def fetch_source(settings: Settings) -> None:
    """Bring the mirror of a repository elsewhere up to date; a folder is read in place. Raises as `Mirror.fetch`."""
    if settings.origin.url is not None:
        with open_mirror(settings) as mirror:
            mirror.fetch()


def open_mirror(settings: Settings) -> Mirror:
    """The mirror of a repository elsewhere, in its state folder, which is made when missing."""
    from reconciler.adapters.git import mirror, transport

    def credentials() -> Credentials:
        origin = settings.origin
        login, colon, password = origin.credentials.partition(":")
        if not colon:
            login, password = (transport.ANY_LOGIN, login) if login else ("", "")
        return transport.Credentials(login, password, origin.ssh_key, origin.known_hosts)

    state = remote_state_folder(settings)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    branch = settings.asked_branch or settings.branch
    return mirror.Mirror(settings.origin.url or "", state, branch, credentials)


def _open_or_fetch(mirror: Mirror, limits: Limits) -> GitSource:
    try:
        return mirror.open(limits)
    except RetryLater:
        mirror.fetch()
        return mirror.open(limits)
