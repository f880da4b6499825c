"""Working trees and indexes as git would commit them, one kind of file at a time."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git import committable
from reconciler.adapters.git.committable import StagedFiles, UncommittedFiles, WorkTree, find_work_tree
from reconciler.errors import TooLarge, UsageError
from reconciler.model.commit import EntryType, NotContent, RefusedFile
from reconciler.model.limits import Limits
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = b"a: 1\n"


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """A repository with one file of configuration and one of none."""
    repo = GitRepo.create(tmp_path / "desk")
    repo.commit({"a.yaml": FILE, "notes.txt": "words"})
    repo.checkout()
    return repo


def place_of(folder: Path) -> WorkTree:
    place = find_work_tree(folder)
    assert place is not None
    return place


def is_yaml(path: str) -> bool:
    return path.endswith((".yaml", ".yml"))


def files(repo: GitRepo, *given: str) -> dict[str, bytes | NotContent]:
    """The working tree."""
    return dict(UncommittedFiles(place_of(repo.path), given=given).read(is_yaml))


def staged(repo: GitRepo) -> dict[str, bytes | NotContent]:
    """The index."""
    return dict(StagedFiles(place_of(repo.path)).read(is_yaml))


def write(repo: GitRepo, **contents: bytes) -> None:
    """Files `NAME.yaml`; two underscores stand for a slash."""
    for name, content in contents.items():
        place = repo.path / f"{name.replace('__', '/')}.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def test_what_is_untracked_or_changed_counts_unless_it_is_ignored(repo: GitRepo) -> None:
    write(repo, a=b"a: 2\n", b=FILE, node_modules__p__x=FILE, deep__c=FILE)
    (repo.path / ".gitignore").write_text("node_modules/\n", encoding="utf-8")
    assert files(repo) == {"a.yaml": b"a: 2\n", "b.yaml": FILE, "deep/c.yaml": FILE}
    assert staged(repo) == {"a.yaml": FILE}
    (repo.path / "a.yaml").unlink()
    assert set(files(repo)) == {"b.yaml", "deep/c.yaml"}


def test_a_file_that_is_given_counts_although_it_is_ignored(repo: GitRepo) -> None:
    write(repo, drafts__x=FILE, drafts__y=FILE)
    (repo.path / ".git/info").mkdir(exist_ok=True)
    (repo.path / ".git/info/exclude").write_text("drafts/\n", encoding="utf-8")
    assert set(files(repo, "drafts/x.yaml", "a.yaml")) == {"a.yaml", "drafts/x.yaml"}


def test_repositories_and_work_trees_inside_are_named_once(repo: GitRepo) -> None:
    repo.git("worktree", "add", "-q", "--detach", "wt")
    inner = GitRepo.create(repo.path / "inner")
    inner.commit({"x.yaml": FILE})
    inner.checkout()
    GitRepo.create(repo.path / "empty")
    write(repo, empty__y=FILE)
    module = EntryType.SUBMODULE
    assert files(repo, "inner/x.yaml") == {"a.yaml": FILE, "wt": module, "inner": module, "empty": module}
    repo.git("-c", "advice.addEmbeddedRepo=false", "add", "inner")
    assert staged(repo) == {"a.yaml": FILE, "inner": module}
    assert files(repo)["inner"] is module


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_are_named_once_and_never_followed(repo: GitRepo, tmp_path: Path) -> None:
    write(repo, users__b=FILE)
    repo.git("add", "users")
    for name, target in {"up": "..", "out.yaml": "/etc/passwd", "desks": "users"}.items():
        (repo.path / name).symlink_to(target)
    link = EntryType.SYMLINK
    links = dict.fromkeys(("up", "out.yaml", "desks"), link)
    assert files(repo) == {"a.yaml": FILE, "users/b.yaml": FILE, **links}
    (repo.path / "users").rename(tmp_path / "users")
    (repo.path / "users").symlink_to(tmp_path / "users")
    assert files(repo) == {"a.yaml": FILE, "users": link, **links}
    repo.git("add", "--all")
    assert staged(repo) == {"a.yaml": FILE, "users": link, **links}


def test_filters_line_ends_and_encodings_are_those_of_the_commit(repo: GitRepo) -> None:
    attributes = "*.yaml text eol=crlf\nlfs.yaml filter=lfs\nwide.yaml working-tree-encoding=UTF-16\n"
    (repo.path / ".gitattributes").write_text(attributes, encoding="utf-8")
    repo.git("config", "filter.lfs.clean", "sed s/secret/pointer/")
    repo.git("config", "filter.lfs.required", "true")
    write(repo, b=b"b: 1\r\n", lfs=b"x: secret\r\n", wide="w: Δ\r\n".encode("utf-16"))
    told = {"a.yaml": FILE, "b.yaml": b"b: 1\n", "lfs.yaml": b"x: pointer\n", "wide.yaml": "w: Δ\n".encode()}
    assert files(repo) == told
    repo.git("add", "--all")
    assert staged(repo) == files(repo) == told


def test_a_filter_that_fails_is_told(repo: GitRepo) -> None:
    os.utime(repo.path / "a.yaml", (1e9, 1e9))
    repo.git("update-index", "-q", "--refresh")
    (repo.path / ".git/info").mkdir(exist_ok=True)
    (repo.path / ".git/info/attributes").write_text("*.yaml filter=gone\n", encoding="utf-8")
    repo.git("config", "filter.gone.clean", "no-such-program-anywhere")
    repo.git("config", "filter.gone.required", "true")
    assert files(repo) == {"a.yaml": FILE}, "it runs for what changed only"
    write(repo, a=b"a: 2\n", wide="w: 1\n".encode("utf-16"), more=b"b: 1\n")
    (repo.path / ".gitattributes").write_text("wide.yaml working-tree-encoding=UTF-16BE\n", encoding="utf-8")
    (repo.path / ".git/info/attributes").write_text("a.yaml filter=gone\n", encoding="utf-8")
    told = files(repo)
    assert told.pop("a.yaml") == RefusedFile("clean filter 'gone' failed")
    assert "BOM is prohibited in 'wide.yaml'" in told.pop("wide.yaml").reason  # type: ignore[union-attr]
    assert told == {"more.yaml": b"b: 1\n"}


def test_of_many_files_that_git_refuses_the_rest_is_not_asked_about(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committable, "MAX_REFUSED", 2)
    (repo.path / ".gitattributes").write_text("b*.yaml filter=gone\n", encoding="utf-8")
    repo.git("config", "filter.gone.clean", "false")
    repo.git("config", "filter.gone.required", "true")
    write(repo, **{f"b{number}": b"b: 1\n" for number in range(5)})
    told = files(repo)
    assert all(isinstance(told[f"b{number}.yaml"], RefusedFile) for number in range(5))
    assert told["a.yaml"] == FILE
    assert told["b4.yaml"] == committable.NOT_ASKED


def test_attributes_name_a_filter_but_never_a_program(repo: GitRepo) -> None:
    write(repo, a=b"a: 2\n")
    (repo.path / ".gitattributes").write_text("*.yaml filter=touch\n", encoding="utf-8")
    assert files(repo) == {"a.yaml": b"a: 2\n"}


def test_no_hook_and_no_monitor_runs(repo: GitRepo, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path.as_posix()}/ran'\n", encoding="utf-8")
    program.chmod(0o755)
    repo.git("config", "core.fsmonitor", str(program))
    (repo.path / ".git/hooks").mkdir(exist_ok=True)
    for hook in ("post-index-change", "pre-commit", "fsmonitor-watchman"):
        (repo.path / ".git/hooks" / hook).write_bytes(program.read_bytes())
        (repo.path / ".git/hooks" / hook).chmod(0o755)
    write(repo, a=b"a: 2\n", b=FILE)
    assert (set(files(repo)), set(staged(repo))) == ({"a.yaml", "b.yaml"}, {"a.yaml"})
    assert not (tmp_path / "ran").exists()


def test_a_sparse_checkout_and_flags_of_the_index_leave_files_in_the_commit(repo: GitRepo) -> None:
    repo.commit({"users/b.yaml": FILE, "desks/c.yaml": FILE, "d.yaml": FILE})
    repo.checkout()
    repo.git("sparse-checkout", "set", "users")
    assert not (repo.path / "desks").exists()
    repo.git("update-index", "--assume-unchanged", "d.yaml")
    write(repo, d=b"mine: 1\n")
    whole = dict.fromkeys(("a.yaml", "users/b.yaml", "desks/c.yaml", "d.yaml"), FILE)
    assert files(repo) == staged(repo) == whole


def test_intentions_and_conflicts_are_no_part_of_a_commit(repo: GitRepo) -> None:
    write(repo, new=FILE)
    repo.git("add", "--intent-to-add", "new.yaml")
    blob = repo.git("rev-parse", "HEAD:a.yaml")
    repo.git("update-index", "--force-remove", "a.yaml")
    repo.git("update-index", "--index-info", stdin=f"100644 {blob} 2\ta.yaml\n100644 {blob} 3\ta.yaml\n".encode())
    assert staged(repo) == {"a.yaml": EntryType.UNMERGED}
    assert files(repo) == {"a.yaml": FILE, "new.yaml": FILE}


def test_a_folder_of_a_repository_has_paths_of_its_own(repo: GitRepo) -> None:
    write(repo, live__users__b=FILE, paper__c=FILE)
    repo.git("add", "live")
    place = place_of(repo.path / "live")
    assert (
        dict(UncommittedFiles(place).read(is_yaml)) == dict(StagedFiles(place).read(is_yaml)) == {"users/b.yaml": FILE}
    )
    place = place_of(repo.path)
    for tree in (UncommittedFiles(place), StagedFiles(place)):
        assert dict(tree.read(is_yaml, "live/")) == {"live/users/b.yaml": FILE}
        assert tree.files(["live/users/b.yaml", "a.yaml", "gone.yaml"]) == {"live/users/b.yaml": FILE, "a.yaml": FILE}
        with pytest.raises(UsageError):
            list(tree.read(is_yaml, "nowhere"))


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_names_are_those_of_the_commit(repo: GitRepo) -> None:
    names = ("-n.yaml", "q\"u'o.yaml", "new\nline.yaml", "ta\tb.yaml", os.fsdecode(b"caf\xe9.yaml"), r"b\xe9.yaml")
    for name in names:
        (repo.path / name).write_bytes(FILE)
    told = {*names[:4], r"caf\xe9.yaml", r"b\x5cxe9.yaml"}
    assert set(files(repo)) == {"a.yaml", *told}
    assert set(UncommittedFiles(place_of(repo.path)).files(told)) == told
    repo.git("add", "--all")
    assert set(staged(repo)) == {"a.yaml", *told}


def test_a_hook_is_told_of_the_index_in_force(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    write(repo, a=b"a: 2\n", b=FILE)
    repo.git("add", "b.yaml")
    env: Mapping[str, str] = {"GIT_INDEX_FILE": str(repo.path / ".git/next-index-1.lock")}
    repo.git("read-tree", "HEAD", env=env)
    repo.git("add", "a.yaml", env=env)
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/next-index-1.lock")
    assert set(staged(repo)) == {"a.yaml", "b.yaml"}, "not in another repository"
    monkeypatch.chdir(repo.path)
    assert staged(repo) == {"a.yaml": b"a: 2\n"}


def test_too_much_is_not_read(repo: GitRepo) -> None:
    write(repo, b=FILE, c=FILE)
    with pytest.raises(TooLarge, match="paths"):
        list(UncommittedFiles(place_of(repo.path), Limits(paths=2)).read(is_yaml))
    (repo.path / "b.yaml").write_bytes(b"#" * (1 << 20) + b"\n")
    for tree in (
        UncommittedFiles(place_of(repo.path), Limits(yaml_mb=1)),
        StagedFiles(place_of(repo.path), Limits(yaml_mb=1)),
    ):
        with pytest.raises(TooLarge, match="1 MB"):
            list(tree.read(is_yaml))
        repo.git("add", "b.yaml")


def test_a_folder_without_a_repository_has_none(repo: GitRepo, tmp_path: Path) -> None:
    assert find_work_tree(tmp_path) is None
    assert find_work_tree(repo.path / ".git") is None
    (tmp_path / "odd/.git").mkdir(parents=True)
    assert find_work_tree(tmp_path / "odd") is None


def test_a_linked_work_tree_has_its_own_index(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    linked = GitRepo(tmp_path / "linked")
    write(linked, b=FILE)
    linked.git("add", "b.yaml")
    assert staged(linked) == files(linked) == {"a.yaml": FILE, "b.yaml": FILE}
    assert staged(repo) == {"a.yaml": FILE}


def test_another_object_format_and_a_split_index(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / 's:p,l"it', object_format="sha256")
    repo.commit({"a.yaml": FILE})
    repo.checkout()
    repo.git("update-index", "--split-index")
    write(repo, a=b"a: 2\n", b=FILE)
    repo.git("add", "b.yaml")
    before = {place.name for place in (repo.path / ".git").iterdir()}
    assert files(repo) == {"a.yaml": b"a: 2\n", "b.yaml": FILE}
    assert staged(repo) == {"a.yaml": FILE, "b.yaml": FILE}
    assert {place.name for place in (repo.path / ".git").iterdir()} == before


def test_what_was_changed_within_the_same_moment_is_noticed(repo: GitRepo) -> None:
    """Git trusts sizes and times, unless they are as young as the index: its copy has to be as old."""
    repo.git("config", "core.checkStat", "minimal")
    repo.git("config", "core.trustctime", "false")
    write(repo, a=b"a: 3\n")
    index, file = repo.path / ".git/index", repo.path / "a.yaml"
    now = index.stat().st_mtime_ns - 10_000_000_000
    repo.git("add", "a.yaml")
    os.utime(file, ns=(now, now))
    repo.git("update-index", "-q", "--refresh")
    file.write_bytes(b"a: 4\n")
    os.utime(file, ns=(now, now))
    os.utime(index, ns=(now, now))
    assert files(repo) == {"a.yaml": b"a: 4\n"}
