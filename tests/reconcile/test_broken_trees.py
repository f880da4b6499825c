"""Trees that git reads and would not have written: the commit is invalid, the next one without them goes live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.git.trees import SoundTree, read_tree
from tests.support import configs
from tests.support.daemons import running
from tests.support.gitrepo import GitRepo
from tests.support.laws import examples
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

FILE, LINK, FOLDER = b"100644", b"120000", b"40000"
ID = bytes(range(1, 21))


def make_tree(*entries: tuple[bytes, bytes, bytes]) -> bytes:
    """A tree object of modes, names and ids."""
    return b"".join(mode + b" " + name + b"\0" + oid for mode, name, oid in entries)


def of_names(*names: bytes) -> bytes:
    """Files of these names; folders, where a slash is behind them."""
    return make_tree(*((FOLDER if name.endswith(b"/") else FILE, name.removesuffix(b"/"), ID) for name in names))


FLAWS: dict[str, tuple[bytes, bytes, str]] = {
    "two of a name": (of_names(b"a", b"a"), b"a", "two entries have this name"),
    "a file and a folder of a name": (of_names(b"a", b"a.b", b"a/"), b"a", "two entries have this name"),
    "out of order": (of_names(b"b", b"a"), b"a", "the entries are not in order: this one comes after b"),
    "a folder out of order": (of_names(b"a/", b"a.b"), b"a.b", "the entries are not in order"),
    "dot": (of_names(b"."), b".", "an entry is named ., as no file"),
    "dots": (of_names(b"a", b".."), b"..", "an entry is named .., as no file"),
    "git": (of_names(b".git/"), b".git", "an entry is named .git"),
    "Git": (of_names(b".GiT"), b".GiT", "an entry is named .GiT"),
    "no name": (of_names(b""), b"", "an entry has no name"),
    "a slash": (of_names(b"a/b"), b"a/b", "has a slash in it"),
    "no mode": (make_tree((b"", b"a", ID)), b"a", "an entry has the mode , which there is not"),
    "a mode of letters": (make_tree((b"1abc44", b"a", ID)), b"a", "an entry has the mode 1abc44"),
    "a mode of nothing": (make_tree((b"000000", b"a", ID)), b"a", "an entry has the mode 000000"),
    "no object": (make_tree((FILE, b"a", bytes(20))), b"a", "an entry names no object"),
    "cut in an id": (of_names(b"a")[:-1], b"", "ends in the midst of an entry"),
    "cut in a name": (of_names(b"a") + b"100644 b", b"", "ends in the midst of an entry"),
    "no tree at all": (b"hello", b"", "ends in the midst of an entry"),
}
SOUND = {
    "nothing": b"",
    "files": of_names(b"a", b"a.b", b"b"),
    "folders": of_names(b"a.b", b"a/", b"a0", b"b/", b"c"),
    "odd names": of_names(b"\n", b" ", b"...", b".gitignore", b"\xff"),
    "modes of old": make_tree((b"100664", b"a", ID), (b"040000", b"b", ID), (LINK, b"c", ID), (b"160000", b"d", ID)),
    "spaces in an id": make_tree((FILE, b"a", b" " * 20), (FILE, b"b", b"\0 40000 x\0" * 2)),
}


@pytest.mark.parametrize("what", FLAWS)
def test_what_is_wrong_with_a_tree(what: str) -> None:
    raw, name, told = FLAWS[what]
    found = read_tree(raw, 20)
    assert not isinstance(found, SoundTree)
    assert found[0] == name
    assert told in found[1]


@pytest.mark.parametrize("what", SOUND)
def test_what_git_writes_is_sound(what: str) -> None:
    assert isinstance(read_tree(SOUND[what], 20), SoundTree)


NAMES = [b"%03d%s" % (number, end) for number in range(150) for end in (b"", b".y", b"/")]
ENTRIES = st.sets(st.sampled_from(NAMES), max_size=400)


@settings(max_examples=examples(60))
@given(ENTRIES, st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 450), st.booleans()), max_size=4))
def test_to_look_at_what_differs_is_to_look_at_all(old: set[bytes], edits: list[tuple[bytes, int, bool]]) -> None:
    """Edits put a name anywhere, or take one away: what comes of it is seldom a tree that git would write."""
    before = sorted({name.rstrip(b"/"): name for name in sorted(old)}.values())
    sound = read_tree(of_names(*before), 20)
    assert isinstance(sound, SoundTree)
    after = list(before)
    for name, place, is_new in edits:
        if is_new and place % 3:
            after = sorted({*after, name})
        elif is_new:
            after.insert(place % (len(after) + 1), name)
        elif after:
            del after[place % len(after)]
    whole, part = read_tree(of_names(*after), 20), read_tree(of_names(*after), 20, sound)
    assert isinstance(whole, SoundTree) == isinstance(part, SoundTree)
    if isinstance(whole, SoundTree) and isinstance(part, SoundTree):
        assert (whole.raw, whole.folders) == (part.raw, part.folders)
        ends = {len(of_names(*after[:count])) for count in range(len(after) + 1)}
        assert {0, len(part.raw)} <= set(part.cuts) <= ends
        assert part.cuts == sorted(part.cuts)


def test_trees_of_sha256() -> None:
    raw = make_tree((FILE, b"a", ID + ID[:12]), (FOLDER, b"b", b" " * 32))
    found = read_tree(raw, 32)
    assert isinstance(found, SoundTree)
    assert found.folders == {b"b": "20" * 32}
    assert read_tree(raw + raw, 32) == (b"a", "two entries have this name")


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({"users/alice.yaml": configs.user("alice", risk=1.0), "users/bob.yaml": configs.user("bob")})
    return repo


def store_tree(repo: GitRepo, *entries: tuple[bytes, bytes, str]) -> str:
    """The id of a tree of modes, names and ids, whatever git thinks of it."""
    raw = make_tree(*((mode, name, bytes.fromhex(oid)) for mode, name, oid in entries))
    return repo.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=raw)


def commit_tree(repo: GitRepo, tree: str) -> str:
    """A commit of a tree on main."""
    parent = repo.git("rev-parse", "main")
    people = "author A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000"
    sha = repo.raw_commit(f"tree {tree}\nparent {parent}\n{people}\n\nBad\n".encode())
    repo.git("update-ref", "refs/heads/main", sha)
    return sha


def store_file(repo: GitRepo, text: str) -> str:
    return repo.git("hash-object", "-w", "--stdin", stdin=text.encode())


def break_tree(repo: GitRepo, how: str) -> tuple[str, str]:
    """The id of a root tree in which something is broken, and the path of that."""
    alice, risky = (store_file(repo, configs.user("alice", risk=risk)) for risk in (1.0, 0.5))
    bob = store_file(repo, configs.user("bob"))
    users = repo.git("rev-parse", "main:users")
    names = ((FILE, b"alice.yaml", alice), (FILE, b"bob.yaml", bob))
    match how:
        case "two files":
            folder, path = store_tree(repo, names[0], (FILE, b"alice.yaml", risky), names[1]), "users/alice.yaml"
        case "out of order":
            folder, path = store_tree(repo, names[1], names[0]), "users/alice.yaml"
        case "dots":
            folder, path = store_tree(repo, (FOLDER, b"..", users), *names), "users/.."
        case "no name":
            folder, path = store_tree(repo, (FILE, b"", alice), *names), "users"
        case "a mode":
            folder, path = store_tree(repo, (b"1abc44", b"alice.yaml", alice), names[1]), "users/alice.yaml"
        case "no tree":
            folder, path = alice, "users"
        case "no file":
            folder, path = store_tree(repo, (FILE, b"alice.yaml", users), names[1]), "."
        case _:
            folder, path = (
                repo.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=b"hello"),
                "users",
            )
    if how == "two folders":
        return store_tree(repo, (FOLDER, b"users", users), (FOLDER, b"users", users)), "users"
    return store_tree(repo, (FOLDER, b"users", folder)), path


WAYS = ("two files", "out of order", "dots", "no name", "a mode", "no tree", "no file", "cut", "two folders")


@pytest.mark.parametrize("how", WAYS)
def test_the_commit_is_invalid_and_the_next_one_goes_live(repo: GitRepo, how: str) -> None:
    world = World(repo.path)
    world.sync()
    before = world.rows()
    tree, path = break_tree(repo, how)
    bad = commit_tree(repo, tree)
    result = world.attempt()
    assert [(one.code, one.path) for one in result.plan.problems] == [("broken-tree", path)]
    assert [one.code for one in world.between(f"{bad}~1", bad).problems] == ["broken-tree"]
    assert [one.code for one in world.ahead(bad).problems] == ["broken-tree"]
    assert world.rows() == before
    still = commit_tree(repo, tree)
    assert [one.code for one in world.attempt().plan.problems] == ["broken-tree"], "its tree is no better"
    mended = repo.git("rev-parse", f"{still}~2:users")
    commit_tree(repo, store_tree(repo, (FILE, b"README", store_file(repo, "x")), (FOLDER, b"users", mended)))
    assert not world.sync().plan.problems
    repo.commit({"users/alice.yaml": configs.user("alice", risk=0.25)})
    assert not world.sync().plan.problems
    anew = World(repo.path)
    anew.sync()
    assert anew.live() == world.live()
    assert len(world.rows()) == 2


@pytest.mark.slow
def test_a_daemon_fetches_what_is_broken_and_goes_on(repo: GitRepo, tmp_path: Path) -> None:
    with running(repo.path.as_uri(), tmp_path / "state", {"REPOSITORY_POLL_INTERVAL": "1s"}) as daemon:
        first = repo.git("rev-parse", "main")
        daemon.await_live(first)
        mended = repo.git("rev-parse", "main:users")
        for how in ("two files", "out of order", "dots", "two folders"):  # git serves no others
            bad = commit_tree(repo, break_tree(repo, how)[0])
            told = daemon.await_status(lambda status, bad=bad: (status["refused"] or {}).get("commit") == bad)
            assert {one["code"] for one in told["refused"]["problems"]} == {"broken-tree"}
            assert told["applied"]["commit"] == first
            first = commit_tree(
                repo, store_tree(repo, (FILE, how.encode(), store_file(repo, how)), (FOLDER, b"users", mended))
            )
            daemon.await_live(first)
