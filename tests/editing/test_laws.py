"""Properties: an edit says what was asked for, and leaves every line alone that has nothing to do with it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reconciler.decode.document import decode
from reconciler.editing.text import Edit, edit_text
from reconciler.errors import RefusedError
from reconciler.scaffold.yamltext import write_value
from tests.format.orders import ORDER
from tests.format.test_laws import COMMENT
from tests.format.writing import files
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VALUES = st.sampled_from([1, 0.5, True, None, "x", "1:30", "a: b # c", "", [], ["one", 2], {"k": 1}, {"k": {"l": "é"}}])
NEW = st.sampled_from(["status", "leverage", "new", "labels", "a b", "1"])
ABSENT = "nothing"


def paths(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The keys that lead to each member of a mapping, those in lists left out."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*above, key)
            yield from paths(below, (*above, key))


def find(value: Any, edit: Edit) -> Any:
    for key in edit.keys:
        if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return ABSENT
    return value


def dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def own_comments(lines: Sequence[bytes]) -> Counter[str]:
    """The comments that have a line of their own."""
    return Counter(text for line in lines if COMMENT.fullmatch(text := line.decode().strip()))


def is_part(some: Sequence[bytes], lines: Sequence[bytes]) -> bool:
    """Whether some lines are among others in the same order."""
    rest = iter(lines)
    return all(line in rest for line in some)


@st.composite
def edits(draw: st.DrawFn) -> tuple[bytes, int, int, Edit]:
    """A file, the number and line of one of its documents, and an edit of that."""
    text, _ = draw(files())
    data = text.encode()
    decoded = decode("f.yaml", data)
    mappings = [at for at, one in enumerate(decoded.documents) if isinstance(one.value, dict) and one.value]
    # Without a line end, a block text at the end would get one with whatever comes behind it
    assume(not decoded.problems and mappings and text.endswith("\n"))
    number = draw(st.sampled_from(mappings))
    document = decoded.documents[number]
    keys = draw(st.sampled_from([(), *paths(document.value)]))
    if not keys or draw(st.booleans()):
        keys = (*keys, *draw(st.lists(NEW, min_size=1, max_size=2)))
    value = draw(VALUES)
    edit = Edit(keys) if keys[1:] and draw(st.booleans()) else Edit(keys, value, write_value(value))
    return data, number, document.marks[""].line, edit


@settings(max_examples=examples(80, quick=15))
@given(edits())
def test_an_edit_says_what_was_asked_for_and_no_more(drawn: tuple[bytes, int, int, Edit]) -> None:
    data, number, line, edit = drawn
    before = decode("f.yaml", data).documents
    try:
        after = edit_text("f.yaml", data, line, [edit], ORDER)
    except RefusedError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:  # a comment below what goes may become a line of the block text above it
        assert "without changing more" not in refusal or b"|" in data or b">" in data
        return
    documents = decode("f.yaml", after).documents
    for at, (one, other) in enumerate(zip(before, documents, strict=True)):
        assert at == number or dumps(one.value) == dumps(other.value)
    assert dumps(find(documents[number].value, edit)) == dumps(ABSENT if edit.text is None else edit.value)
    assert edit_text("f.yaml", after, line, [edit], ORDER) == after
    old, new = data.split(b"\n"), after.split(b"\n")
    assert own_comments(old) <= own_comments(new)
    if len(new) > len(old) and find(before[number].value, edit) == ABSENT:
        assert is_part(old, new)
    if len(new) < len(old) and edit.text is None and len(find(before[number].value, Edit(edit.keys[:-1]))) > 1:
        assert is_part(new, old)
