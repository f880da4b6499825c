"""Where a repository comes from: a folder that is read in place, or a URL that is mirrored into the state folder."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import RetryLater, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.git.mirror import Mirror
    from reconciler.adapters.git.repository import GitSource
    from reconciler.adapters.git.transport import Credentials
    from reconciler.settings import Origin, Settings

STATE_FOLDER = "reconciler"
SLUG = re.compile(r"[^\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """A repository that was found, its branch, and this host's state folder for it."""

    source: GitSource
    branch: str
    state: Path
    folder: str

    @property
    def repository(self) -> str:
        """What store and ledger know the configuration by: `repository//folder`, as two folders are two of them."""
        return f"{self.source.repository}//{self.folder}" if self.folder else self.source.repository


@contextmanager
def source(settings: Settings) -> Iterator[GitSource]:
    """Open the repository that the settings name; one elsewhere as it was fetched last, or for the first time now.

    Raises `UsageError` when there is none.
    """
    from reconciler.adapters.git.repository import open_repository

    if settings.origin.url is None:
        with open_repository(settings.origin.folder) as found:
            yield found
    else:
        with mirror(settings, remote_state(settings, settings.origin.url)) as copy, _opened(copy) as found:
            yield found


@contextmanager
def target(settings: Settings) -> Iterator[Target]:
    """The same with its branch and state folder. Raises `UsageError`, too, when there is no branch to follow."""
    with source(settings) as found:
        yield described(found, settings)


@contextmanager
def fetched_target(settings: Settings) -> Iterator[Target]:
    """The same, with a repository elsewhere fetched before. Raises what `Mirror.fetch` does, too."""
    if settings.origin.url is not None:
        with mirror(settings, remote_state(settings, settings.origin.url)) as copy:
            copy.fetch()
    with target(settings) as at:
        yield at


def remote_state(settings: Settings, url: str) -> Path:
    """The state folder for a repository elsewhere: where this system keeps the state of a user's programs."""
    if settings.state is not None:
        return settings.state
    from platformdirs import user_state_path

    plain = url.rstrip("/").removesuffix(".git")
    name = SLUG.sub("-", re.split(r"[/:]", plain)[-1]) or "repository"
    return user_state_path(STATE_FOLDER, appauthor=False) / f"{name}-{hashlib.sha256(plain.encode()).hexdigest()[:8]}"


def mirror(settings: Settings, state: Path) -> Mirror:
    """The mirror of a repository elsewhere, in a state folder that is made when missing."""
    from reconciler.adapters.git.mirror import Mirror

    assert settings.origin.url is not None
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    origin = settings.origin
    return Mirror(origin.url or "", state, settings.branch, lambda: _credentials(origin))


def _credentials(origin: Origin) -> Credentials:
    from reconciler.adapters.git.transport import ANY_LOGIN, Credentials

    login, colon, password = origin.credentials.partition(":")
    if not colon:
        login, password = (ANY_LOGIN, login) if login else ("", "")
    return Credentials(login, password, origin.ssh_key, origin.known_hosts)


def _opened(copy: Mirror) -> GitSource:
    try:
        return copy.open()
    except RetryLater:
        copy.fetch()
        return copy.open()


def described(found: GitSource, settings: Settings) -> Target:
    """A repository with the branch to follow and the state folder. Raises `UsageError` when HEAD is no branch."""
    branch = settings.branch or found.head_branch()
    if branch is None:
        raise UsageError(
            "HEAD is detached, so it is not clear which branch to reconcile", hint="name one with --branch"
        )
    return Target(found, branch, state_folder(found, settings), settings.path)


def state_folder(found: GitSource, settings: Settings) -> Path:
    """The state folder: as set, else inside a repository in a folder, else where such things are kept."""
    if settings.origin.url is not None:
        return remote_state(settings, settings.origin.url)
    return settings.state or found.git_dir / STATE_FOLDER


def find_state(settings: Settings) -> Path:
    """The state folder, with the repository opened only if that has to say where it is."""
    if settings.state is not None:
        return settings.state
    if settings.origin.url is not None:
        return remote_state(settings, settings.origin.url)
    with source(settings) as found:
        return state_folder(found, settings)
