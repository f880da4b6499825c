"""Files are written whole, never over others, and a refusal leaves nothing behind."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.files import Folder
from reconciler.errors import NeedsHuman, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_new_file_with_its_folders(tmp_path: Path) -> None:
    Folder(tmp_path / "new").create("a/b/x.yaml", b"one\n")
    assert (tmp_path / "new/a/b/x.yaml").read_bytes() == b"one\n"
    assert names(tmp_path) == ["new", "new/a", "new/a/b", "new/a/b/x.yaml"]


def test_it_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    Folder(tmp_path).create("x", b"")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("x", b"one")
    with pytest.raises(UsageError, match="x exists already"):
        folder.create("x", b"two")
    assert (tmp_path / "x").read_bytes() == b"one"
    assert names(tmp_path) == ["x"]


def test_a_link_that_leads_nowhere_is_something_too(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")
    folder = Folder(tmp_path)
    assert folder.exists("x")
    with pytest.raises(UsageError, match="exists already"):
        folder.create("x", b"two")
    assert not (tmp_path / "elsewhere").exists()


def test_of_many_at_once_one_wins(tmp_path: Path) -> None:
    def attempt(number: int) -> bool:
        try:
            Folder(tmp_path).create("x", str(number).encode() * 100_000)
        except UsageError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, done in enumerate(pool.map(attempt, range(8))) if done]
    assert len(won) == 1
    assert (tmp_path / "x").read_bytes() == str(won[0]).encode() * 100_000


def test_new_files_and_folders_go_again_where_that_is_undone(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with ExitStack() as undo:
        folder = Folder(tmp_path / "there", undo)
        folder.create("a/b/x", b"one")
        (tmp_path / "there/a/somebodys").write_bytes(b"")
        folder.create("c/y", b"two")
    assert names(tmp_path) == ["there", "there/a", "there/a/somebodys"]


def test_without_hard_links_nothing_is_overwritten_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    Folder(tmp_path).create("x", b"one")
    with pytest.raises(UsageError, match="x exists already"):
        Folder(tmp_path).create("x", b"two")
    assert (tmp_path / "x").read_bytes() == b"one"
    assert names(tmp_path) == ["x"]


def test_replacing(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.replace("a/x", b"one")
    folder.replace("a/x", b"two")
    assert (tmp_path / "a/x").read_bytes() == b"two"
    assert names(tmp_path) == ["a", "a/x"]


def test_what_the_disk_refuses_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NeedsHuman, match=r"cannot write .*file"):
        Folder(tmp_path).create("file/x", b"")
    with pytest.raises(NeedsHuman, match="cannot write"):
        Folder(tmp_path / "file").make()
    (tmp_path / "folder").mkdir()
    with pytest.raises(NeedsHuman, match=r"cannot write .*folder"):
        Folder(tmp_path).replace("folder", b"")
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(NeedsHuman, match="permission denied"):
            Folder(tmp_path).create("x", b"")
    finally:
        tmp_path.chmod(0o700)


def test_a_name_that_is_too_long_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(NeedsHuman, match="too long"):
        Folder(tmp_path).create("x" * 300, b"")
    assert names(tmp_path) == []
