"""Settings: three places, the later ones over the earlier; what is wrong is told, and secrets are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.model.grants import Role, format_entry, make_grant
from reconciler.service.context import history_engine
from reconciler.settings import SETTINGS, Settings, find_file, load


def _loaded(*, flags: dict[str, str] | None = None, **variables: str) -> Settings:
    return load(None, flags or {}, {f"RECONCILER_{name}": value for name, value in variables.items()})


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings file of this machine counts."""
    monkeypatch.chdir(tmp_path)


def test_there_are_few_and_every_one_has_a_purpose() -> None:
    assert len(SETTINGS) <= 40
    assert all(setting.purpose for setting in SETTINGS)


def test_without_any_the_defaults_are_in_force() -> None:
    found = _loaded()
    assert (found.origin.folder, found.origin.url, found.origin.poll_interval) == (Path(), None, 60.0)
    assert (found.listen, found.heal_drift, found.history_url, found.redis_url) == (
        "127.0.0.1:8642",
        True,
        "chdb",
        "embedded",
    )
    assert (found.branch, found.state, found.config_resource, found.idle_timeout) == (None, None, None, 1800.0)


def test_a_history_that_nobody_chose_is_known_as_such(tmp_path: Path) -> None:
    assert not _loaded().history_given
    assert _loaded(HISTORY_URL="chdb").history_given
    assert _loaded(flags={"history.url": "duckdb"}).history_url == "duckdb"


@pytest.mark.parametrize(
    ("present", "installed", "engine"),
    [
        ((), True, "chdb"),
        ((), False, "duckdb"),
        (("history",), False, "chdb"),
        (("history.duckdb",), True, "duckdb"),
        (("history", "history.duckdb"), True, "chdb"),
        (("history", "history.duckdb"), False, "duckdb"),
    ],
)
def test_a_state_folder_keeps_the_engine_of_its_history(
    tmp_path: Path, present: tuple[str, ...], *, installed: bool, engine: str
) -> None:
    for name in present:
        (tmp_path / name).touch() if "." in name else (tmp_path / name).mkdir()
    assert history_engine(_loaded(), tmp_path, lambda: installed) == engine
    for given in ("chdb", "duckdb", "none", "clickhouse://there/x"):
        assert history_engine(_loaded(HISTORY_URL=given), tmp_path, lambda: installed) == given


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
    assert _loaded(DRIFT_MODE="report").heal_drift is False
    with pytest.raises(UsageError, match=r"http\.local_reads is 'yes'"):
        _loaded(HTTP_LOCAL_READS="yes")
    assert (_loaded().local_reads, _loaded(HTTP_LOCAL_READS="token").local_reads) == (True, False)


def test_where_the_live_rows_are_published_and_for_whom(tmp_path: Path) -> None:
    assert (_loaded().publishes, _loaded().publish_path, _loaded().publish_mode) == (True, None, 0o400)
    assert not _loaded(PUBLISH_PATH="none").publishes
    found = _loaded(PUBLISH_PATH="/srv/live.duckdb", PUBLISH_MODE="640")
    assert (found.publishes, found.publish_path, found.publish_mode) == (True, Path("/srv/live.duckdb"), 0o640)
    assert [_loaded(PUBLISH_MODE=text).publish_mode for text in ("0444", "0o440", "600")] == [0o444, 0o440, 0o600]
    for text in ("0666", "0777", "0044", "0420", "rw-r--r--", "0840", "", "04440"):
        with pytest.raises(UsageError, match=r"publish\.mode is") as caught:
            _loaded(PUBLISH_MODE=text)
        assert "0440" in caught.value.hint
    assert _loaded(REPOSITORY_URL="https://git.example/desk").working_tree is None
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    (tmp_path / "tree" / "desk").mkdir()
    for place in ("tree", "tree/desk"):
        assert _loaded(REPOSITORY_URL=str(tmp_path / place)).working_tree == (tmp_path / "tree").resolve()


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


def test_tokens_are_listed_with_their_roles(tmp_path: Path) -> None:
    (tmp_path / "to,ken").write_text("  a-token-of-some-length\n", encoding="utf-8")
    elsewhere = json.dumps(f"operate:file:{tmp_path / 'to,ken'}")
    file = tmp_path / "reconciler.toml"
    file.write_text(
        f'[http]\ntokens = ["{format_entry(Role.READ, "s3cret-of-somebody")}", {elsewhere}]\n', encoding="utf-8"
    )
    found = load(file, {}, {})
    operates = make_grant("a-token-of-some-length", Role.OPERATE)
    assert found.grants == (make_grant("s3cret-of-somebody", Role.READ), operates)
    assert found.secrets == ("a-token-of-some-length",)
    assert "a-token-of-some-length" not in repr(found)
    assert repr(operates.digest) not in repr(found)


def test_the_variable_has_commas_between_tokens_and_is_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "reconciler.toml").write_text('[http]\ntokens = ["read:env:GONE"]\n', encoding="utf-8")
    first, second = (format_entry(Role.READ, one) for one in ("one", "two"))
    variables = {"RECONCILER_HTTP_TOKENS": f"{first}, {second},operate:env:DESK", "DESK": "twenty-characters-ok"}
    found = load(None, {}, variables)
    assert found.grants == (
        make_grant("one", Role.READ),
        make_grant("two", Role.READ),
        make_grant("twenty-characters-ok", Role.OPERATE),
    )
    assert load(None, {}, {"RECONCILER_HTTP_TOKENS": ""}).grants == ()


@pytest.mark.parametrize(
    "told",
    [
        "hunter2-hunter2-hunter2",
        "hunter2:sha256:" + "a" * 64,
        "read:hunter2",
        "read:sha256:hunter2",
        "READ:env:HUNTER2",
        "read:env:",
        format_entry(Role.READ, "")[:-1] + "5",
        "operate:sha256:" + "é" * 64,
    ],
)
def test_a_token_itself_is_refused_and_not_repeated(told: str) -> None:
    with pytest.raises(UsageError, match=r"^http\.tokens: entry 2 is not ROLE:sha256:HEX$") as caught:
        _loaded(HTTP_TOKENS=f"{format_entry(Role.READ, 'x')},{told}")
    assert "reconciler token" in caught.value.hint
    assert "sha256sum" in caught.value.hint
    assert "unter2" not in f"{caught.value} {caught.value.hint}".lower()


@pytest.mark.parametrize("token", ["", "brief", "fifteen-or-less", "a token with spaces in it", "ümlaut-ümlaut-ümlaut"])
def test_a_token_from_elsewhere_has_to_be_one(token: str) -> None:
    with pytest.raises(UsageError, match=r"the token of entry 1 is shorter than 16") as caught:
        load(None, {}, {"RECONCILER_HTTP_TOKENS": "read:env:DESK", "DESK": token})
    assert not token or token not in str(caught.value)


def test_a_list_is_a_list_and_a_text_a_text(tmp_path: Path) -> None:
    file = tmp_path / "reconciler.toml"
    for text, said in (
        ('[http]\ntokens = "read:env:X"\n', r"http\.tokens is a list"),
        ("[http]\ntokens = [1]\n", r"http\.tokens is a list"),
        ('[http]\nlisten = ["127.0.0.1:1"]\n', r"http\.listen is a text"),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=said):
            load(file, {}, {})


def test_a_name_that_is_none_gets_the_nearest_one(tmp_path: Path) -> None:
    file = tmp_path / "reconciler.toml"
    file.write_text('[drift]\nmodes = "heal"\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"no setting drift\.modes") as caught:
        load(find_file(), {}, {})
    assert caught.value.hint == "did you mean drift.mode?"
