"""What a trader reads for the mistakes that people really make."""

from __future__ import annotations

import pytest

from reconciler.decode.document import decode


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a: 1\nb: 2\na: 3\n", ["a is there twice", "lines 1 and 3"]),
        (b"{a: 1, a: 2}\n", ["a is there twice", "on line 1"]),
        (b'path: "C:\\MT5\\new"\n', ["backslash", "without quotes or in single quotes"]),
        (b'path: "C:\\Users\\x"\n', ["backslash", "without quotes or in single quotes"]),
        (b"lot_size_value: .nan\n", [".nan is not a finite number"]),
        (b"lot_size_value: 1e400\n", ["1e400 is not a finite number"]),
        (b"spec:\n\ta: 1\n", ["a tab in the indentation", "use spaces"]),
        (b"note: risk: low\n", ["second colon", "put quotes around"]),
        (b"spec:\n  a: 1\n   b: 2\n", ["indented deeper"]),
        (b"spec:\n    a: 1\n  b: 2\n", ["column where no line above it does"]),
        (b"a: 1\nleverage 30\nb: 1\n", ["no `key: value`"]),
        (b"a: 'x\nb: 1\n", ["never closed"]),
        (b"a: 'it's'\n", ["more text after the end of the value", "written twice"]),
        (b"a: [1, 2\nb: 3\n", ["opened on line 1 is not closed"]),
        (b"a: `x`\n", ["cannot start with `", "put quotes around"]),
        (b"a: *.set\n", ["put quotes around text that starts with & or *"]),
        (b"a: &x 1\nb: &x 1\n", ["this anchor (&name) is there twice"]),
        (b"a: &x 1\nb: &x 1\n", ["first on line 1", "not every reader does"]),
        (b"a: 1\n: b\n", ["a key is missing before this colon"]),
        (b"- : b\n", ["a key is missing before this colon"]),
        (b"a: {: b}\n", ["a key is missing before this colon"]),
        (b"a: [:b]\n", ["starts with a colon", "put quotes around it"]),
        (b"%FOO bar\n---\na: 1\n", ["%FOO is no directive", "delete it"]),
        (b"# x\n...\n", ["a line of ... ends a document, and there is none above it"]),
        (b'a: {"b"\n  : 1}\n', ["not on one line"]),
        (b'a: "\\ud83d!"\n', ["half a character", "both of its escapes"]),
        (b"a: ! 12\n", ["the tag ! is not allowed"]),
        (b"a: {?b: 1}\n", ["a ? that begins a text", "put quotes around"]),
        (b"a: &b:c d\n", ["the name of an anchor (&)", "letters, digits, - and _"]),
        (b"a: &b x\nc: [*b?]\n", ["the name of an alias (*)"]),
        (b"a: >\n    \n  b\n", ["a blank line above this first line of a block text has more spaces"]),
        (b"a:\n|\n  b\n", ["is not indented deeper than the key or dash"]),
        (b"a: 'x'# y\n", ["a comment (#) begins without a space", "put a space before the #"]),
        (b"a: [1,\n2]\n", ["inside the [ opened on line 1", "not indented deeper", "indent it"]),
        (b"a: [\n\t1]\n", ["a tab in the indentation", "use spaces"]),
        (b"a: 1\n%YAML 1.2\n---\nb: 1\n", ["below a document that has not ended", "a line of ..."]),
        (b"a: |\n  x\n   ", ["ends in a block text with blanks and no line end", "delete these blanks"]),
        (b"a: !!python/object:os.system x\n", ["!!python/object:os.system is not allowed"]),
        (b"a: !secret x\n", ["the tag !secret is not allowed"]),
        (b"x: &x {a: 1}\ny:\n  <<: *x\n", ["merge key", "write the values out"]),
        (b"1: a\n", ["a key must be text: 1 is not", 'quote it: "1"']),
        (b"? \n: a\n", ["a key must be text, and this one is empty"]),
        (b"a: {{ x }}\n", ["not a list or a mapping", "put quotes around"]),
        (b"%YAML 1.2\n%YAML 1.2\n---\na: 1\n", ["duplicate %YAML directive"]),
        (b"a: !e!x y\n", ["a tag (!) that YAML does not know"]),
        (b"%TAG !e y\n---\na: 1\n", ["a line cannot start with %"]),
    ],
    ids=lambda value: value.decode().strip().replace("\n", "|") if isinstance(value, bytes) else "",
)
def test_the_first_message_and_hint_say(data: bytes, words: list[str]) -> None:
    problem = decode("f.yaml", data).problems[0]
    said = f"{problem.message} // {problem.hint}"
    for word in words:
        assert word in said
    assert not problem.message.endswith((".", "!"))


def test_a_merge_conflict_is_named_once_and_in_its_place() -> None:
    data = b"a: 1\n" + b"<" * 7 + b" HEAD\nb: 2\n" + b"=" * 7 + b"\nb: 3\n" + b">" * 7 + b" theirs\n---\nc: d: e\n"
    [problem] = decode("f.yaml", data).problems
    assert (problem.code, problem.line, problem.column) == ("yaml-syntax", 2, 1)
    assert "merge conflict" in problem.message


def test_problems_are_sorted_and_keep_their_lines_after_a_broken_document() -> None:
    data = b'a: .nan\n---\nb: "\\M"\n---\nc: 1\nc: 2\n---\nd: [\n---\ne: 1\n'
    decoded = decode("f.yaml", data)
    assert [(problem.line, problem.code) for problem in decoded.problems] == [
        (1, "not-finite"),
        (3, "yaml-syntax"),
        (6, "duplicate-key"),
        (9, "yaml-syntax"),
    ]
    assert [document.value for document in decoded.documents] == [{"a": None}, {"c": 1}, {"e": 1}]
    assert decoded.documents[2].marks["/e"].line == 10


def test_long_texts_are_shortened_in_messages() -> None:
    [problem] = decode("f.yaml", b"a: " + b"9" * 500).problems
    assert problem.code == "not-finite"
    assert len(problem.message) < 120


def test_of_a_repeated_key_the_first_value_stays_with_its_marks() -> None:
    [document] = decode("f.yaml", b"name: one\nname: 1:30\n").documents
    assert document.value == {"name": "one"}
    assert document.marks["/name"].line == 1
    assert document.ambiguous == {}


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"n: 1\n---\nn: 2\n---\nn: [\n---\nn: 4\n", [1, 2, 4]),
        (b"--- ]\n---\nn: 2\n", [2]),
        (b"n: 1\n---\nn: 'it's'\nx: 1\n---\nn: 3\n---\n}\n", [1, 3]),
    ],
)
def test_every_document_with_sound_syntax_is_there_once(data: bytes, names: list[int]) -> None:
    decoded = decode("f.yaml", data)
    assert [document.value for document in decoded.documents] == [{"n": name} for name in names]
    assert {problem.code for problem in decoded.problems} == {"yaml-syntax"}


def test_what_is_wrong_is_told_for_each_place_and_not_again_as_its_consequence() -> None:
    data = b"a: [1,\n2,\n3]\nb: [?x, c: d: e]\nf: 'x'# y\n"
    assert [(problem.line, problem.column) for problem in decode("f.yaml", data).problems] == [(2, 1), (4, 5)]
    assert [problem.line for problem in decode("f.yaml", data.replace(b": d: e", b"")).problems] == [2, 4, 5]
