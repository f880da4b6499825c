"""Where values and keys stand."""

from __future__ import annotations

import pytest

from reconciler.decode.document import decode
from reconciler.model.problem import Mark

TEXT = b"""\
# a comment
metadata:
  name: x
  refs:
    users: [a, bb]
"a/b~c": 1:30
empty:
"""


@pytest.mark.parametrize(
    ("pointer", "line", "column"),
    [
        ("", 2, 1),
        ("/metadata#", 2, 1),
        ("/metadata", 3, 3),
        ("/metadata/name#", 3, 3),
        ("/metadata/name", 3, 9),
        ("/metadata/refs/users", 5, 12),
        ("/metadata/refs/users/1", 5, 16),
        ("/a~1b~0c#", 6, 1),
        ("/a~1b~0c", 6, 10),
        ("/empty", 7, 7),
    ],
)
def test_places(pointer: str, line: int, column: int) -> None:
    [document] = decode("f.yaml", TEXT).documents
    assert document.marks[pointer] == Mark(line, column)


@pytest.mark.parametrize(
    "pointer", ["#", "metadata", "/nothing", "/metadata/refs/users/2", "/metadata/refs/users/0#", "/"]
)
def test_what_is_not_there_has_no_place(pointer: str) -> None:
    [document] = decode("f.yaml", TEXT).documents
    with pytest.raises(KeyError):
        document.marks[pointer]
    assert document.marks.get(pointer) is None


@pytest.mark.parametrize(
    ("data", "column"), [(b"{a: 1}", 2), (b"&x\na: 1", 1), (b"--- {a: 1}", 6), (b"[a]", 1), (b"  text", 3), (b"{}", 1)]
)
def test_the_root_starts_at_its_first_key(data: bytes, column: int) -> None:
    [document] = decode("f.yaml", data).documents
    assert document.marks[""].column == column


def test_marks_of_a_later_document_count_from_the_start_of_the_file() -> None:
    first, second = decode("f.yaml", b"a: 1\n---\n\nb: 2\n").documents
    assert set(first.marks) == {"", "/a#", "/a"}
    assert second.marks["/b#"] == Mark(4, 1)


def test_an_alias_inside_its_own_anchor_has_marks_and_they_end() -> None:
    [document] = decode("f.yaml", b"a: &x [1, *x]\n").documents
    assert list(document.marks) == ["", "/a#", "/a", "/a/0", "/a/1"]
