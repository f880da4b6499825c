"""The setting `notify`: what it takes, what it refuses without a secret in the words, and which secrets it knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import UsageError
from reconciler.model.receiver import Receiver, ReceiverKind, Topic
from reconciler.settings import load

if TYPE_CHECKING:
    from pathlib import Path

HOOK = "https://hooks.example.com/services/T0AB/B0CD/hunter2hunter2"
BOT = "123456:hunter2-hunter2-hunter2"
VARIABLES = {"HOOK": HOOK, "BOT": BOT, "FORGE": "hunter2-forge-token"}


def loaded(*entries: Any) -> tuple[Receiver, ...]:
    return load(None, {}, {"RECONCILER_NOTIFY": json.dumps(entries), **VARIABLES}).receivers


def test_the_file_and_the_variable_say_the_same(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{HOOK}\n", encoding="utf-8")
    inline = f'[{{kind = "webhook", url = "file:{secret.as_posix()}", on = ["live", "refused"]}}, ' + (
        '{kind = "telegram", token = "env:BOT", chat = "-1001"}]'
    )
    file = tmp_path / "reconciler.toml"
    file.write_text(f'notify = {inline}\n[host]\nname = "desk"\n', encoding="utf-8")
    first = load(file, {}, VARIABLES).receivers
    assert first == load(None, {}, {"RECONCILER_NOTIFY": inline, **VARIABLES}).receivers
    tables = (
        f'[[notify]]\nkind = "webhook"\nurl = "file:{secret.as_posix()}"\non = ["live", "refused"]\n'
        '[[notify]]\nkind = "telegram"\ntoken = "env:BOT"\nchat = "-1001"\n'
    )
    file.write_text(tables, encoding="utf-8")
    assert load(file, {}, VARIABLES).receivers == first
    assert (first[0].url, first[0].topics) == (HOOK, {Topic.LIVE, Topic.REFUSED})
    assert (first[1].token, first[1].chat, first[1].topics) == (BOT, "-1001", frozenset(Topic) - {Topic.TEST})


@pytest.mark.parametrize("end", ["", "/", "/sendMessage"])
def test_a_telegram_address_may_say_all(end: str) -> None:
    (found,) = loaded({"kind": "telegram", "url": f"https://api.telegram.org/bot{BOT}{end}?chat_id=@desk"})
    assert (found.url, found.token, found.chat) == ("https://api.telegram.org", BOT, "@desk")
    (topic,) = loaded({"kind": "telegram", "url": f"https://tg.local/bot{BOT}?chat_id=-1&message_thread_id=7"})
    assert (topic.url, topic.chat) == ("https://tg.local", "-1/7")


def test_a_forge_is_told_of_commits_only() -> None:
    (found,) = loaded({"kind": "forgejo", "token": "env:FORGE"})
    assert (found.kind, found.topics) == (ReceiverKind.GITEA, {Topic.LIVE, Topic.REFUSED, Topic.HELD})
    with pytest.raises(UsageError, match="on has a word"):
        loaded({"kind": "github", "token": "env:FORGE", "on": ["drift"]})


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("webhook", "no table"),
        ({"url": HOOK}, "no kind"),
        ({"kind": "pager", "url": HOOK}, "no kind"),
        ({"kind": ["webhook"], "url": HOOK}, "kind is a text"),
        ({"kind": "slack", "url": HOOK, "chanel": "hunter2"}, "no field chanel"),
        ({"kind": "forgejo", "token": "env:FORGE", "repo": "hunter2"}, "no field repo"),
        ({"kind": "webhook"}, "url is missing"),
        ({"kind": "webhook", "url": HOOK, "chat": "1"}, "no field chat"),
        ({"kind": "webhook", "url": HOOK, "on": []}, "on is a list"),
        ({"kind": "webhook", "url": HOOK, "on": "live"}, "on is a list"),
        ({"kind": "webhook", "url": HOOK, "on": ["lvie"]}, "on has a word"),
        ({"kind": "webhook", "url": HOOK, "on": [["live"]]}, "on has a word"),
        ({"kind": "webhook", "url": "hunter2"}, "url is no address"),
        ({"kind": "webhook", "url": "ftp://hunter2/x"}, "url is no address"),
        ({"kind": "webhook", "url": "https://a:hunter2@host/x"}, "url is no address"),
        ({"kind": "webhook", "url": "https://host/hunter2\nx"}, "url is a text"),
        ({"kind": "webhook", "url": "https://[hunter2/"}, "url is no address"),
        ({"kind": "webhook", "url": 7}, "url is a text"),
        ({"kind": "webhook", "url": "env:NOBODY"}, "url of entry 1"),
        ({"kind": "telegram", "token": "env:BOT"}, "chat is missing"),
        ({"kind": "telegram", "chat": "1"}, "token is missing"),
        ({"kind": "telegram", "token": "env:BOT", "chat": "hunter2"}, "no chat"),
        ({"kind": "telegram", "token": "env:BOT", "chat": "1", "url": "http://tg.example"}, "for all to read"),
        ({"kind": "github"}, "token is missing"),
        ({"kind": "github", "token": "env:FORGE", "repository": "hunter2"}, "no path"),
        ({"kind": "github", "token": "env:FORGE", "url": "http://git.example/api"}, "for all to read"),
    ],
)
def test_what_is_no_receiver_is_refused_without_its_secrets(entry: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        loaded(entry)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("text", ["hunter2", '{"kind": "hunter2"}', "[hunter2", '"hunter2"', "[1] # \n x = 'hunter2'"])
def test_what_is_no_list_is_refused_without_its_secrets(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(None, {}, {"RECONCILER_NOTIFY": text})
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_no_two_are_the_same() -> None:
    with pytest.raises(UsageError, match="same address"):
        loaded({"kind": "webhook", "url": HOOK}, {"kind": "webhook", "url": HOOK, "on": ["live"]})
    with pytest.raises(UsageError, match="same name"):
        loaded(
            {"kind": "webhook", "url": HOOK, "name": "desk"}, {"kind": "webhook", "url": "https://x/y", "name": "desk"}
        )
    with pytest.raises(UsageError, match="21 entries"):
        loaded(*({"kind": "webhook", "url": f"https://host/{number}"} for number in range(21)))


def test_a_new_token_keeps_what_waits() -> None:
    number = BOT.partition(":")[0]
    for entry, after in (
        ({"kind": "telegram", "token": BOT, "chat": "1"}, f"{number}:another-token"),
        ({"kind": "github", "token": "hunter2"}, "another-token"),
    ):
        (before,), (now,) = loaded(entry), loaded(entry | {"token": after})
        assert before.key == now.key
    (other,) = loaded({"kind": "telegram", "token": f"9{BOT}", "chat": "1"})
    assert other.key != loaded({"kind": "telegram", "token": BOT, "chat": "1"})[0].key


def test_what_is_secret_is_known_and_not_shown() -> None:
    entries = [
        {"kind": "webhook", "url": "env:HOOK", "secret": "env:BOT"},
        {"kind": "telegram", "token": "env:BOT", "chat": "-1001"},
        {"kind": "gitlab", "token": "env:FORGE"},
    ]
    settings = load(None, {}, {"RECONCILER_NOTIFY": json.dumps(entries), **VARIABLES})
    assert {HOOK, "services/T0AB/B0CD/hunter2hunter2", BOT, "hunter2-forge-token"} <= set(settings.secrets)
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in " ".join(receiver.key for receiver in settings.receivers)
