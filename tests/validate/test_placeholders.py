"""Placeholders: what new files are made with is found, and what people mean is left alone."""

from __future__ import annotations

from reconciler.decode.document import decode
from reconciler.scaffold import sample as samples
from reconciler.validate import placeholders
from reconciler.validate.placeholders import find_placeholders, is_placeholder, may_hold_placeholder
from tests.docs.markdown import EXAMPLE
from tests.kinds.loading import example
from tests.validate.samples import CASES
from tests.validate.wrapping import TEXT, described, load_schema, with_part

WRITTEN = {*placeholders.TEXTS, *placeholders.KEYS, *placeholders.FORMATS.values()}
LONG = {(text * 200)[:length] for text in placeholders.TEXTS[:6] for length in range(9, 60)}
OF_PEOPLE = ("TODO", "FIXME", "TBD", "replace-me", "REPLACE_ME", "fill-me-in", "<name>", "<your broker>", "<symbol-1>")
IN_LONGER = (r"C:\\MT5\\CHANGE-ME", "CHANGE-ME.r", "change me", "Change-Me", "change-me-2")
REAL = (
    "EURUSD", "exchange-member", "interchange-media", "exchangeme", "changement", "todo", "TODOS", "X", "", "0", "<>",
    "a < b", "<ops@desk.example>", "example.com", "desk@example.com", "https://example.com/", "192.0.2.10", "??",
    "00000000-0000-0000-0000-000000000001", "name", "xxx", "test", "None", "tbd", "caldervale-eu", "N/A", "FILL",
)  # fmt: skip
LABELS = ("TODO", "<name>", "fill-me-in")


def test_placeholders() -> None:
    texts = {*WRITTEN, *LONG, *OF_PEOPLE, *IN_LONGER}
    assert [text for text in sorted(texts) if not (is_placeholder(text) and may_hold_placeholder(text.encode()))] == []


def test_what_people_mean() -> None:
    assert [text for text in REAL if is_placeholder(text)] == []
    assert [text for text in LABELS if is_placeholder(text, is_free=True)] == []


def test_all_that_new_files_are_made_with_is_either_or() -> None:
    formats = {*samples.FORMATS.values()} - {*placeholders.FORMATS.values()}
    assert not [text for text in (*formats, *samples.LAST_TEXTS) if is_placeholder(text)]
    assert not [key for key in samples.KEYS if is_placeholder(key) != (key in placeholders.KEYS)]


def found(text: str) -> list[tuple[int, int, str]]:
    problems = find_placeholders("x.yaml", decode("x.yaml", text.encode()), example())
    return [(one.line, one.column, one.pointer) for one in problems]


def test_where() -> None:
    assert found(
        """kind: Account
metadata:
  name: change-me
  labels: {change-me: TODO, desk: CHANGE-ME}
  refs: {broker: <broker>, user: [TODO]}
spec:
  currency_pair: "CHANGE-ME"
  nonsense: {list: [1, FIXME]}
---
kind: Nothing
spec: {a: CHANGE-ME}
"""
    ) == [
        (3, 9, "/metadata/name"),
        (4, 12, "/metadata/labels/change-me"),
        (4, 35, "/metadata/labels/desk"),
        (5, 18, "/metadata/refs/broker"),
        (5, 35, "/metadata/refs/user/0"),
        (7, 18, "/spec/currency_pair"),
        (8, 24, "/spec/nonsense/list/1"),
    ]


def test_a_word_that_the_schema_lists_is_none() -> None:
    kinds, problems = load_schema(with_part(TEXT, described({"type": "string", "enum": ["TODO", "DONE"]})))
    assert problems == ()
    for word, number in (("TODO", 0), ("FIXME", 1)):
        text = f"kind: Desk\nmetadata: {{name: x}}\nspec: {{some_text: {word}}}\n"
        assert len(find_placeholders("x.yaml", decode("x.yaml", text.encode()), kinds)) == number


def test_they_are_not_without_number() -> None:
    assert len(found("kind: Account\nspec: [" + "TODO, " * 5000 + "]")) == placeholders.MAX_OF_FILE


def test_no_real_file_has_any() -> None:
    files = [*EXAMPLE.rglob("*.yaml"), *(CASES / "positive").glob("*.yaml")]
    assert len(files) > 100
    assert [file.name for file in files if found(file.read_text(encoding="utf-8"))] == []
