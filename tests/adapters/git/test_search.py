"""Lines and paths of a whole tree: whatever paths and lines hold, each stays in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.git.repository import open_repository
from tests.support.gitrepo import GitRepo, symlink

if TYPE_CHECKING:
    from pathlib import Path

ODD = {
    "plain.yaml": b"kind: A\nname: ann\n",
    "a: b.yml": b"kind: B",
    "line\nbreak.yaml": b"kind: C\r\nkind: D",
    "deep/er/\xfc.yaml": b"kind: \xff\0: E\n",
    'deep/"x\\x41".yaml': b"\nkind: F\n",
    "deep/KIND.yaml": b"Kind: G\n kind: H\n",
    "notes.txt": b"kind: I\n",
}


def test_each_line_is_told_with_its_path(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path)
    commit = repo.commit(ODD)
    with open_repository(tmp_path) as source:
        found = sorted(source.grep(commit, "", ["^kind:", "a[n]n"]))
        below = sorted(source.grep(commit, "deep/er", ["^kind:"]))
    assert found == [
        ("a: b.yml", "kind: B"),
        ('deep/"x\\x41".yaml', "kind: F"),
        ("deep/er/ü.yaml", "kind: \udcff\0: E"),
        ("line\nbreak.yaml", "kind: C\r"),
        ("line\nbreak.yaml", "kind: D"),
        ("plain.yaml", "kind: A"),
        ("plain.yaml", "name: ann"),
    ]
    assert below == [("deep/er/ü.yaml", "kind: \udcff\0: E")]


def test_all_paths_are_those_that_differ_from_nothing(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path)
    plain = repo.commit({"a.yaml": "a", "deep/b.yaml": "b", "link.yaml": symlink("a.yaml")})
    odd = repo.commit({**ODD, "deep/\udcff.yaml": "c", r"deep/\xff.yaml": "d"})
    with open_repository(tmp_path) as source:
        for commit in (plain, odd):
            assert sorted(source.paths(commit)) == sorted(one.path for one in source.changes(None, commit))
            assert len(source.paths(commit)) == {plain: 3, odd: 12}[commit]
