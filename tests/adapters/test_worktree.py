"""Files on disk, read for checking."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.worktree import WorkingTree, find_root
from reconciler.errors import NeedsHuman, UsageError
from reconciler.model.commit import EntryType

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, *paths: str) -> None:
    """Files that hold their own path."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())


def is_yaml(path: str) -> bool:
    """What the tests want."""
    return path.endswith((".yaml", ".yml"))


def test_wanted_files_come_sorted_with_forward_slashes(tmp_path: Path) -> None:
    write(tmp_path, "b.yaml", "a/z.yaml", "a/b/c.yml", "a.yaml", "a-b.yaml", "notes.txt", "ü 🚀.yaml")
    read = list(WorkingTree(tmp_path).read(is_yaml))
    assert [path for path, _ in read] == sorted(["b.yaml", "a/z.yaml", "a/b/c.yml", "a.yaml", "a-b.yaml", "ü 🚀.yaml"])
    assert all(content == path.encode() for path, content in read)


def test_hidden_folders_are_left_out_and_hidden_files_are_the_callers_choice(tmp_path: Path) -> None:
    write(tmp_path, ".git/x.yaml", ".github/workflows/ci.yaml", "a/.venv/x.yaml", ".pre-commit-config.yaml", "a/b.yaml")
    assert [path for path, _ in WorkingTree(tmp_path).read(is_yaml)] == [".pre-commit-config.yaml", "a/b.yaml"]


def test_a_subfolder_keeps_whole_paths(tmp_path: Path) -> None:
    write(tmp_path, "live/a.yaml", "live/x/b.yaml", "paper/c.yaml")
    for spelling in ("live", "live/", "/live"):
        assert [path for path, _ in WorkingTree(tmp_path).read(is_yaml, spelling)] == ["live/a.yaml", "live/x/b.yaml"]
    for missing in ("nowhere", "live/a.yaml"):
        with pytest.raises(UsageError, match="is not a folder"):
            list(WorkingTree(tmp_path).read(is_yaml, missing))


def test_links_are_told_and_never_followed(tmp_path: Path) -> None:
    write(tmp_path, "real/a.yaml")
    for name, target in (
        ("loop.yaml", "loop.yaml"),
        ("out.yaml", "/etc/passwd"),
        ("folder.yaml", "real"),
        ("up", ".."),
    ):
        (tmp_path / name).symlink_to(target)
    read = dict(WorkingTree(tmp_path).read(is_yaml))
    link = EntryType.SYMLINK
    assert read.pop("real/a.yaml") == b"real/a.yaml"
    assert read == {"loop.yaml": link, "out.yaml": link, "folder.yaml": link, "up": link}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes in the file system")
def test_a_folder_named_like_a_file_and_a_pipe_are_harmless(tmp_path: Path) -> None:
    write(tmp_path, "x.yaml/inner.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    assert [path for path, _ in WorkingTree(tmp_path).read(is_yaml)] == ["x.yaml/inner.yaml"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are not UTF-8")
def test_a_name_that_is_not_utf8_can_be_printed(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.yaml")).write_bytes(b"1")
    assert list(WorkingTree(tmp_path).read(is_yaml)) == [(r"caf\xe9.yaml", b"1")]


def test_a_file_that_vanishes_while_it_is_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "b.yaml")
    stream = WorkingTree(tmp_path).read(is_yaml)
    next(stream)
    (tmp_path / "b.yaml").unlink()
    with pytest.raises(NeedsHuman, match=r"cannot read .*b\.yaml: no such file") as caught:
        next(stream)
    assert caught.value.hint


def test_the_root_is_the_nearest_folder_with_a_mark(tmp_path: Path) -> None:
    write(tmp_path, "repo/.git/HEAD", "repo/a/b/c.yaml", "repo/live/reconciler.yaml", "repo/live/users/x.yaml")
    repo = tmp_path / "repo"
    assert find_root(repo / "a/b") == repo
    assert find_root(repo / "a/b/c.yaml") == repo
    assert find_root(repo / "live/users") == repo / "live"
    assert find_root(repo) == repo
    (tmp_path / "linked").mkdir()
    write(tmp_path, "linked/.git", "linked/x/y.yaml")
    assert find_root(tmp_path / "linked/x") == tmp_path / "linked"
