"""Whether a working tree and a bare repository beside it belong together, before anything is written to them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from reconciler.adapters.git.beginning import (
    ask_bare,
    find_branch,
    find_commit,
    find_origin,
    find_tips,
    need_human,
)
from reconciler.adapters.git.scratch import ask_git
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.git.beginning import Place
    from reconciler.errors import NeedsHuman


def find_remote_obstacles(place: Place, bare: Path) -> Iterator[NeedsHuman]:
    """Why a folder, which need not be there, cannot push to a bare repository that may be there already."""
    folder = place.folder
    if place.top is not None and not place.is_top:
        yield UsageError(f"{folder} is part of another repository, {place.top}", hint="choose a folder outside of it")
        return
    if place.is_shared:
        message = f"{folder} is a worktree or a submodule of another repository"
        yield UsageError(message, hint="choose a folder of its own, such as a `git clone` of it")
        return
    if place.is_top:
        origin = find_origin(folder)
        if origin and not leads_to(origin, folder, bare):
            hint = "name that as repository.url of the host's settings"
            yield UsageError(f"{folder} pushes to {origin} already", hint=hint)
        if not find_branch(folder):
            yield UsageError(f"no branch is checked out in {folder}", hint="git switch BRANCH")
    if os.path.lexists(bare):
        yield from _find_bare_obstacles(place, bare)


def _find_bare_obstacles(place: Place, bare: Path) -> Iterator[NeedsHuman]:
    code, out, complaint = ask_bare(bare, "rev-parse", "--is-bare-repository")
    if "dubious ownership" in complaint:
        yield need_human(complaint, code, bare)
    elif code != 0 or out != "true":
        yield UsageError(f"{bare} is there and no bare repository", hint="move it, or choose another folder")
    elif not _shares_history(place, bare):
        message = f"{bare} is there already, with commits that {place.folder} does not have"
        hint = f"to go on with what is in it, `git clone` it; else move {bare.name} away, or choose another folder"
        yield UsageError(message, hint=hint)


def _shares_history(place: Place, bare: Path) -> bool:
    """Whether one of the two has the newest commit of the other, or the bare one has none."""
    tips = find_tips(bare)
    if not tips:
        return True
    if not place.is_top:
        return False
    head = find_commit(place.folder)
    if head and ask_bare(bare, "cat-file", "-e", head)[0] == 0:
        return True
    return any(ask_git(place.folder, "cat-file", "-e", tip)[0] == 0 for tip in tips)


def leads_to(url: str, folder: Path, bare: Path) -> bool:
    """Whether a remote's address, as git reads it in a folder, is that of a bare repository."""
    path = unquote(urlsplit(url).path) if url.startswith("file://") else url
    try:
        return (folder / path).resolve() == bare.resolve()
    except (OSError, RuntimeError, ValueError):
        return False
