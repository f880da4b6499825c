"""Files that are hardly text at all: encodings, invisible characters, sizes and bombs."""

from __future__ import annotations

import codecs
import time

import pytest

from reconciler.decode.document import decode
from reconciler.decode.errors import MAX_BYTES, MAX_DEPTH, MAX_KEY, MAX_NODES, MAX_PROBLEMS, MAX_TOLD
from tests.support.cases import some

MEBI = 1024 * 1024


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + b"a: 1\nb:\n  c: x\n",
        b"a: 1\r\nb:\r\n  c: x\r\n",
        codecs.BOM_UTF8 + b"a: 1\r\nb:\r\n  c: 'x'",
    ],
    ids=["BOM", "CRLF", "both, no last line end"],
)
def test_a_byte_order_mark_and_crlf_are_fine(data: bytes) -> None:
    decoded = decode("f.yaml", data)
    assert decoded.problems == ()
    [document] = decoded.documents
    assert document.value == {"a": 1, "b": {"c": "x"}}
    places = {pointer: (mark.line, mark.column) for pointer, mark in document.marks.items()}
    assert places["/a#"] == (1, 1)
    assert places["/b/c"] == (3, 6)


@pytest.mark.parametrize(
    ("data", "place", "word"),
    [
        ("a: 1\n".encode("utf-16"), (1, 1), "UTF-16"),
        ("a: 1\n".encode("utf-16-be"), (1, 1), "UTF-16"),
        ("a: 1\n".encode("utf-16-le"), (1, 1), "UTF-16"),
        ("a: 1\n".encode("utf-32"), (1, 1), "UTF-32"),
        ("a: 1\nname: café\n".encode("cp1252"), (2, 10), "byte 0xE9"),
        (codecs.BOM_UTF8 + b"a: \xff", (1, 4), "byte 0xFF"),
        (b"a: \xed\xa0\x80\n", (1, 4), "not UTF-8"),
        (b"a: 1\nb: x\0y\n", (2, 5), "U+0000"),
        (b"a: 1\r\nb: \x07\r\n", (2, 4), "U+0007"),
        (b"a: \x7f\n", (1, 4), "U+007F"),
        ("é: \x9b\n".encode(), (1, 4), "U+009B"),
        ("a: x\x85b: 2\n".encode(), (1, 5), "end of a line"),
        ("a: x\u2028b: 2\n".encode(), (1, 5), "end of a line"),
        ("# ok\u202e\na: 1\n".encode(), (1, 5), "read differently"),
        ("a: \u2067x\n".encode(), (1, 4), "read differently"),
        ("a: 1\n\ufeffb: 2\n".encode(), (2, 1), "byte order mark"),
        ("\ufeff\ufeffa: 1\n".encode(), (1, 1), "byte order mark"),
        (b"a: 1\rb: 2\n", (1, 5), "carriage return"),
        (b"a: 1\r\r\nb: 2\n", (1, 5), "carriage return"),
        ("a: \uffff\n".encode(), (1, 4), "U+FFFF"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", (1, 1), "Git LFS"),
        (b"#" * (MAX_BYTES + 1), (1, 1), "1,048,577 bytes"),
    ],
)
def test_what_is_not_everyones_text_is_refused(data: bytes, place: tuple[int, int], word: str) -> None:
    decoded = decode("f.yaml", data)
    [problem] = decoded.problems
    assert decoded.documents == ()
    assert problem.code == "unsafe-yaml"
    assert (problem.line, problem.column) == place
    assert word in problem.message
    assert problem.hint


def test_marks_of_other_scripts_and_emoji_are_text() -> None:
    data = "a: שלום \u200f 😀 日本\nb: 1\n".encode()
    assert decode("f.yaml", data).problems == ()


def nested(levels: int) -> bytes:
    return b"a: " + b"[" * (levels - 1) + b"]" * (levels - 1) + b"\n"


def test_the_limit_of_depth() -> None:
    assert decode("f.yaml", nested(MAX_DEPTH)).problems == ()
    [problem] = decode("f.yaml", nested(MAX_DEPTH + 1)).problems
    assert "nested more than 64 levels" in problem.message


def test_the_limit_of_depth_counts_aliases() -> None:
    step = MAX_DEPTH // 2
    data = b"a: &a " + b"[" * step + b"]" * step + b"\nb: " + b"[" * step + b"*a" + b"]" * step + b"\n"
    [problem] = decode("f.yaml", data).problems
    assert "nested more than 64 levels" in problem.message


def test_the_limit_of_keys_and_values() -> None:
    fits = b"[" + b"a," * (MAX_NODES - 1) + b"]"
    assert decode("f.yaml", fits).problems == ()
    [problem] = decode("f.yaml", b"[" + b"a," * MAX_NODES + b"]").problems
    assert "more than 50,000 keys and values" in problem.message


def test_the_limit_of_a_key() -> None:
    assert decode("f.yaml", b"k" * MAX_KEY + b": 1").problems == ()
    [problem] = decode("f.yaml", b"? " + b"k" * (MAX_KEY + 1) + b"\n: 1").problems
    assert "more than 255 characters" in problem.message


def test_the_limit_of_problems() -> None:
    decoded = decode("f.yaml", b"a: 1\n" * (MAX_PROBLEMS * 2))
    assert len(decoded.problems) == MAX_PROBLEMS + 1
    assert any("more than 1,000 problems" in problem.message for problem in decoded.problems)


def deep_inside(values: str) -> bytes:
    """A list of values behind so many long keys that to say where one stands takes 15 KB."""
    key = "k" * MAX_KEY
    return f"{'{' + ': {'.join([key] * 60)}: [{values}]{'}' * 60}".encode()


@pytest.mark.parametrize("value", ["1:30", ".inf", '"\\0"', "!x a"])
def test_the_limit_of_places(value: str) -> None:
    decoded = decode("f.yaml", deep_inside(", ".join([value] * 1_000)))
    assert sum(problem.size for problem in decoded.problems) < MAX_TOLD * 1.1
    assert sum(len(pointer) for document in decoded.documents for pointer in document.ambiguous) < MAX_TOLD
    assert any("takes more than 1,000,000 characters" in problem.message for problem in decoded.problems)


def test_documents_before_a_limit_stay() -> None:
    decoded = decode("f.yaml", b"name: one\n---\n" + nested(500))
    assert [document.value for document in decoded.documents] == [{"name": "one"}]
    assert [problem.code for problem in decoded.problems] == ["unsafe-yaml"]


LAUGHS = b"a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (level, level, b",".join([b"*a%d" % (level - 1)] * 9)) for level in range(1, 12)
)
HOSTILE = {
    "10 MB": b"a" * (10 * MEBI),
    "billion laughs": LAUGHS,
    "one long text many times": b"a: &a ['" + b"x" * 500_000 + b"']\nb: [" + b",".join([b"*a"] * 20_000) + b"]\n",
    "flow lists": b"[" * MEBI,
    "flow mappings": b"{a: " * (MEBI // 4),
    "lists in one line": b"- " * (MEBI // 2),
    "complex keys": b"? " * (MEBI // 2),
    "10,000 levels of indentation": b"".join(b" " * level + b"a:\n" for level in range(1_400)),
    "closed 10,000 deep": b"[" * 10_000 + b"]" * 10_000,
    "many values": b"[" + b"a," * (MEBI // 2 - 2) + b"]",
    "many keys": b"".join(b"k%d:\n" % number for number in range(100_000)),
    "a key again and again": b"a: 1\n" * (MEBI // 5),
    "many documents": b"--- a\n" * (MEBI // 6),
    "many bare documents": b"a\n...\n" * (MEBI // 6),
    "many broken documents": b"---\n]\n" * (MEBI // 6),
    "many anchors": b"[" + b"".join(b"&a%d x," % number for number in range(80_000)) + b"]",
    "an endless text": b'a: "' + b"x\n" * (MEBI // 2 - 4),
    "an endless number": b"a: " + b"9" * (MEBI - 4),
    "an endless time": b"a: 1" + b":11" * (MEBI // 3 - 4) + b"z",
    "long pointers": b"".join(b" " * level + b"? " + b"k" * 250 + b"\n" + b" " * level + b":\n" for level in range(60))
    + b" " * 61
    + b"["
    + b"[],{}," * 20_000
    + b"]",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_settled_soon(data: bytes) -> None:
    """A generous limit, as machines vary and are busy: what these tests are about takes minutes or gigabytes."""
    start = time.process_time()
    decoded = decode("f.yaml", data)
    assert time.process_time() - start < 5
    assert decoded.problems or len(decoded.documents) == 1


@pytest.mark.parametrize("name", some(["many values", "many keys", "many documents", "many anchors"], 1))
def test_however_many_values_come_about_they_are_counted(name: str) -> None:
    assert "more than 50,000 keys and values" in decode("f.yaml", HOSTILE[name]).problems[-1].message


@pytest.mark.parametrize("name", ["billion laughs", "one long text many times"])
def test_aliases_are_weighed_before_they_are_expanded(name: str) -> None:
    decoded = decode("f.yaml", HOSTILE[name])
    assert "aliases" in decoded.problems[0].message
    assert decoded.documents == ()
