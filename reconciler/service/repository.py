"""Which repository, branch and state folder a host's settings mean."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from platformdirs import user_state_path

from reconciler.errors import UsageError
from reconciler.service.context import Target

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.git.repository import GitSource
    from reconciler.settings import Settings

STATE_FOLDER = "reconciler"
UNFIT = re.compile(r"[^\w.-]+", re.ASCII)
"""Characters of a repository's name that its state folder is not named with."""


def describe_target(source: GitSource, settings: Settings) -> Target:
    """A repository with the branch to follow and the state folder. Raises `UsageError` when HEAD is no branch."""
    branch = settings.branch or source.head_branch()
    if branch is None:
        raise UsageError(
            "HEAD is detached, so it is not clear which branch to reconcile", hint="name one with --branch"
        )
    return Target(source, branch, state_folder(source, settings), settings.path)


def state_folder(source: GitSource, settings: Settings) -> Path:
    """The state folder: as set, else inside a repository in a folder, else where such things are kept."""
    return known_state_folder(settings) or source.git_dir / STATE_FOLDER


def known_state_folder(settings: Settings) -> Path | None:
    """The state folder where the settings alone say it: of a repository elsewhere always, of a folder if it is set."""
    return remote_state_folder(settings) if settings.origin.url is not None else settings.state


def remote_state_folder(settings: Settings) -> Path:
    """The state folder for a repository elsewhere: where this system keeps the state of a user's programs."""
    if settings.state is not None:
        return settings.state
    url = (settings.origin.url or "").rstrip("/").removesuffix(".git")
    name = UNFIT.sub("-", re.split(r"[/:]", url)[-1]) or "repository"
    state = user_state_path(STATE_FOLDER, appauthor=False)
    return state / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
