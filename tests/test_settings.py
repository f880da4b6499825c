"""Settings: three places, the later ones over the earlier; what is wrong is told, and secrets are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.settings import SETTINGS, Settings, load


def _loaded(*, flags: dict[str, str] | None = None, **variables: str) -> Settings:
    return load(None, flags or {}, {f"RECONCILER_{name}": value for name, value in variables.items()})


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings file of this machine counts."""
    monkeypatch.chdir(tmp_path)


def test_there_are_few_and_every_one_has_a_purpose() -> None:
    assert len(SETTINGS) <= 25
    assert all(setting.purpose for setting in SETTINGS)


def test_without_any_the_defaults_are_in_force() -> None:
    found = _loaded()
    assert (found.origin.folder, found.origin.url, found.origin.poll_interval) == (Path(), None, 60.0)
    assert (found.listen, found.heals, found.history_url, found.redis_url) == (
        "127.0.0.1:8642",
        True,
        "chdb",
        "embedded",
    )
    assert (found.branch, found.state, found.obeys, found.idle_timeout) == (None, None, None, 1800.0)


def test_a_flag_is_over_a_variable_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "reconciler.toml"
    text = '[repository]\nbranch = "file"\npath = "file"\nurl = "file"\n[http]\nlisten = "127.0.0.1:1"\n'
    file.write_text(text, encoding="utf-8")
    variables = {"RECONCILER_REPOSITORY_BRANCH": "variable", "RECONCILER_REPOSITORY_PATH": "variable"}
    found = load(file, {"repository.path": "flag"}, variables)
    assert (found.origin.folder, found.branch, found.path, found.listen) == (
        Path("file"),
        "variable",
        "flag",
        "127.0.0.1:1",
    )


@pytest.mark.parametrize(
    "url", ["https://git.example/desk.git", "ssh://git@git.example/desk", "git@git.example:desk.git"]
)
def test_a_repository_elsewhere_is_no_folder(url: str) -> None:
    found = _loaded(REPOSITORY_URL=url)
    assert found.origin.url == url
    with pytest.raises(UsageError, match="in a folder"):
        _ = found.repository


@pytest.mark.parametrize("text", ["", "0s", "soon", "500ms", "-1m", "10"])
def test_an_interval_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="poll_interval") as caught:
        _loaded(REPOSITORY_POLL_INTERVAL=text)
    assert "30s" in caught.value.hint


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"drift\.mode"):
        _loaded(DRIFT_MODE="ignore")
    assert _loaded(DRIFT_MODE="report").heals is False


def test_secrets_come_from_files_and_variables_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  maren:s3cret-token\n", encoding="utf-8")
    variables = {
        "RECONCILER_REPOSITORY_CREDENTIALS": f"file:{tmp_path / 'token'}",
        "RECONCILER_REPOSITORY_WEBHOOK_SECRET": "env:HOOK",
        "RECONCILER_HISTORY_URL": "clickhouse://u:pa55word@host/db",
        "RECONCILER_REDIS_URL": "redis://:h0rse@host",
        "HOOK": "whsec-very-long",
    }
    found = load(None, {}, variables)
    assert found.origin.credentials == "maren:s3cret-token"
    assert set(found.secrets) == {"s3cret-token", "whsec-very-long", "pa55word", "h0rse"}
    shown = repr(found)
    for secret in ("s3cret-token", "whsec-very-long", "pa55word", "h0rse"):
        assert secret not in shown


def test_a_secret_that_is_to_come_from_nowhere_says_from_where() -> None:
    with pytest.raises(UsageError, match="the variable NOWHERE, which is not set"):
        _loaded(REPOSITORY_WEBHOOK_SECRET="env:NOWHERE")


def test_a_name_that_is_none_gets_the_nearest_one(tmp_path: Path) -> None:
    file = tmp_path / "reconciler.toml"
    file.write_text('[drift]\nmodes = "heal"\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"no setting drift\.modes") as caught:
        load(None, {}, {})
    assert caught.value.hint == "did you mean drift.mode?"
