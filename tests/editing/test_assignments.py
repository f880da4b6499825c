"""What people type as a value: YAML of the type that the schema wants."""

from __future__ import annotations

import pytest

from reconciler.editing.assignments import make_edit, parse_assignments
from reconciler.errors import UsageError
from tests.format.orders import ORDER

READ = (
    ("Account", "leverage=50", "spec.leverage", 50, "50"),
    ("Account", "spec.leverage= 0x1F", "spec.leverage", 31, "0x1F"),
    ("Account", "commission=2.50", "spec.commission", 2.5, "2.50"),
    ("Account", "commission=6,5", "spec.commission", "6,5", "'6,5'"),
    ("Account", "currency_pair=on", "spec.currency_pair", "on", "'on'"),
    ("Account", "currency_pair=#US30", "spec.currency_pair", "#US30", "'#US30'"),
    ("Account", "currency_pair='#US30'", "spec.currency_pair", "#US30", "'#US30'"),
    ("Account", "currency_pair=EUR # x", "spec.currency_pair", "EUR # x", "'EUR # x'"),
    ("Account", "labels.a.b/c=1", "metadata.labels.a.b/c", "1", "'1'"),
    ("Account", "annotations.note=a: b", "metadata.annotations.note", "a: b", "'a: b'"),
    ("Account", "refs.broker=ostrin", "metadata.refs.broker", "ostrin", "ostrin"),
    ("Account", "name=other", "metadata.name", "other", "other"),
    ("Account", "metadata.name=other", "metadata.name", "other", "other"),
    ("Account", "status-", "spec.status", None, None),
    ("Account", "new={a: 1,b:  [x]}", "spec.new", {"a": 1, "b": ["x"]}, "{a: 1, b: [x]}"),
    ("Signal", "refs.users=a,b", "metadata.refs.users", ["a", "b"], "[a, b]"),
    ("Signal", "refs.users=a", "metadata.refs.users", ["a"], "[a]"),
)
UNREADABLE = (
    ("leverage=", "no value"),
    ("leverage=*x", "alias"),
    ("leverage=&a 5", "no value"),
    ("leverage=!!int 5", "tag"),
    ("leverage=.inf", "finite"),
    ("leverage=5 # five", "no value"),
    ("leverage=1\n2", "line break"),
    ("=1", "no field"),
    ("labels.=1", "no field"),
)


@pytest.mark.parametrize(("kind", "word", "field", "value", "text"), READ)
def test_a_word_is_a_field_and_its_value(kind: str, word: str, field: str, value: object, text: str | None) -> None:
    (edit,) = parse_assignments(ORDER.kinds.by_name[kind], [word])
    assert (".".join(edit.keys), edit.value, edit.text, edit.ambiguous) == (field, value, text, False)


@pytest.mark.parametrize(("word", "why"), UNREADABLE)
def test_what_is_no_value_is_not_guessed(word: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_assignments(ORDER.kinds.by_name["Account"], [word])


def test_a_field_has_one_value() -> None:
    account = ORDER.kinds.by_name["Account"]
    for words in (["leverage=1", "spec.leverage=2"], ["new.a=1", "new={b: 1}"]):
        with pytest.raises(UsageError, match="twice"):
            parse_assignments(account, words)
    assert len(parse_assignments(account, ["new.a=1", "new.b=1"])) == 2


def test_values_of_programs_become_edits_as_well() -> None:
    account = ORDER.kinds.by_name["Account"]
    assert make_edit(account, "currency_pair", "1:30").text == "'1:30'"
    assert make_edit(account, "labels.desk", None) == parse_assignments(account, ["labels.desk-"])[0]
