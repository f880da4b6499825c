"""Edits of one document: what is written in the place of what, and what only a person can edit."""

from __future__ import annotations

import pytest

from reconciler.editing.assignments import parse_assignments
from reconciler.editing.text import edit_text
from reconciler.errors import RefusedError
from tests.format.orders import ORDER

ACCOUNT = ORDER.kinds.by_name["Account"]
HEAD = "# head\napiVersion: reconciler/v1\nkind: Account\n"
CASES = {
    "a value keeps its comment": (
        "spec:\n  leverage: 100  # low\n  status: ACTIVE\n",
        ["leverage=50"],
        "spec:\n  leverage: 50  # low\n  status: ACTIVE\n",
    ),
    "a value in quotes": (
        "spec: {leverage: '100' , status: X}\n",
        ["leverage=50"],
        "spec: {leverage: 50 , status: X}\n",
    ),
    "a value on a line of its own": (
        "spec:\n  leverage:\n    # why\n    100\n",
        ["leverage=50"],
        "spec:\n  leverage:\n    # why\n    50\n",
    ),
    "nothing": (
        "spec:\n  leverage:  # none\n  status: X\n",
        ["leverage=50"],
        "spec:\n  leverage: 50  # none\n  status: X\n",
    ),
    "text that looks like something else": (
        "spec:\n  currency_pair: X\n",
        ["currency_pair=1:30"],
        "spec:\n  currency_pair: '1:30'\n",
    ),
    "what is ambiguous stays so": ("spec:\n  leverage: 30\n", ["leverage=1:30"], "spec:\n  leverage: 1:30\n"),
    "a block text": (
        "spec:\n  currency_pair: |-  # odd\n    EUR\n\n    USD\n\n  # next\n  status: X\n",
        ["currency_pair=EURUSD"],
        "spec:\n  currency_pair: EURUSD  # odd\n\n  # next\n  status: X\n",
    ),
    "a new field comes where the formatter puts it": (
        "spec:\n  commission: 7.0  # lot\n    # deeper\n  # of status\n  status: X\n",
        ["leverage=50"],
        "spec:\n  commission: 7.0  # lot\n    # deeper\n  leverage: 50\n  # of status\n  status: X\n",
    ),
    "the first field": (
        "spec:\n  # of status\n  status: X\n",
        ["leverage=50"],
        "spec:\n  leverage: 50\n  # of status\n  status: X\n",
    ),
    "a first label": (
        "metadata:\n  name: a\n  refs: {broker: b}\nspec: {}\n",
        ["labels.desk=fx"],
        "metadata:\n  name: a\n  labels:\n    desk: fx\n  refs: {broker: b}\nspec: {}\n",
    ),
    "a label with dots": (
        "metadata:\n  labels:\n    b: x\n",
        ["labels.a.b/c=1"],
        "metadata:\n  labels:\n    b: x\n    a.b/c: '1'\n",
    ),
    "labels that are there and empty": (
        "metadata:\n  labels:\n  name: a\n",
        ["labels.desk=fx"],
        "metadata:\n  labels:\n    desk: fx\n  name: a\n",
    ),
    "labels in empty brackets": ("metadata:\n  labels: {}\n", ["labels.desk=fx"], "metadata:\n  labels: {desk: fx}\n"),
    "in brackets, in order": (
        "spec: {commission: 7.0, status: X}\n",
        ["leverage=50", "account_id=a"],
        "spec: {account_id: a, commission: 7.0, leverage: 50, status: X}\n",
    ),
    "a field left out": (
        "spec:\n  leverage: 1  # gone\n  # stays\n  status: X\n",
        ["leverage-"],
        "spec:\n  # stays\n  status: X\n",
    ),
    "the last label": ("metadata:\n  labels:\n    desk: fx\n  name: a\n", ["labels.desk-"], "metadata:\n  name: a\n"),
    "the only field": ("spec:\n  status: X\n", ["status-"], "spec: {}\n"),
    "left out in brackets": ("spec: {leverage: 1, status: X}\n", ["leverage-"], "spec: {status: X}\n"),
    "the last in brackets": ("spec: {leverage: 1, status: X}\n", ["status-"], "spec: {leverage: 1}\n"),
    "what is not there": ("spec:\n  status: X\n", ["leverage-", "labels.x-"], "spec:\n  status: X\n"),
    "an alias": (
        "x: &a 5\nspec:\n  leverage: *a  # same\n",
        ["leverage=50"],
        "x: &a 5\nspec:\n  leverage: 50  # same\n",
    ),
    "an anchor that nothing uses": ("spec:\n  leverage: &a 100\n", ["leverage=50"], "spec:\n  leverage: 50\n"),
    "one of two equal numbers is not touched": (
        "spec:\n  commission: 7.00\n",
        ["commission=7"],
        "spec:\n  commission: 7.00\n",
    ),
    "the items that stay": (
        "spec:\n  list:\n  - a  # one\n  # of b\n  - b\n  - c  # three\n",
        ["list=[a, c, d]"],
        "spec:\n  list:\n  - a  # one\n  # of b\n  - c  # three\n  - d\n",
    ),
    "a list in brackets": ("spec:\n  list: [a,  b]  # two\n", ["list=[a,c]"], "spec:\n  list: [a, c]  # two\n"),
    "members of a mapping that stay": (
        "spec:\n  limits:\n    gold: 5.00  # five\n    oil: 1\n",
        ["limits={gold: 5, gas: 2}"],
        "spec:\n  limits:\n    gold: 5.00  # five\n    gas: 2\n",
    ),
    "a member": (
        "spec:\n  limits:\n    gold: 5\n",
        ["limits.gold=6", "limits.oil.max=1"],
        "spec:\n  limits:\n    gold: 6\n    oil:\n      max: 1\n",
    ),
}
REFUSED = {
    "a shared value": ("a: &x 5\nspec:\n  status: &y X\n  leverage: *y\n", "status=Z", ":6:11: spec.status"),
    "inside of a shared mapping": ("a: &x {k: 1}\nspec:\n  limits: *x\n", "limits.k=2", ":4:4: spec.limits.k"),
    "comments in brackets": ("spec:\n  list: [a,  # one\n    b]\n", "list=[c]", ":5:9: spec.list"),
    "no mapping": ("spec:\n  status: X\n", "status.x=1", ":5:11: spec.status.x"),
}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("case", CASES)
def test_an_edit_changes_one_span(case: str, ends: str) -> None:
    before, words, after = CASES[case]
    other = "---\nkind: Other\nleverage: 7   # two\n"
    text, wanted = ((f"{HEAD}{part}{other}".replace("\n", ends)).encode() for part in (before, after))
    assert edit_text("f.yaml", text, 2, parse_assignments(ACCOUNT, words), ORDER).decode() == wanted.decode()


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_shared_or_cannot_be_told_apart_is_refused(case: str) -> None:
    text, word, place = REFUSED[case]
    with pytest.raises(RefusedError, match=place):
        edit_text("f.yaml", f"{HEAD}{text}".encode(), 2, parse_assignments(ACCOUNT, [word]), ORDER)


def test_a_file_without_a_last_line_end_keeps_lacking_it() -> None:
    text = f"{HEAD}spec:\n  commission: 7.0"
    after = edit_text("f.yaml", text.encode(), 2, parse_assignments(ACCOUNT, ["leverage=50"]), ORDER)
    assert after.decode() == f"{text}\n  leverage: 50"


def test_what_an_edit_would_change_beside_itself_keeps_it_from_being_made() -> None:
    text = f"{HEAD}spec:\n  currency_pair: |\n    EUR\n  status: X\n    # becomes text\n"
    with pytest.raises(RefusedError, match="without changing more"):
        edit_text("f.yaml", text.encode(), 2, parse_assignments(ACCOUNT, ["status-"]), ORDER)


def test_the_second_of_two_documents() -> None:
    text = f"{HEAD}spec:\n  leverage: 1\n---\n{HEAD}spec:\n  leverage: 1\n"
    after = edit_text("f.yaml", text.encode(), 8, parse_assignments(ACCOUNT, ["leverage=2"]), ORDER)
    assert after.decode() == text[: text.rindex("1")] + "2\n"
