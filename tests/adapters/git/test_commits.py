"""Commit objects as bytes: what can stand in them, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.adapters.git.queries import LAST, parse_commit, tree_id

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TREE = b"tree " + b"1" * 40


def raw(author: bytes) -> bytes:
    """A commit object with this author line."""
    return TREE + b"\n" + author + b"\ncommitter C <c@x> 0 +0000\n\nText\n"


@pytest.mark.parametrize(
    ("line", "name", "email", "time"),
    [
        (b"author A B <a@b> 60 +0000", "A B", "a@b", EPOCH + timedelta(minutes=1)),
        (b"author A <> 60 +0000", "A", "", EPOCH + timedelta(minutes=1)),
        (b"author  <a@b> 60 +0000", "", "a@b", EPOCH + timedelta(minutes=1)),
        (b"author <a@b> 60 +0000", "", "a@b", EPOCH + timedelta(minutes=1)),
        (b"author A <a@b> <c@d> 60 +0000", "A", "a@b", EPOCH + timedelta(minutes=1)),
        (b"author A <a@b>", "A", "a@b", EPOCH),
        (b"author A <a@b> soon", "A", "a@b", EPOCH),
        (b"author A without address", "A without address", "", EPOCH),
        (b"author A <a@b> -5 +0000", "A", "a@b", EPOCH),
        (b"author A <a@b> 99999999999999999999 +0000", "A", "a@b", datetime.fromtimestamp(LAST, UTC)),
        (b"author A <a@b> 60 +9999", "A", "a@b", EPOCH + timedelta(minutes=1)),
        (b"author A <a@b> 60 -0000", "A", "a@b", EPOCH + timedelta(minutes=1)),
        (b"x-nothing here", "", "", EPOCH),
    ],
)
def test_people(line: bytes, name: str, email: str, time: datetime) -> None:
    author = parse_commit("f" * 40, (), raw(line)).author
    assert (author.name, author.email, author.time) == (name, email, time)
    assert author.time.tzinfo is not None


def test_zones() -> None:
    author = parse_commit("f" * 40, (), raw(b"author A <a@b> 0 +0545")).author
    assert author.time.isoformat() == "1970-01-01T05:45:00+05:45"


def test_the_latest_time_fits_both_databases() -> None:
    assert datetime.fromtimestamp(LAST, UTC) == datetime(2261, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_long_texts_lose_their_middle() -> None:
    """Nobody reads a name of a megabyte, and each page of the log would bring it."""
    line = b"author " + b"N" * 1_000_000 + b"E <" + b"e" * 1_000_000 + b"> 60 +0000"
    read = parse_commit("f" * 40, (), raw(line) + b"x" * 10_000_000 + b"\n\nReconciler-Approve: prune\n")
    assert len(read.author.name) < 1_100
    assert read.author.name.endswith("E")
    assert read.author.time == EPOCH + timedelta(minutes=1)
    assert len(read.message) < 1_001_000
    assert read.message.startswith("Text\n")
    assert "characters left out" in read.message
    assert read.approves("prune")


def test_no_message_and_a_message_with_headers_in_it() -> None:
    bare = parse_commit("f" * 40, (), TREE + b"\nauthor A <a@b> 0 +0000\ncommitter C <c@x> 0 +0000\n")
    assert bare.message == ""
    assert bare.committer.name == "C"
    tricky = parse_commit("f" * 40, (), raw(b"author A <a@b> 0 +0000") + b"\nauthor Z <z@z> 5 +0000\ngpgsig x\n")
    assert tricky.author.name == "A"
    assert not tricky.signed


def test_a_merged_tags_signature_is_not_the_commits() -> None:
    merged = b"author A <a@b> 0 +0000\nmergetag object 1\n type commit\n gpgsig no\n author X <x@x> 9 +0000"
    commit = parse_commit("f" * 40, (), raw(merged))
    assert not commit.signed
    assert commit.author.name == "A"


def test_a_nul_and_lone_surrogates_do_not_reach_the_stores() -> None:
    commit = parse_commit("f" * 40, (), raw(b"author A <a@b> 0 +0000") + b"\0\xed\xa0\x80")
    assert "\0" not in commit.message
    assert commit.message.encode()


def test_the_tree_is_the_first_line() -> None:
    assert tree_id(raw(b"author A <a@b> 0 +0000")) == "1" * 40
