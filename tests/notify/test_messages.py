"""What people read: who, what, why and what to do, within each receiver's limits, with nothing that it would obey."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.receiver import Topic
from reconciler.notify.messages import (
    DISCORD_LIMIT,
    MAX_TEXT,
    TELEGRAM_LIMIT,
    Origin,
    message_title,
    telegram_text,
    utf16_length,
    webhook_body,
)
from reconciler.notify.outbox import Message
from reconciler.notify.transitions import CommitInfo, Transition
from tests.support.standings import NOON

A, B = "a" * 40, "b" * 40
ORIGIN = Origin("vps-ldn-01", "git.example/desk", "main", "https://git.example/desk/commit/{sha}", "http://desk:8642")
HOSTILE = "<!channel> @everyone </b><script> \x1b[2J\u202e &amp;\nSecond line"


def live(number: int = 0, **more: Any) -> Transition:
    commits = (CommitInfo(A, "Cut risk on the majors", "Ann Lee"),)
    given: dict[str, Any] = {"commits": commits, "message": "1 created", "commit": A, "live": A, "base": B}
    return Transition(topic=Topic.LIVE, at=NOON + timedelta(seconds=number), **given | more)


def message(*transitions: Transition, dropped: int = 0) -> Message:
    return Message("m-1", NOON, transitions, dropped)


def test_a_commit_that_went_live() -> None:
    assert telegram_text(message(live()), ORIGIN).splitlines() == [
        "<b>vps-ldn-01: aaaaaaaa is live</b>",
        "Cut risk on the majors (Ann Lee)",
        "1 created",
        f"https://git.example/desk/commit/{A}",
    ]


def test_a_refusal_says_what_stays_live_and_what_to_do() -> None:
    refused = Transition(
        topic=Topic.REFUSED,
        at=NOON,
        commit=B,
        live=A,
        reason="wrong-type",
        details=("u.yaml:3: no number [wrong-type]",),
        omitted=2,
        hint="mend it",
    )
    assert telegram_text(message(refused), ORIGIN).splitlines()[:-1] == [
        "<b>vps-ldn-01: bbbbbbbb is refused; aaaaaaaa stays live</b>",
        "  u.yaml:3: no number [wrong-type]",
        "  and 2 more",
        "To do: mend it",
    ]


def test_fifty_commits_are_one_message() -> None:
    commits = tuple(CommitInfo(f"{number:040x}", f"Change {number}", "Ann") for number in range(50))
    (text,) = [telegram_text(message(live(commits=commits)), ORIGIN)]
    assert "with 49 commits before it:" in text
    assert "and 40 more" in text
    many = message(*(live(number) for number in range(50)), dropped=7)
    assert message_title(many, ORIGIN) == "vps-ldn-01: 50 commits went live, the newest is aaaaaaaa"
    assert "(37 earlier changes left out)" in telegram_text(many, ORIGIN)
    assert len(json.loads(webhook_body(many, ORIGIN))["events"]) == 50


def test_the_json_is_as_the_page_says() -> None:
    told = json.loads(webhook_body(message(live()), ORIGIN))
    assert (told["schema"], told["version"], told["id"]) == ("reconciler/notification", 1, "m-1")
    assert (told["host"], told["repository"], told["branch"]) == ("vps-ldn-01", "git.example/desk", "main")
    (event,) = told["events"]
    assert (event["type"], event["live"]) == ("live", A)
    url = f"https://git.example/desk/commit/{A}"
    assert event["commit"] == {"sha": A, "subject": "Cut risk on the majors", "author": "Ann Lee", "url": url}


def test_nothing_that_others_wrote_is_obeyed() -> None:
    hostile = live(commits=(CommitInfo(A, HOSTILE, HOSTILE),), message=HOSTILE, hint=HOSTILE)
    told = json.loads(webhook_body(message(hostile), ORIGIN))
    assert not re.search("[<>]", told["text"])
    assert told["allowed_mentions"] == {"parse": []}
    text = telegram_text(message(hostile), ORIGIN)
    assert re.findall("<[^>]*>", text) == ["<b>", "</b>"]
    assert not re.search("[\x1b\u202e]", text + told["text"] + told["content"])


@pytest.mark.parametrize(
    "text",
    [
        "@channel @all @here @everyone",
        "mail ann@example.com",
        "#general ~town-square /kick ann !here",
        "**bold** _it_ ~~gone~~ ||hidden||",
        "[sign in](https://evil.example) [x][y]",
        "``` open fence",
        "an ` open span",
        "# heading",
        "> quoted",
    ],
)
def test_a_subject_calls_nobody_and_is_shown_as_it_is(text: str) -> None:
    hostile = live(commits=(CommitInfo(A, text, text),), message=text, details=(text,))
    told = json.loads(webhook_body(message(hostile), ORIGIN))
    for shown in (told["text"], told["content"]):
        assert not re.search(r"@\w|(^|\s)[#~/!]\w|\*\*|\*\w|~~|\|\||\]\(|\]\[|```|^[>#]", shown, re.MULTILINE)
        assert shown.count("`") % 2 == 0
    assert not re.search(r"@\w|(^|\s)[#/]\w", telegram_text(message(hostile), ORIGIN), re.MULTILINE)
    assert told["events"][0]["commit"]["subject"] == text


def test_what_is_plain_stays_as_it_is() -> None:
    text = "Set max_open_trades to 3 in users/ann.yaml:12 with `lot_size_value: 0.5` (1:30, C:\\MT5, 50 %)"
    hint = live(message=text, hint="run `reconciler resume`", details=(text,))
    for shown in (json.loads(webhook_body(message(hint), ORIGIN))["text"], telegram_text(message(hint), ORIGIN)):
        assert shown.splitlines()[2] == text
        assert "To do: run `reconciler resume`" in shown


TEXTS = st.text(max_size=60) | st.sampled_from(["é" * 5000, "🙂" * 5000, "<" * 5000, HOSTILE])


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(list(Topic)), TEXTS, st.lists(TEXTS, max_size=4)), min_size=1, max_size=30))
def test_every_message_fits(parts: list[Any]) -> None:
    transitions = [
        Transition(topic=topic, at=NOON, commit=A, about=text, reason=text, message=text, details=tuple(details))
        for topic, text, details in parts
    ]
    told = message(*transitions)
    text = html.unescape(telegram_text(told, ORIGIN)).replace("<b>", "", 1).replace("</b>", "", 1)
    assert 0 < utf16_length(text) <= TELEGRAM_LIMIT
    body = json.loads(webhook_body(told, ORIGIN))
    assert len(body["content"]) <= DISCORD_LIMIT
    assert len(html.unescape(body["text"])) <= MAX_TEXT
