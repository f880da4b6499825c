"""What is in the way of new files is found before the first is written, all of it at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.obstacles import find_obstacles, resolve_new
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("reconciler.yaml", "users/a.yaml", "users/b.yaml", "policies/tests/x/y.yaml")
LONG = "y" * 300


def found(root: Path, files: tuple[str, ...] = FILES) -> list[str]:
    return [str(one).replace(str(root), "DIR") for one in find_obstacles(root, files)]


def test_what_is_there_or_can_be_made_is_no_obstacle(tmp_path: Path) -> None:
    assert found(tmp_path / "new/deep") == []
    (tmp_path / "users").mkdir()
    (tmp_path / "users/a.yaml").write_bytes(b"")
    (tmp_path / "reconciler.yaml").symlink_to("nowhere")
    assert found(tmp_path) == []


def test_all_that_is_in_the_way_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").mkdir()
    (tmp_path / "users").write_bytes(b"")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/tests").symlink_to(tmp_path)
    (tmp_path / "accounts/.git").mkdir(parents=True)
    assert found(tmp_path, (*FILES, "accounts/a.yaml")) == [
        "cannot write DIR/reconciler.yaml: it is a folder, where a file is needed",
        "cannot write DIR/users: it is a file, where a folder is needed",
        "cannot write DIR/policies/tests: it is a symbolic link, and git keeps no files behind one",
        "cannot write DIR/accounts: it is a git repository of its own",
    ]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    above = str(tmp_path)
    assert found(tmp_path / "file") == ["cannot write DIR: it is a file, where a folder is needed"]
    (below,) = found(tmp_path / "file/x")
    assert below == f"cannot write DIR: {above}/file is a file, where a folder is needed"
    assert found(tmp_path / "lost/x") == [f"cannot write DIR: {above}/lost is a link that leads nowhere"]
    for place in (tmp_path / LONG, tmp_path / "new" / LONG, tmp_path / LONG / "x"):
        assert "too long" in found(place)[0]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_folder_that_may_not_be_written_to_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert found(tmp_path) == ["cannot write DIR: you may not write to it"]
        assert "you may not write to" in found(tmp_path / "new/deep")[0]
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("name", ["/", "a\udcffb", "a\nb", "loop", "loop/x", "lost", "lost/x", ".git", "a\0b"])
def test_a_path_that_no_repository_can_have_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "lost").symlink_to("nowhere")
    with pytest.raises(UsageError) as refused:
        resolve_new(tmp_path / name)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["My Dësk", "emoji 🎉", 'a"b', "a$b", "zero\u200dwidth"])
def test_any_other_name_will_do(tmp_path: Path, name: str) -> None:
    assert resolve_new(tmp_path / name) == tmp_path / name
