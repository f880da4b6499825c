"""The settings of the host page: all of them, and no secret."""

from __future__ import annotations

import json

import pytest

from reconciler import settings
from reconciler.service.hostpage import list_settings, without_secret

SECRET = "hunter2-0123456789abcdef"
GIVEN = {
    "repository.url": f"https://desk:{SECRET}@git.example/desk.git?token={SECRET}",
    "repository.credentials": f"desk:{SECRET}",
    "repository.webhook_secret": SECRET,
    "history.url": f"clickhouse://desk:{SECRET}@10.0.0.7:8123/config?password={SECRET}",
    "redis.url": f"rediss://:{SECRET}@10.0.0.8:6379/0",
    "http.tokens": "read:sha256:" + "ab" * 32,
    "host.name": "vps-ldn-01",
    "drift.mode": "report",
    "http.local_reads": "token",
}


def test_every_setting_is_shown_and_no_secret() -> None:
    told = {one["name"]: one["value"] for one in list_settings(settings.load(None, GIVEN, {}))}
    assert list(told) == [one.name for one in settings.SETTINGS]
    assert not [secret for secret in (SECRET, "abab") if secret in json.dumps(told)]
    assert told["http.tokens"] == "1 of them"
    assert told["repository.url"] == "https://git.example/desk.git"
    assert told["history.url"] == "clickhouse://10.0.0.7:8123/config"
    assert told["redis.url"] == "rediss://10.0.0.8:6379/0"
    assert (told["repository.credentials"], told["repository.webhook_secret"]) == ("set", "set")
    assert told["http.local_reads"] == "token"
    assert (told["host.name"], told["drift.mode"]) == ("vps-ldn-01", "report")


def test_whether_there_is_a_secret() -> None:
    told = {one["name"]: one["value"] for one in list_settings(settings.load(None, {}, {}))}
    assert (told["repository.credentials"], told["repository.webhook_secret"]) == ("not set", "not set")
    assert (told["history.url"], told["redis.url"]) == ("chdb", "embedded")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("git@git.example:desk.git", "git@git.example:desk.git"),
        ("ssh://git@git.example/desk.git", "ssh://git.example/desk.git"),
        ("none", "none"),
        ("https://[::1]:8123/x#token", "https://[::1]:8123/x"),
    ],
)
def test_what_is_left_of_a_url(url: str, told: str) -> None:
    assert without_secret(url) == told
