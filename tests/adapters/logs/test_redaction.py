"""No secret in a file, on a console or in an error's text, however it got there."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.adapters.log import Redactor
from tests.adapters.logs.conftest import Opened
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=4).filter(lambda one: "*" not in one)
AROUND = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield str(value)


@settings(max_examples=examples(60))
@given(SECRETS, AROUND, AROUND)
@example('pass"word\\\n', "", "")
@example("p@ss wörd/äöü", "url://", "@host")
@example("12345678", "", "")
@example("Said", "", "")
def test_a_secret_is_nowhere(secret: str, before: str, after: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        opened = Opened(Path(folder))
        text = f"{before}{secret}{after}"
        with opened.log:
            opened.log.redactor.add(secret)
            try:
                raise ValueError(text, {"login": secret})
            except ValueError as error:
                opened.log.events.event(
                    "Said", text, error=error, deep={"a": [text, {text: text}]}, url=f"http://u:{quote(secret, '')}@h"
                )
        (line,) = (json.loads(one) for one in opened.log.file.read_text(encoding="utf-8").splitlines())
        given = [line["message"], line["url"], *_leaves(line["deep"]), line["exception"].splitlines()[-1]]
        assert [text for text in given if secret in text and text != "a"] == []
        assert quote(secret, safe="") not in line["url"]


def test_a_number_may_be_a_secret(opened: Opened) -> None:
    opened.log.redactor.add("12345678")
    opened.log.events.event("Said", code=12345678, other=123)
    assert (opened.lines()[0]["code"], opened.lines()[0]["other"]) == ("***", 123)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fetch https://user:pw@host/x failed", "fetch https://***@host/x failed"),
        ("https://ghp_token@github.com/a/b", "https://***@github.com/a/b"),
        ("clickhouse://default:p@ss@db:8123/x", "clickhouse://***@db:8123/x"),
        ("redis://:pw@127.0.0.1:6379", "redis://***@127.0.0.1:6379"),
        ("ssh://git@host/desk.git", "ssh://git@host/desk.git"),
        ("ssh://git:pw@host/desk.git", "ssh://***@host/desk.git"),
        ("https://host/x?access_token=abc&page=2", "https://host/x?access_token=***&page=2"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***"),
        ("{'authorization': 'Basic dXNlcjpwdw=='}", "{'authorization': 'Basic ***'}"),
        ("mail maren@desk.example about https://host/a@b", "mail maren@desk.example about https://host/a@b"),
        ("two https://a:b@c and https://d:e@f", "two https://***@c and https://***@f"),
        ("nothing here: 1:30, a=b", "nothing here: 1:30, a=b"),
    ],
)
def test_credentials_are_known_by_their_place(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


@pytest.mark.parametrize("spell", [quote, quote_plus, partial(quote, safe=""), repr, json.dumps, ascii])
def test_a_secret_is_known_in_other_spellings(spell: Callable[[str], str]) -> None:
    secret = 'pä/ss "wörd"\\n + x'
    if spell is ascii:
        secret = secret.replace("ä", "a").replace("ö", "o")
    told = Redactor([secret]).text(f"with {spell(secret)} inside")
    assert told.replace("'", "").replace('"', "") == "with *** inside"


def test_the_longer_secret_goes_first() -> None:
    assert Redactor(["token", "token-and-more"]).text("token-and-more, token") == "***, ***"


def test_no_secret_is_no_pattern() -> None:
    assert Redactor([""]).text("as it is") == "as it is"


def test_half_a_secret_is_not_left_by_cutting(opened: Opened) -> None:
    opened.log.redactor.add("s3cr3t" * 10)
    opened.log.events.event("Long", "a" * 8170 + "s3cr3t" * 10 + "b" * 20_000)
    assert "s3cr3t" not in opened.lines()[0]["message"]
