"""Histories to survive: what real repositories hold that no tutorial shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git.repository import GitSource, open_repository
from reconciler.errors import NeedsHuman, UsageError
from reconciler.model.commit import EntryType
from tests.support.gitrepo import GitRepo, executable, submodule, symlink

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.commit import Commit


def only(source: GitSource, head: str = "main") -> Commit:
    """The one commit there is."""
    (delta,) = source.history(head)
    return delta.commit


def paths(source: GitSource) -> list[list[str]]:
    """The changed paths, commit by commit."""
    return [[change.path for change in delta.changes] for delta in source.history("main")]


def test_a_merge_shows_what_it_brought_to_its_first_parent_and_what_it_changed_itself(
    repo: GitRepo, source: GitSource
) -> None:
    base = repo.commit({"a.yaml": "1"})
    repo.commit({"b.yaml": "1"}, branch="side", parents=[base])
    repo.commit({"c.yaml": "1"})
    repo.merge("side", files={"evil.yaml": "1"})
    assert paths(source)[-1] == ["b.yaml", "evil.yaml"]
    assert sorted(map(tuple, paths(source))) == [("a.yaml",), ("b.yaml",), ("b.yaml", "evil.yaml"), ("c.yaml",)]


def test_an_octopus_merge_keeps_all_parents_in_order(repo: GitRepo, source: GitSource) -> None:
    base = repo.commit({"a.yaml": "1"})
    tips = [repo.commit({f"{name}.yaml": "1"}, branch=name, parents=[base]) for name in ("x", "y", "z")]
    repo.merge("x", "y", "z")
    *_, last = source.history("main")
    assert last.commit.parents == (base, *tips)
    assert [change.path for change in last.changes] == ["x.yaml", "y.yaml", "z.yaml"]


def test_two_roots_join(repo: GitRepo, source: GitSource) -> None:
    repo.commit({"a.yaml": "1"})
    other = repo.commit({"b.yaml": "1"}, branch="other", parents=[])
    repo.commit({"b.yaml": "1"}, parents=[repo.git("rev-parse", "main"), other])
    assert sorted(map(tuple, paths(source))) == [("a.yaml",), ("b.yaml",), ("b.yaml",)]


def test_empty_commits_reverts_of_reverts_and_a_hundred_in_a_second(repo: GitRepo, source: GitSource) -> None:
    with repo.bulk():
        for number in range(100):
            repo.commit({"a.yaml": str(number % 2)}, f"{number}", when=1_700_000_000)
        repo.commit({}, "Empty", when=1_700_000_000)
    deltas = list(source.history("main"))
    assert [delta.commit.message for delta in deltas] == [*map(str, range(100)), "Empty"]
    assert [len(delta.changes) for delta in deltas] == [1] * 100 + [0]
    assert len({change.blob for delta in deltas for change in delta.changes}) == 2


def test_odd_paths(repo: GitRepo, source: GitSource) -> None:
    names = [
        " lead and trail ", 'quo"te\'s', "tab\there", "line\nbreak\n", "émoji 🚀.yaml", "-rf", "*.yaml", ":(top)x",
        "Case.yaml", "case.yaml", "x.yaml/inner", "/".join(["d" * 200] * 20), "back\\slash", "=end", "\n=end\n",
    ]  # fmt: skip
    head = repo.commit({name: name for name in names})
    changes = {change.path: change.blob or "" for change in source.changes(None, head)}
    assert sorted(changes) == sorted(names)
    found = {change.path: change.blob or "" for change in source.files(head, names)}
    assert found == changes
    assert [content.decode() for _, content in source.blobs(changes[name] for name in names)] == names


def test_paths_that_are_not_utf8_get_texts_of_their_own(repo: GitRepo, source: GitSource) -> None:
    raw = [b"caf\xe9.yaml", rb"caf\xe9.yaml", rb"caf\x5cxe9.yaml", b"\xed\xa0\x80", rb"C:\x86", b"d\xff/\xfe.yaml"]
    head = repo.commit({name.decode(errors="surrogateescape"): name for name in raw})
    changes = source.changes(None, head)
    texts = [change.path for change in changes]
    assert len(set(texts)) == len(raw)
    assert r"caf\xe9.yaml" in texts
    assert r"d\xff/\xfe.yaml" in texts
    assert "".join(texts).encode()
    assert source.files(head, texts) == tuple(sorted(changes, key=lambda change: change.path))


def test_symlinks_submodules_and_executables(repo: GitRepo, source: GitSource) -> None:
    head = repo.commit(
        {"out.yaml": symlink("../../etc/passwd"), "loop.yaml": symlink("loop.yaml"), "run.yaml": executable("x: 1"),
         "sub": submodule("1" * 40), "plain.yaml": "x: 1", "lfs.yaml": "version https://git-lfs.github.com/spec/v1\n"}
    )  # fmt: skip
    types = {change.path: change.type for change in source.changes(None, head)}
    link, file = EntryType.SYMLINK, EntryType.FILE
    assert types == {
        "out.yaml": link, "loop.yaml": link, "run.yaml": file, "sub": EntryType.SUBMODULE, "plain.yaml": file,
        "lfs.yaml": file,
    }  # fmt: skip
    assert {change.path: change.type for change in source.files(head, types)} == types
    repo.commit({"sub": submodule("2" * 40)})
    assert [change.path for change in source.changes(head, "main")] == ["sub"]


def test_a_sha256_repository(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "long", object_format="sha256")
    first = repo.commit({"users/a.yaml": "1"})
    repo.commit({"b.yaml": "2"}, branch="side", parents=[first])
    repo.commit({"c.yaml": "3"})
    repo.merge("side")
    with open_repository(repo.path) as source:
        head = source.resolve("main")
        assert head is not None
        assert len(head) == 64
        assert len(list(source.history(head))) == 4
        (found,) = source.files(head, ["users/a.yaml"])
        assert list(source.blobs([found.blob or ""])) == [(found.blob, b"1")]
        assert len(source.changes(None, head)) == 3


def test_a_shallow_clone_starts_at_its_boundary(repo: GitRepo, tmp_path: Path) -> None:
    shas = [repo.commit({f"{number}.yaml": "1"}) for number in range(5)]
    repo.git("clone", "-q", "--depth=2", f"file://{repo.path}", str(tmp_path / "shallow"))
    with open_repository(tmp_path / "shallow") as source:
        deltas = list(source.history("HEAD"))
        assert source.is_shallow()
        assert [delta.commit.sha for delta in deltas] == shas[3:]
        assert deltas[0].commit.parents == ()
        assert len(deltas[0].changes) == 4
        assert source.height("HEAD") == 2
        for lacking in ("HEAD~2", shas[0], "v1"):
            with pytest.raises(UsageError, match="a shallow clone: its history was cut off") as told:
                source.resolve(lacking)
            assert told.value.hint == "git fetch --unshallow brings all of it"
    with open_repository(repo.path) as source:
        assert not source.is_shallow()


def test_a_partial_clone_needs_a_human_and_fetches_nothing(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"a.yaml": "1"})
    repo.git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "partial"
    repo.git("clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{repo.path}", str(clone))
    with open_repository(clone) as source:
        (delta,) = source.history("HEAD")
        blob = delta.changes[0].blob or ""
        with pytest.raises(NeedsHuman, match=blob) as caught:
            list(source.blobs([blob]))
        assert "clone again" in caught.value.hint
    assert not GitRepo(clone).git("cat-file", "--batch-check", "--batch-all-objects", "--unordered").count("blob")
    assert GitRepo(clone).git("cat-file", "blob", blob) == "1"  # git itself would have fetched it


def test_replaced_and_grafted_commits_are_told_as_they_are(repo: GitRepo, source: GitSource) -> None:
    first, second = repo.commit({"a.yaml": "1"}, "First"), repo.commit({"a.yaml": "2"}, "Second")
    third = repo.commit({"a.yaml": "3"}, "Third")
    repo.git("replace", second, first)
    (repo.path / ".git/info").mkdir(exist_ok=True)
    (repo.path / ".git/info/grafts").write_text(f"{third} {first}\n")
    assert [delta.commit.message for delta in source.history("main")] == ["First", "Second", "Third"]


def test_times_keep_their_zone(repo: GitRepo, source: GitSource) -> None:
    zone = timezone(-timedelta(hours=3, minutes=30))
    when = datetime(2024, 2, 29, 23, 59, 59, tzinfo=zone)
    repo.commit({}, when=when, authored=datetime(2099, 1, 1, tzinfo=UTC))
    commit = only(source)
    assert commit.committer.time == when
    assert commit.committer.time.utcoffset() == -timedelta(hours=3, minutes=30)
    assert commit.author.time == datetime(2099, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "message", "name"),
    [
        pytest.param(b"author Zo\xc3\xab <z@x> 1 +0000", "Gr\ufffd\ufffde\n", "Zoë", id="no encoding named"),
        pytest.param(b"encoding ISO-8859-1\nauthor Zo\xeb <z@x> 1 +0000", "Grüße\n", "Zoë", id="Latin-1"),
        pytest.param(b"encoding no-such\nauthor Zo\xc3\xab <z@x> 1 +0000", "Gr\ufffd\ufffde\n", "Zoë", id="unknown"),
        pytest.param(b"encoding utf-16\nauthor Zo\xc3\xab <z@x> 1 +0000", "Gr\ufffd\ufffde\n", "Zoë", id="no ASCII"),
        pytest.param(b"encoding zlib\nauthor Zo\xc3\xab <z@x> 1 +0000", "Gr\ufffd\ufffde\n", "Zoë", id="no text"),
    ],
)
def test_encodings(repo: GitRepo, source: GitSource, written: bytes, message: str, name: str) -> None:
    tree = repo.git("hash-object", "-t", "tree", "-w", "--stdin", stdin=b"")
    head = b"tree %s\n%s\ncommitter C <c@x> 1 +0000" % (tree.encode(), written)
    repo.raw_commit(head + b"\n\nGr\xfc\xdfe\n")
    assert (only(source).message, only(source).author.name) == (message, name)


def test_a_signature_is_seen_and_is_no_part_of_the_message(repo: GitRepo, source: GitSource) -> None:
    plain = repo.commit({"a.yaml": "1"})
    head, _, body = repo.git("cat-file", "commit", plain).encode().partition(b"\n\n")
    repo.raw_commit(head + b"\ngpgsig -----BEGIN SSH SIGNATURE-----\n \n U1NIU0lH\n -----END-----\n\n" + body)
    assert only(source).signed
    assert only(source).message == body.decode()
    assert not only(source, plain).signed


def test_an_empty_repository_has_an_unborn_branch(source: GitSource) -> None:
    assert source.head_branch() == "main"
    assert source.resolve("main") is None
    assert source.resolve("HEAD") is None
    assert source.resolve("other") is None
