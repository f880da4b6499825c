"""The folder of a bare repository that is ours alone: leftovers of the killed, damage, moving aside, changing places.

File names: gitrepository-layout(5). The end of a pack and of its index: gitformat-pack(5).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from typing import TYPE_CHECKING

from reconciler.errors import RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEMPORARY = ("tmp_", ".tmp-", "incoming-", "tmp_objdir-")
KEPT_BY_FETCH = b"fetch-pack "
DIGESTS = {"sha1": 20, "sha256": 32}


@contextlib.contextmanager
def on_disk(place: Path) -> Iterator[None]:
    """Turn what the disk refuses into `RetryLater`: full, read-only, no permission, in use."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise RetryLater(
            f"cannot write {error.filename or place}: {why}",
            hint="see that the disk has room and that you may write there",
        ) from error


def clean(git_dir: Path) -> tuple[Path, ...]:
    """Take away what a killed git left behind: locks, unfinished packs and objects. Nothing may be at work there."""
    leftovers = tuple(_leftovers(git_dir))
    for leftover in leftovers:
        remove(leftover)
    return leftovers


def damage(git_dir: Path, object_format: str = "sha1") -> str:
    """What is broken, as far as a glance tells: no head, a pack that is missing or cut short; empty when nothing is."""
    for name in ("HEAD", "config", "objects", "refs"):
        if not (git_dir / name).exists():
            return f"{name} is missing"
    packs = git_dir / "objects" / "pack"
    for index in packs.glob("*.idx") if packs.is_dir() else ():
        pack = index.with_suffix(".pack")
        if not pack.exists() or not _belong_together(pack, index, DIGESTS[object_format]):
            return f"{pack.name} is missing or cut short"
    return ""


def set_aside(place: Path) -> None:
    """Rename what is damaged to `NAME.corrupt-N`, if there is anything; only the newest is kept."""
    if not os.path.lexists(place):
        return
    older = [*place.parent.glob(f"{place.name}.corrupt-*")]
    numbers = [one.name.rpartition("-")[2] for one in older]
    last = max((int(number) for number in numbers if number.isdecimal()), default=0)
    place.rename(place.with_name(f"{place.name}.corrupt-{last + 1}"))
    for one in older:
        remove(one)


def discard(place: Path) -> None:
    """Delete what is whole and of no use any more; its name is free at once."""
    old = place.with_name(f"{place.name}.old")
    remove(old)
    if os.path.lexists(place):
        place.rename(old)
        remove(old)


def remove(place: Path) -> None:
    """Delete a file or a folder with all that is in it, read-only objects too; nothing happens when there is none."""
    if place.is_dir() and not place.is_symlink():
        if sys.platform == "win32":
            for inside in place.rglob("*"):
                inside.chmod(0o700)
        shutil.rmtree(place)
        return
    place.unlink(missing_ok=True)


def _leftovers(git_dir: Path) -> Iterator[Path]:
    for name in (
        "HEAD.lock",
        "config.lock",
        "packed-refs.lock",
        "packed-refs.new",
        "shallow.lock",
        "gc.pid",
        "FETCH_HEAD",
    ):
        if (git_dir / name).exists():
            yield git_dir / name
    for folder in ("refs", "objects/info", "logs", "worktrees", "reftable"):
        yield from (git_dir / folder).rglob("*.lock")
    yield from git_dir.glob("gc.pid.lock")
    objects = git_dir / "objects"
    for store in (objects, objects / "pack", *objects.glob("[0-9a-f][0-9a-f]")):
        for place in store.iterdir() if store.is_dir() else ():
            if place.name.startswith(TEMPORARY) or place.suffix == ".lock" or _is_kept_by_fetch(place):
                yield place


def _is_kept_by_fetch(place: Path) -> bool:
    """A mark that keeps a pack until its refs are written; left behind, it would keep it out of every repack."""
    return place.suffix == ".keep" and place.read_bytes().startswith(KEPT_BY_FETCH)


def _belong_together(pack: Path, index: Path, size: int) -> bool:
    """An index ends with the digest that its pack ends with, and its own."""
    return _end(pack, size) == _end(index, 2 * size)[:size] != b""


def _end(file: Path, size: int) -> bytes:
    with file.open("rb") as content:
        length = content.seek(0, os.SEEK_END)
        content.seek(max(length - size, 0))
        return content.read(size)
