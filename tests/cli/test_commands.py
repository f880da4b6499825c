"""The commands on real engines: exit codes, formats, and what people read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest

from reconciler.cli.main import COMMANDS, run
from tests.support import configs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Host

LEVERAGE = "accounts/cv-eurusd.yaml"
RISK = "users/fx-majors-01.yaml"


def test_from_first_sync_to_log(host: Host, golden: Callable[[str, str], None]) -> None:
    story = []
    for arguments in (("status",), ("sync",), ("get", "systems"), ("get", "user", "fx-majors-01"), ("status",)):
        story.append((arguments, host.run(*arguments)))
    host.edit(LEVERAGE, "leverage: 30", "leverage: 1:30", "Write leverage as the broker does")
    for arguments in (("sync",), ("status",)):
        story.append((arguments, host.run(*arguments)))
    host.edit(LEVERAGE, "leverage: 1:30", "leverage: 30", "Mend it")
    host.edit(RISK, "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5", "Cut risk")
    for arguments in (("sync",), ("sync",), ("status",), ("log",), ("log", "--limit", "1")):
        story.append((arguments, host.run(*arguments)))
    text = "".join(
        f"$ reconciler {' '.join(arguments)}\n{answer.out}{answer.err}[{answer.code}]\n\n"
        for arguments, answer in story
    )
    golden("cli/story.txt", text)


@pytest.mark.slow
def test_an_invalid_head_changes_no_row_and_is_told_everywhere(synced: Host) -> None:
    with duckdb.connect(synced.state / "state.duckdb", read_only=True) as store:
        before = store.execute("FROM account_config ORDER BY account_id").fetchall()
    bad = synced.edit(LEVERAGE, "leverage: 30", "leverage: 1:30")
    refused = synced.run("sync")
    assert refused.code == 1
    assert "accounts/cv-eurusd.yaml:17:13: error [ambiguous-scalar] /spec/leverage" in refused.err
    with duckdb.connect(synced.state / "state.duckdb", read_only=True) as store:
        assert store.execute("FROM account_config ORDER BY account_id").fetchall() == before
    status = json.loads(synced.run("status", "--format", "json").out)
    assert (status["sync"], status["health"]) == ("OutOfSync", "Degraded")
    assert status["applied"]["commit"] == synced.repo.git("rev-parse", "HEAD~1")
    assert status["refused"]["commit"] == bad
    assert status["refused"]["problems"][0]["line"] == 17
    versions = json.loads(synced.run("log", "--format", "json").out)
    assert [version["status"] for version in versions] == ["INVALID", "VALID"]
    assert versions[0]["problems"] == status["refused"]["problems"]
    again = synced.run("sync")
    assert again.code == 1
    assert "history: 0 versions recorded" in again.out


@pytest.mark.slow
def test_the_next_good_commit_brings_everything_in_between(synced: Host) -> None:
    synced.edit(LEVERAGE, "leverage: 30", "leverage: 1:30")
    synced.edit(RISK, "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")
    synced.run("sync")
    synced.edit(LEVERAGE, "leverage: 1:30", "leverage: 30")
    good = synced.edit(LEVERAGE, "commission: 6.0", "commission: 6.5")
    result = json.loads(synced.run("sync", "--format", "json").out)
    assert result["applied"]["commit"] == good
    changed = {change["name"]: change["fields"] for change in result["changes"]}
    assert changed == {
        "cv-eurusd": [{"field": "commission", "old": 6.0, "new": 6.5}],
        "fx-majors-01": [{"field": "risk_per_trade_percent", "old": 0.75, "new": 0.5}],
    }


@pytest.mark.slow
def test_what_leaves_git_stays_inactive_and_what_has_no_status_goes(synced: Host) -> None:
    gone = {"accounts/op-demo.yaml": None, "users/retired-07.yaml": None, "systems/lab.yaml": None}
    synced.repo.commit({**gone, LEVERAGE: None}, "Close accounts")
    refused = synced.run("sync")
    assert refused.code == 1
    assert "accounts/cv-eurusd.yaml:3:1: error [guard/prune-limit]: 2 of 8 Account leave git at once" in refused.err
    approved = synced.run("sync", "--approve", "HEAD")
    assert approved.code == 0
    assert "warning [guard/prune-limit]" in approved.err
    assert "with --approve" in approved.err
    accounts = {row["name"]: row["status"] for row in json.loads(synced.run("get", "accounts", "--format", "json").out)}
    assert len(accounts) == 8
    assert accounts["cv-eurusd"] == "INACTIVE"
    systems = json.loads(synced.run("get", "systems", "--format", "json").out)
    assert [row["name"] for row in systems] == ["production"]


@pytest.mark.slow
def test_a_rename_keeps_the_row_and_its_birthday(synced: Host) -> None:
    before = json.loads(synced.run("get", "system", "lab", "--format", "json").out)
    text = synced.repo.git("show", "HEAD:systems/lab.yaml").replace("name: lab", "name: bench") + "\n"
    synced.repo.commit({"systems/lab.yaml": None, "systems/bench.yaml": text})
    result = json.loads(synced.run("sync", "--format", "json").out)
    assert [(change["op"], change["fields"]) for change in result["changes"]] == [
        ("update", [{"field": "name", "old": "lab", "new": "bench"}])
    ]
    after = json.loads(synced.run("get", "system", "bench", "--format", "json").out)
    assert (after["config_id"], after["created_at"]) == (before["config_id"], before["created_at"])


def test_a_branch_without_commits_is_no_error(tmp_path: Path, host: Host) -> None:
    host.repo.git("checkout", "-q", "--orphan", "empty")
    answer = host.run("sync", "--branch", "empty")
    assert (answer.code, answer.out) == (0, "live: nothing yet\n")
    assert "no commits yet" in answer.err


def test_history_none_keeps_rows_and_says_so(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "none")
    assert host.run("sync").code == 0
    assert not (host.state / "history").exists()
    answer = host.run("log")
    assert answer.code == 3
    assert "keeps no history" in answer.err


@pytest.mark.slow
def test_an_unreachable_ledger_does_not_keep_rows_from_going_live(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "clickhouse://trader:s3cret@127.0.0.1:1/config_history")
    answer = host.run("sync")
    assert answer.code == 3
    assert "the rows are live all the same" in answer.err
    assert "s3cret" not in answer.out + answer.err
    assert json.loads(host.run("status", "--format", "json").out)["sync"] == "Synced"
    monkeypatch.delenv("RECONCILER_HISTORY_URL")
    assert "history: 1 version recorded" in host.run("sync").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("get", "acount"), "did you mean account?"),
        (("get", "user", "fx-major-01"), "did you mean fx-majors-01?"),
        (("sync", "--branch", "mian"), "main"),
        (("frobnicate",), "frobnicate"),
        (("get",), "KIND"),
        (("log", "--limit", "0"), "limit"),
        (("validate", "--format", "yaml"), "json"),
        (("validate", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_what_cannot_run_exits_3_with_one_error(synced: Host, arguments: tuple[str, ...], words: str) -> None:
    answer = synced.run(*arguments)
    assert answer.code == 3
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert words in answer.err
    assert "Traceback" not in answer.err


def test_validate_checks_what_is_on_disk(host: Host) -> None:
    host.repo.checkout()
    file = host.repo.path / LEVERAGE
    file.write_text(file.read_text().replace("leverage: 30", "leverage: 1:30"))
    (host.repo.path / "users" / "broken.yaml").write_text(configs.BROKEN)
    answer = host.run("validate", "--format", "json")
    report = json.loads(answer.out)
    assert answer.code == 1
    assert [(one["path"], one["line"], one["code"]) for one in report["problems"]] == [
        ("accounts/cv-eurusd.yaml", 17, "ambiguous-scalar"),
        ("users/broken.yaml", 3, "yaml-syntax"),
    ]
    assert report["summary"] == {"files": 29, "documents": 28, "resources": 27, "errors": 2, "warnings": 0}
    assert host.run("validate", str(host.repo.path / "signals")).code == 0


def test_a_setting_that_does_not_exist_is_refused(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[history]\nurls = "none"\n')
    answer = host.run("status", "--config", str(file))
    assert answer.code == 3
    assert "did you mean history.url?" in answer.err


def test_looking_before_the_first_sync_creates_nothing(host: Host) -> None:
    assert host.run("log").code == 0
    assert host.run("get", "users", "--format", "json").out == "[]\n"
    assert not host.state.exists()


@pytest.mark.slow
def test_a_branch_of_which_nothing_could_go_live_has_kinds_without_rows(host: Host) -> None:
    host.repo.commit({"users/broken.yaml": "kind: User"})
    host.repo.git("reset", "--hard", host.repo.git("commit-tree", "HEAD^{tree}", "-m", "the first and only one"))
    for _ in range(2):
        assert host.run("get", "users", "--format", "json").out == "[]\n"
        missing = host.run("get", "user", "fx-majors-01")
        assert (missing.code, missing.err.splitlines()[0]) == (3, "error: no User fx-majors-01 is live")
        assert host.run("sync").code == 1


@pytest.mark.slow
def test_the_tour_runs_and_touches_no_other_repository(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(host.repo.path / ".git"))  # as in a hook of that repository
    monkeypatch.setenv("RECONCILER_STATE_DIR", str(host.state))
    head = host.repo.git("rev-parse", "HEAD")
    assert run(["demo"]) == 0
    assert host.repo.git("rev-parse", "HEAD") == head
    assert not host.state.exists()
    out, _ = capsys.readouterr()
    assert "$ reconciler log" in out
    assert out.count("VALID") == 3


@pytest.mark.slow
def test_the_tour_shows_the_history_without_the_embedded_engine(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.wiring.reading.has_embedded_history", lambda: False)
    assert run(["demo"]) == 0
    out, _ = capsys.readouterr()
    assert "$ reconciler log" in out
    assert out.count("VALID") == 3


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_is_there_for_everything(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    assert "Usage: reconciler" in capsys.readouterr().out


@pytest.mark.slow
def test_a_folder_is_a_configuration_of_its_own(host: Host) -> None:
    host.repo.commit({"desk/users/zoe.yaml": configs.user("zoe")})
    assert host.run("sync", "--path", "desk").code == 0
    assert [row["name"] for row in json.loads(host.run("get", "users", "--format", "json").out)] == ["zoe"]
    other = host.run("sync")
    assert other.code == 3
    assert "REPO//desk" in other.err
    assert json.loads(host.run("log", "--path", "desk", "--format", "json").out)[0]["creates"] == 1
    assert host.run("log").code == 3


@pytest.mark.slow
def test_a_folder_that_is_not_there_changes_nothing(host: Host) -> None:
    host.repo.commit({"desk/users/zoe.yaml": configs.user("zoe")})
    host.run("sync", "--path", "desk")
    host.repo.commit({"desk/users/zoe.yaml": None})
    answer = host.run("sync", "--path", "desk")
    assert answer.code == 3
    assert "main has no folder desk" in answer.err
    assert json.loads(host.run("get", "user", "zoe", "--format", "json").out)["status"] == "ACTIVE"


@pytest.mark.parametrize("url", ["https://git.example/desk.git", "git@git.example:desk.git", "ssh://git.example/d"])
def test_what_needs_files_asks_for_a_clone(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--repo", url]) == 3
    assert "clone it" in capsys.readouterr().err


@pytest.mark.slow
def test_a_url_is_fetched_and_followed(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--repo", host.repo.path.as_uri(), "--state", str(tmp_path / "elsewhere")]
    assert run(["sync", *place]) == 0
    host.edit("users/fx-majors-01.yaml", "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")
    capsys.readouterr()
    assert run(["status", *place, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["sync"] == "Synced"  # as it was fetched last: `status` needs no network
    assert run(["sync", *place]) == 0
    assert "0.75 → 0.5 percent" in capsys.readouterr().out


def test_checking_nothing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--repo", str(tmp_path)]) == 0
    assert "nothing was checked" in capsys.readouterr().err
