"""Histories as git's other commands tell them: any graph of commits, streamed, must say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.git.repository import GitSource, open_repository
from reconciler.model.commit import EntryType, FileChange
from reconciler.model.limits import Limits
from tests.support.gitrepo import GitRepo, symlink
from tests.support.laws import examples

if TYPE_CHECKING:
    from reconciler.model.commit import CommitDelta

PATHS = ["a.yaml", "b.yaml", "users/a.yaml", 'users/Ü \n"x".yaml', "a.yaml.d/deep/er.yaml"]
CONTENTS = st.sampled_from(["1", "2", None, symlink("a.yaml")])
COMMITS = st.fixed_dictionaries(
    {
        "parents": st.lists(st.integers(1, 4), max_size=3, unique=True),
        "files": st.dictionaries(st.sampled_from(PATHS), CONTENTS, max_size=3),
        "when": st.integers(0, 4_000_000_000),
        "message": st.sampled_from(["", "One line", "Two\n\nparagraphs\n", "  spaces and \ttabs \n\n\n"]),
    }
)
TYPES = {"120000": EntryType.SYMLINK, "160000": EntryType.SUBMODULE}
FORMAT = "%H%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B"


def build(repo: GitRepo, commits: list[dict[str, Any]]) -> list[str]:
    """Make the commits; parents are given as how far back they stand."""
    shas: list[str] = []
    with repo.bulk():
        for number, commit in enumerate(commits):
            parents = [shas[number - back] for back in commit["parents"] if back <= number]
            text = f"{number} {commit['message']}"  # so that no two are the same object
            shas.append(repo.commit(commit["files"], text, when=commit["when"], parents=parents))
    return shas


def tree(repo: GitRepo, sha: str | None) -> dict[str, FileChange]:
    """What a commit's tree holds, from `git ls-tree`."""
    if sha is None:
        return {}
    entries = (line.split("\t", 1) for line in repo.git("ls-tree", "-r", "-z", sha).split("\0") if line)
    fields = ((path, *header.split()) for header, path in entries)
    return {path: FileChange(path, oid, TYPES.get(mode, EntryType.FILE)) for path, mode, _, oid in fields}


def difference(old: dict[str, FileChange], new: dict[str, FileChange]) -> set[FileChange]:
    """The changes from one tree to another, found without git."""
    gone = {FileChange(path, None) for path in old.keys() - new.keys()}
    return gone | {entry for path, entry in new.items() if old.get(path) != entry}


def told(delta: CommitDelta) -> list[str]:
    """A commit's values in the order of FORMAT."""
    commit = delta.commit
    people = (
        text
        for person in (commit.author, commit.committer)
        for text in (person.name, person.email, str(int(person.time.timestamp())))
    )
    return [commit.sha, " ".join(commit.parents), *people, commit.message]


