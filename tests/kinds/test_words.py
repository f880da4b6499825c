"""Pointers and places."""

from __future__ import annotations

import pytest

from reconciler.kinds.kind import child, is_within, join, locate, split, value_at
from reconciler.model.problem import Mark


def test_pointers_escape_as_rfc_6901_says() -> None:
    tokens = ["a/b", "m~n", "~1", "", "0"]
    pointer = join(tokens)
    assert pointer == "/a~1b/m~0n/~01//0"
    assert split(pointer) == tokens
    assert child("", "x") == "/x"
    assert split("") == []


def test_values_by_pointer() -> None:
    root = {"a": [{"b": 1}], "": {"/": 2}}
    assert value_at(root, "") is root
    assert value_at(root, "/a/0/b") == 1
    assert value_at(root, "//~1") == 2
    for missing in ("/x", "/a/1", "/a/-1", "/a/b", "/a/0/b/c"):
        with pytest.raises(KeyError):
            value_at(root, missing)


def test_within_is_by_whole_tokens() -> None:
    assert is_within("/spec/a", "/spec")
    assert is_within("/spec", "/spec")
    assert not is_within("/specs", "/spec")
    assert not is_within("/spec", "/spec/a")


def test_the_place_of_what_is_not_there_is_the_nearest_key_around_it() -> None:
    marks = {"": Mark(2, 1), "/spec#": Mark(5, 1), "/spec": Mark(6, 3), "/spec/a": Mark(6, 6), "/spec/a#": Mark(6, 3)}
    assert locate(marks, "/spec/a") == Mark(6, 6)
    assert locate(marks, "/spec/a", of_key=True) == Mark(6, 3)
    assert locate(marks, "/spec/b", of_key=True) == Mark(5, 1)
    assert locate(marks, "/other/b") == Mark(2, 1)
    assert locate({}, "/spec") == Mark(1, 1)
