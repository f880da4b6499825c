"""A daemon as `logs`, `open` and `status --wait` show it."""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete

from reconciler.cli.commands.observe import can_show
from reconciler.cli.main import cli
from tests.support.daemons import running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Host


@pytest.mark.parametrize(
    ("platform", "environ", "shown"),
    [
        ("win32", {}, True),
        ("darwin", {}, True),
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"BROWSER": "firefox"}, True),
        ("linux", {"DISPLAY": ""}, False),
    ],
)
def test_a_browser_needs_a_display(platform: str, environ: dict[str, str], shown: bool) -> None:
    assert can_show(platform, environ) is shown


def test_without_a_daemon_each_says_how_to_start_one(host: Host) -> None:
    for command in ("logs", "open"):
        answer = host.run(command)
        assert (answer.code, answer.out) == (3, "")
        assert "hint: `reconciler run` starts" in answer.err


def test_waiting_ends_when_the_time_is_over(host: Host) -> None:
    answer = host.run("status", "--wait", "0s")
    assert answer.code == 3
    assert "sync        Unknown" in answer.out
    assert "error: the head is not live and healthy after 0s" in answer.err
    assert "hint: no daemon runs here" in answer.err


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("--wait", "soon"), "'soon' is no span of time"),
        (("--wait", "1s", "--commit", "HEAD"), "'HEAD' is no sha"),
        (("--commit", "a" * 40), "--commit says what to wait for"),
    ],
)
def test_what_cannot_be_waited_for_is_told(arguments: tuple[str, ...], wrong: str, host: Host) -> None:
    answer = host.run("status", *arguments)
    assert (answer.code, answer.out) == (3, "")
    assert wrong in answer.err


@pytest.mark.parametrize(
    ("words", "typed", "offered"),
    [
        ((), "us", ["user"]),
        (("user",), "fx-m", ["fx-majors-01", "fx-majors-02"]),
        (("user", "fx-majors-01"), "", []),
        (("nothing",), "", []),
    ],
)
def test_tab_offers_kinds_and_names(words: tuple[str, ...], typed: str, offered: list[str], synced: Host) -> None:
    asked = ShellComplete(cli, {}, "reconciler", "_RECONCILER_COMPLETE")
    place = ["--repo", str(synced.repo.path), "--state", str(synced.state)]
    assert [item.value for item in asked.get_completions([*place, "open", *words], typed)] == offered


@pytest.mark.slow
def test_waiting_needs_no_daemon(synced: Host) -> None:
    assert synced.run("status", "--wait", "1m").code == 0
    live = synced.repo.git("rev-parse", "HEAD")
    slip = synced.edit("accounts/cv-eurusd.yaml", "leverage: 30", "leverage: 1:30")
    assert synced.run("status", "--wait", "0s", "--commit", slip).code == 3
    assert synced.run("sync").code == 1
    assert synced.run("status", "--wait").code == 1
    assert synced.run("status", "--wait", "1m", "--commit", slip[:7]).code == 1
    assert synced.run("status", "--wait", "1m", "--commit", live).code == 0


@pytest.mark.slow
def test_a_daemon_is_looked_at(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(host.repo.path, host.state, {"HISTORY_URL": "duckdb"}) as daemon:
        daemon.client()
        first = host.repo.git("rev-parse", "HEAD")
        assert host.run("status", "--wait").code == 0
        good = host.edit("users/fx-majors-01.yaml", "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")
        assert host.run("status", "--wait", "--commit", good).code == 0
        slip = host.edit("accounts/cv-eurusd.yaml", "leverage: 30", "leverage: 1:30")
        assert host.run("status", "--wait", "--commit", slip).code == 1
        assert host.run("status", "--wait", "--commit", first).code == 0
        asked = host.run("status", "--wait", "1s", "--commit", "f" * 40)
        assert (asked.code, "hint: `reconciler logs`" in asked.err) == (3, True), asked
        told = [line.replace(str(host.repo.path), "REPO") for line in daemon.log().splitlines() if line]
        assert host.run("logs").out.splitlines() == told
        found = host.run("logs", "--level", "warn", "--format", "json")
        assert [json.loads(line)["event"] for line in found.out.splitlines()] == ["Refused"]
        address = f"http://{daemon.status()['daemon']['address']}"
        _browse_with(tmp_path, monkeypatch)
        for words, path in (
            ((), "/"),
            (("account", "cv-eurusd"), "/resources/account/cv-eurusd"),
            (("Accounts",), "/resources/accounts"),
            ((good[:9],), f"/versions/{good}"),
        ):
            assert host.run("open", *words).out == f"{address}{path}\n"
            assert (tmp_path / "opened").read_text(encoding="utf-8") == f"{address}{path}"
        (tmp_path / "opened").unlink()
        host.run("open", "--print")
        assert not (tmp_path / "opened").exists()
        for words, hint in ((("acount", "x"), "did you mean account?"), (("acount",), "did you mean account?")):
            assert (host.run("open", *words).code, hint in host.run("open", *words).err) == (3, True)
    assert host.run("logs", "-n", "1").out.split()[2] == "Stopping"
    assert host.run("open").code == 3


def _browse_with(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a program stand for the browser that notes what it is to open."""
    script = folder / "browser"
    script.write_text(f'#!{sys.executable}\nimport sys\nopen({str(folder / "opened")!r}, "w").write(sys.argv[1])\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setitem(os.environ, "BROWSER", f"{script} %s")
