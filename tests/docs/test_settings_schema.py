"""schemas/reconciler-toml.schema.json: the settings that there are, and no others; what it refuses is refused."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from reconciler import settings
from reconciler.adapters.bundled import load_editor_schemas
from reconciler.errors import UsageError
from reconciler.web.server import parse_listen
from tests.docs.markdown import ROOT, blocks, read

if TYPE_CHECKING:
    from pathlib import Path

NAME = "reconciler-toml.schema.json"
SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas" / NAME).read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
SECTIONS = {name: table for name, table in SCHEMA["properties"].items() if "properties" in table}
FOUND = {
    f"{section}.{name}": setting for section, table in SECTIONS.items() for name, setting in table["properties"].items()
} | {name: setting for name, setting in SCHEMA["properties"].items() if name not in SECTIONS}


def test_it_is_a_schema_that_editors_get() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(load_editor_schemas()[NAME]) == SCHEMA


def test_it_has_the_settings_there_are() -> None:
    assert list(FOUND) == sorted(settings.BY_NAME, key=_place)
    tables = [SCHEMA, *SECTIONS.values()]
    assert all(table["type"] == "object" and table["additionalProperties"] is False for table in tables)


def _place(name: str) -> tuple[int, int]:
    """Sections in the order in which they first come, as a file has them."""
    sections = [one.partition(".")[0] for one in settings.BY_NAME]
    return sections.index(name.partition(".")[0]), list(settings.BY_NAME).index(name)


@pytest.mark.parametrize("setting", settings.SETTINGS, ids=lambda setting: str(setting.name))
def test_a_setting_is_as_the_program_has_it(setting: settings.Setting) -> None:
    found = FOUND[setting.name]
    assert found["type"] == ("array" if setting.many or setting.tables else "integer" if setting.number else "string")
    assert str(found.get("default", "")) == setting.default
    assert found["description"].endswith(".")
    assert ("file:/path or env:NAME" in found["description"]) == setting.secret
    for value in (found.get("default", ""), *found.get("examples", ())):
        assert not value or not _wrong(setting.name, value), value


def test_the_words_are_those_of_the_program() -> None:
    assert FOUND["drift.mode"]["enum"] == list(settings.DRIFT_MODES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("repository.poll_interval", "5"),
        ("repository.poll_interval", "soon"),
        ("sessions.idle_timeout", "half an hour"),
        ("drift.mode", "ignore"),
        ("repository.path", 3),
        ("http.tokens", "read:env:DESK_TOKEN"),
        ("http.tokens", ["hunter2-hunter2-hunter2"]),
        ("http.tokens", ["write:env:DESK_TOKEN"]),
        ("http.tokens", ["read:sha256:12"]),
        ("http.tokens", [1]),
        ("limits.paths", 0),
        ("limits.paths", True),
        ("limits.yaml_mb", "many"),
        ("limits.yaml_mb", 0.5),
        ("repository.ulr", "/srv"),
    ],
)
def test_what_it_refuses_the_program_refuses(name: str, value: object, tmp_path: Path) -> None:
    assert _wrong(name, value)
    section, _, key = name.partition(".")
    file = tmp_path / "reconciler.toml"
    file.write_text(f"[{section}]\n{key} = {json.dumps(value)}\n", encoding="utf-8")
    with pytest.raises(UsageError):
        settings.load(file, {}, {})


@pytest.mark.parametrize("address", ["8642", "127.0.0.1", "::1:8642", "127.0.0.1:123456"])
def test_an_address_that_it_refuses_is_none(address: str) -> None:
    assert _wrong("http.listen", address)
    with pytest.raises(UsageError):
        parse_listen(address)


@pytest.mark.parametrize("page", ["docs/settings.md", "README.md"])
def test_the_files_of_the_pages_satisfy_it(page: str) -> None:
    (file,) = (block.body for block in blocks(read(page), "toml"))
    assert list(VALIDATOR.iter_errors(tomllib.loads(file))) == []


NOTIFY: list[tuple[object, bool]] = [
    ({"kind": "webhook", "url": "https://host/x", "on": ["live"], "secret": "s", "ca_cert": "f", "name": "n"}, True),
    ({"kind": "telegram", "token": "1:x", "chat": "-1"}, True),
    ({"kind": "github", "token": "t", "repository": "desk/config", "url": "https://git.example/api/v3"}, True),
    ({"kind": "pager"}, False),
    ({"url": "https://host/x"}, False),
    ({"kind": "webhook"}, False),
    ({"kind": "webhook", "url": "https://host/x", "chat": "1"}, False),
    ({"kind": "webhook", "url": "https://host/x", "on": []}, False),
    ({"kind": "webhook", "url": "https://host/x", "on": ["soon"]}, False),
    ({"kind": "webhook", "url": "https://host/x", "colour": "red"}, False),
    ({"kind": "telegram", "token": "1:x", "chat": "-1", "secret": "s"}, False),
    ({"kind": "gitlab"}, False),
    ({"kind": "gitea", "token": "t", "on": ["drift"]}, False),
    ("webhook", False),
]


@pytest.mark.parametrize(("entry", "good"), NOTIFY)
def test_it_takes_the_receivers_that_the_program_takes(entry: object, good: bool) -> None:
    assert bool(list(VALIDATOR.iter_errors({"notify": [entry]}))) is not good
    variables = {"RECONCILER_NOTIFY": json.dumps([entry])}
    if good:
        assert settings.load(None, {}, variables).receivers
        return
    with pytest.raises(UsageError):
        settings.load(None, {}, variables)


def _wrong(name: str, value: object) -> list[str]:
    section, _, key = name.partition(".")
    return [error.message for error in VALIDATOR.iter_errors({section: {key: value} if key else value})]
