"""What stands in the way of new files: all of it, before the first one is written."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING
from unicodedata import category

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

OTHER_PLACE = "move what is in the way, or choose another place"
_UNSPEAKABLE = {"Cc", "Cs"}
"""Control characters, and what stands for bytes that are no UTF-8 (PEP 383)."""


def resolve_new(path: Path) -> Path:
    """The whole path of a folder that need not be there.

    Raises `UsageError` for one that no file can have, or that no settings file and no message could name.
    """
    _check_spelling(path)
    try:
        whole = path.resolve()
        lost = next((one for one in (path, *path.parents) if one.is_symlink() and not one.exists()), None)
    except (OSError, RuntimeError, ValueError) as error:  # such as a loop of links, or a working directory that is gone
        why = _words(error) if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path} is no path of a folder: {why}", hint="choose another place") from error
    if lost is not None:  # a disk that is not there now, say: nothing is made in its place
        raise _cannot_write(path, f"{lost} is a link that leads nowhere")
    _check_spelling(whole)
    if not whole.name or whole.name.lower() == ".git":
        raise UsageError(f"{whole} cannot be a folder of configuration", hint="choose another name")
    return whole


def _check_spelling(path: Path) -> None:
    if any(category(character) in _UNSPEAKABLE for character in str(path)):
        shown = str(path).encode("unicode_escape").decode()
        hint = "choose a name in UTF-8, without control characters"
        raise UsageError(f"the path {shown} has characters that cannot be written down", hint=hint)


def find_obstacles(root: Path, files: Iterable[str]) -> Iterator[UsageError]:
    """Why files cannot be written below a folder, by their paths from it; what is there already is no obstacle."""
    if fault := _find_fault(root):
        yield fault
        return
    seen: set[Path] = set()
    for path in files:
        target = root / path
        for place in reversed((target, *target.parents)):
            if place in seen or not place.is_relative_to(root) or place == root:
                continue
            seen.add(place)
            if fault := _find_wrong(place, is_folder=place != target):
                yield fault


def _find_fault(folder: Path) -> UsageError | None:
    """Why a folder is none, or cannot be made or written to."""
    names: list[str] = []
    for place in (folder, *folder.parents):
        try:
            found = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            if place.is_symlink():
                return _cannot_write(folder, f"{place} is a link that leads nowhere")
            names.append(place.name)
            continue
        except OSError as error:
            return _cannot_write(folder, _words(error))
        if not stat.S_ISDIR(found.st_mode):
            return _cannot_write(folder, f"{_it(place, folder)} is a file, where a folder is needed")
        if not os.access(place, os.W_OK | os.X_OK):
            return _cannot_write(folder, f"you may not write to {_it(place, folder)}")
        return next(filter(None, (_try_name(place, name, folder) for name in names)), None)
    return None


def _try_name(place: Path, name: str, folder: Path) -> UsageError | None:
    """Why no file of a name can be in a folder that is there."""
    try:
        (place / name).lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return _cannot_write(folder, _words(error))
    return None


def _find_wrong(place: Path, *, is_folder: bool) -> UsageError | None:
    """What is wrong with what stands where a folder or file is needed."""
    try:
        mode = place.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return _cannot_write(place, _words(error))
    is_one = stat.S_ISDIR(mode)
    faults = (
        (is_folder and stat.S_ISLNK(mode), "it is a symbolic link, and git keeps no files behind one"),
        (is_folder and not is_one, "it is a file, where a folder is needed"),
        (is_folder and os.path.lexists(place / ".git"), "it is a git repository of its own"),
        (is_folder and not os.access(place, os.W_OK | os.X_OK), "you may not write to it"),
        (not is_folder and is_one, "it is a folder, where a file is needed"),
    )
    return next((_cannot_write(place, why) for applies, why in faults if applies), None)


def _it(place: Path, meant: Path) -> str:
    return "it" if place == meant else str(place)


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _cannot_write(place: Path, why: str) -> UsageError:
    return UsageError(f"cannot write {place}: {why}", hint=OTHER_PLACE)