@settings(max_examples=examples(25))
@given(commits=st.lists(COMMITS, min_size=1, max_size=9))
def test_any_history_is_what_other_git_commands_say(
    commits: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    repo = GitRepo.create(tmp_path_factory.mktemp("dag"))
    shas = build(repo, commits)
    head, earlier = shas[-1], shas[len(shas) // 2]
    trees = {sha: tree(repo, sha) for sha in shas}
    with open_repository(repo.path) as source:
        deltas = list(source.history(head))
        seen: set[str] = set()
        for delta in deltas:
            assert seen.issuperset(delta.commit.parents)
            seen.add(delta.commit.sha)
            first = delta.commit.parents[0] if delta.commit.parents else None
            assert len(delta.changes) == len(set(delta.changes))
            assert set(delta.changes) == difference(trees[first] if first else {}, trees[delta.commit.sha])
        logged = repo.git("log", "-z", f"--format={FORMAT}", head, "--").split("\0")
        lines = [logged[at : at + 9] for at in range(0, len(logged) - 8, 9)]
        assert sorted(map(told, deltas)) == sorted(lines)
        assert len(deltas) == repo.rev_count(head)

        newer = set(repo.git("rev-list", head, f"^{earlier}").split())
        assert {delta.commit.sha for delta in source.history(head, known=earlier)} == newer
        assert source.parents(head, known=earlier).keys() == newer
        assert source.parents(head) == {delta.commit.sha: delta.commit.parents for delta in deltas}
        assert source.height(head) == len(repo.git("rev-list", "--first-parent", head).split())
        assert set(source.changes(earlier, head)) == difference(trees[earlier], trees[head])
        assert set(source.changes(head, earlier)) == difference(trees[head], trees[earlier])
        assert set(source.changes(None, head)) == set(trees[head].values())
        assert set(source.files(head, [*PATHS, "nowhere", "users", ""])) == set(trees[head].values())


def test_a_difference_does_not_colour_the_next_one(repo: GitRepo, source: GitSource) -> None:
    first, second = repo.commit({"a.yaml": "1"}), repo.commit({"a.yaml": "2", "b.yaml": "1"})
    for _ in range(2):
        assert [change.path for change in source.changes(second, first)] == ["a.yaml", "b.yaml"]
        assert [change.path for change in source.changes(first, second)] == ["a.yaml", "b.yaml"]
        assert [change.path for change in source.changes(None, first)] == ["a.yaml"]
        assert source.changes(first, first) == ()
        sizes = [len(delta.changes) for delta in source.history(second)]
        assert sizes == [1, 2]


def test_what_was_compared_last_is_known_of_the_parent_alone(repo: GitRepo, source: GitSource) -> None:
    commits = [repo.commit({f"{number}.yaml": "1"}) for number in range(3)]
    told_anew = list(source.history(commits[2]))[2]
    for old in (*commits[:2], None):
        source.changes(old, commits[2])
        assert list(source.history(commits[2], known=commits[1])) == [told_anew]
        assert len(list(source.history(commits[2], known=commits[0]))) == 2


def test_a_commit_is_compared_with_one_whose_text_is_too_long_for_git(repo: GitRepo) -> None:
    """git reads both commits to find their trees, and may not allocate what the text takes: no fault of their files."""
    shas = [
        repo.commit({"a.yaml": "1"}, "x" * 5_000_000),
        repo.commit({"a.yaml": "2"}, "Name <a@b>" * 500_000),
        repo.commit({}, "Nothing"),
    ]
    with open_repository(repo.path, limits=Limits(paths=1)) as source:
        assert [[change.path for change in source.changes(shas[0], sha)] for sha in shas[1:]] == [["a.yaml"]] * 2
        assert [-1 if delta.changes is None else len(delta.changes) for delta in source.history("main")] == [1, 1, 0]
        assert not source.changes(shas[1], shas[2])
        repo.commit({f"{number}.yaml": "1" for number in range(9)})
        assert [delta.changes is None for delta in source.history("main")] == [False, False, False, True]


@pytest.mark.parametrize("text", ["short", "x" * 5_000_000], ids=["short", "too-long-for-git"])
def test_paths_are_counted_to_the_limit(text: str, repo: GitRepo) -> None:
    """Whether commits or, for their text, only their trees can be compared."""
    repo.commit({"a.yaml": "1"}, text)
    repo.commit({f"{number}.yaml": "1" for number in range(7)}, text)
    repo.commit({f"more-{number}.yaml": "1" for number in range(8)}, text)
    with open_repository(repo.path, limits=Limits(paths=7)) as source:
        found = [delta.changes and len(delta.changes) for delta in source.history("main")]
    assert found == [1, 7, None]


def test_a_type_change_comes_as_the_new_type(repo: GitRepo, source: GitSource) -> None:
    repo.commit({"a.yaml": "1"})
    repo.commit({"a.yaml": symlink("b.yaml")})
    repo.commit({"a.yaml": None})
    kinds = [(change.type, change.blob is None) for delta in source.history("main") for change in delta.changes]
    assert kinds == [(EntryType.FILE, False), (EntryType.SYMLINK, False), (EntryType.FILE, True)]


def test_a_branch_that_moves_on_is_seen_by_an_open_source(repo: GitRepo, source: GitSource) -> None:
    first = repo.commit({"a.yaml": "1"})
    assert source.resolve("main") == first
    assert len(list(source.history("main"))) == 1
    second = repo.commit({"a.yaml": "2"})
    repo.git("gc", "--quiet", "--prune=now")
    third = repo.commit({"a.yaml": "3"})
    assert source.resolve("main") == third
    assert [delta.commit.sha for delta in source.history("main", known=first)] == [second, third]
    assert dict(source.blobs(change.blob or "" for change in source.changes(first, third))).values()


def test_blobs_come_in_the_order_asked_for_and_as_often(repo: GitRepo, source: GitSource) -> None:
    big = "x" * 3_000_000
    repo.commit({"a": "", "b": big, "c": "two\nlines\n", "d": b"\0\xff"})
    ids = {change.path: change.blob or "" for change in source.changes(None, "main")}
    asked = [ids[name] for name in "dbacbda" * 30]
    contents = {ids["a"]: b"", ids["b"]: big.encode(), ids["c"]: b"two\nlines\n", ids["d"]: b"\0\xff"}
    assert [blob for blob, content in source.blobs(asked) if content == contents[blob]] == asked


def test_a_listing_holds_what_stands_directly_in_a_folder(repo: GitRepo, source: GitSource) -> None:
    head = repo.commit(
        {"top.yaml": "0", "schemas/b.json": "1", "schemas/a.json": "2", "schemas/old/c.json": "3", "schemas.json": "4",
         "schemas/l.json": symlink("a.json"), "x/y/z.json": "5"}
    )  # fmt: skip
    listed = source.listing(head, "schemas")
    assert [change.path for change in listed] == ["schemas/a.json", "schemas/b.json", "schemas/l.json"]
    assert [change.type for change in listed] == [EntryType.FILE, EntryType.FILE, EntryType.SYMLINK]
    assert [content for _, content in source.blobs(change.blob or "" for change in listed)] == [b"2", b"1", b"a.json"]
    assert [change.path for change in source.listing(head, "")] == ["schemas.json", "top.yaml"]
    assert [change.path for change in source.listing(head, "x/y/")] == ["x/y/z.json"]
    for nothing in ("nowhere", "top.yaml", "schemas/l.json", "x\ny", "x/y/z.json/w"):
        assert source.listing(head, nothing) == ()
