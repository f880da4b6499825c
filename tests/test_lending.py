"""Who takes a lent folder finds it as the origin is, whatever the one before did."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.lending import Lent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEEDS: dict[str, Callable[[Path], object]] = {
    "edit": lambda folder: (folder / "a" / "b.txt").write_text("other"),
    "write what was there": lambda folder: (folder / "a" / "b.txt").write_text("text"),
    "add": lambda folder: (folder / "a" / "new.txt").write_text("new"),
    "add a folder": lambda folder: (folder / "new" / "newer").mkdir(parents=True),
    "remove": lambda folder: (folder / "a" / "b.txt").unlink(),
    "remove a folder": lambda folder: shutil.rmtree(folder / "a"),
    "move": lambda folder: (folder / "a" / "b.txt").rename(folder / "c.txt"),
    "a folder in place of a file": lambda folder: ((folder / "top.txt").unlink(), (folder / "top.txt").mkdir()),
    "a file in place of a folder": lambda folder: (shutil.rmtree(folder / "a"), (folder / "a").write_text("x")),
    "a link": lambda folder: (folder / "link").symlink_to("a"),
    "a link in place of a folder": lambda folder: (shutil.rmtree(folder / "a"), (folder / "a").symlink_to("top.txt")),
}


def contents(folder: Path) -> dict[str, str | None]:
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_text() for path in folder.rglob("*")
    }


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_it_is_as_the_origin_again(tmp_path: Path, deed: Callable[[Path], object]) -> None:
    origin = tmp_path / "origin"
    (origin / "a" / "empty").mkdir(parents=True)
    (origin / "a" / "b.txt").write_text("text")
    (origin / "top.txt").write_text("top")
    before = contents(origin)
    lent = Lent(origin, tmp_path / "lent")
    for _ in range(2):
        with lent.taken() as folder:
            assert contents(folder) == before
            deed(folder)
    assert (contents(lent.folder), contents(origin)) == (before, before)
    assert not any(path.is_symlink() for path in lent.folder.rglob("*"))
