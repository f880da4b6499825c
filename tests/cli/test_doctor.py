"""`doctor` on real hosts that are ill in one way each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest

from reconciler.adapters.clickhouse.ledger import open_ledger
from reconciler.adapters.duckdb.store import open_store
from reconciler.adapters.lock import DAEMON_FILE, LOCK_FILE, hold_folder
from reconciler.adapters.machine import SystemClock
from reconciler.adapters.redis.connection import connect
from reconciler.cli.main import run
from reconciler.ledger.connection import RecordedBranch
from tests.support.disks import tiny_disk
from tests.support.kinds import owner
from tests.support.valkey import server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Host

CHECKS = [
    *("settings", "git", "engines", "engines", "webhooks", "readers", "repository", "clone", "branch", "clock"),
    *("disk", "state", "permissions", "daemon", "store", "published", "history", "redis"),
]


@pytest.fixture(autouse=True)
def without_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is needed here, but where a test says so; and who else has a login here is no matter."""
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "none")
    monkeypatch.setenv("RECONCILER_HTTP_LOCAL_READS", "token")


@pytest.fixture
def begun(host: Host) -> Host:
    """A host that is well; nothing is live there, which takes a tenth of the time."""
    with open_store(host.state, SystemClock()) as store:
        store.bind(owner(host.repo.path.as_posix(), "main"))
    return host


def _found(host: Host, *options: str, code: int = 0) -> dict[str, dict[str, str]]:
    answer = host.run("doctor", "--format", "json", *options)
    assert answer.code == code, answer.out
    return {diagnosis["check"]: diagnosis for diagnosis in json.loads(answer.out)}


def test_a_host_that_is_well(host: Host) -> None:
    assert host.run("sync").code == 0
    answer = host.run("doctor", "--format", "json")
    found = json.loads(answer.out)
    assert answer.code == 0
    assert [one["check"] for one in found] == CHECKS
    assert {one["grade"] for one in found} == {"ok"}
    assert {one["hint"] for one in found} == {""}
    by_check = {one["check"]: one["message"] for one in found}
    assert by_check["store"].startswith("opens, and holds 28 rows of ")
    assert by_check["repository"] == "REPO can be read"
    text = host.run("doctor")
    assert text.out.splitlines()[-1] == "all is well"
    assert "ok       daemon       not running\n" in text.out


def test_before_the_first_sync_nothing_is_made(host: Host) -> None:
    found = _found(host, "--config", os.devnull)
    assert "is not there yet" in found["state"]["message"]
    assert "store" not in found
    assert not host.state.exists()


def test_settings_that_cannot_be_read(begun: Host, tmp_path: Path) -> None:
    (tmp_path / "reconciler.toml").write_text("[history]\nurl = 3\n", encoding="utf-8")
    found = _found(begun, "--config", str(tmp_path / "reconciler.toml"), code=1)
    assert found["settings"]["grade"] == "problem"
    assert "history.url is a text" in found["settings"]["message"]
    assert found["git"]["grade"] == "ok"
    assert "store" not in found


def test_no_git(begun: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = _found(begun, code=1)
    assert found["git"]["grade"] == "problem"
    assert "install git" in found["git"]["hint"]


def test_no_repository_and_no_branch(begun: Host, tmp_path: Path) -> None:
    found = _found(begun, "--branch", "mian", code=1)
    assert (found["repository"]["grade"], found["branch"]["grade"]) == ("ok", "problem")
    assert found["branch"]["hint"] == "did you mean main?"
    assert found["store"]["grade"] == "ok"
    (tmp_path / "bare").mkdir()
    begun.repo.path.joinpath(".git").rename(tmp_path / "gone")
    found = _found(begun, code=1)
    assert "is not in a git repository" in found["repository"]["message"]


@pytest.mark.slow
def test_a_shallow_clone(begun: Host, tmp_path: Path) -> None:
    begun.edit("users/fx-majors-01.yaml", "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")
    shallow = tmp_path / "shallow"
    source = begun.repo.path.as_uri()
    subprocess.run(["git", "clone", "--quiet", "--depth=1", source, str(shallow)], check=True, capture_output=True)
    answer = begun.run("doctor", "--format", "json")
    assert answer.code == 0
    begun.capture.readouterr()
    assert run(["doctor", "--repo", str(shallow), "--state", str(tmp_path / "none")]) == 0
    out = begun.capture.readouterr().out
    assert "warning  clone        this is a shallow clone" in out
    assert "git fetch --unshallow" in out
    assert out.endswith("0 problems, 1 warning\n")


def test_a_commit_from_the_future(begun: Host) -> None:
    """A test's clock stands in January."""
    begun.repo.commit({"x.txt": "x"}, when=datetime(2026, 3, 1, tzinfo=UTC))
    assert "ahead of this machine's clock" in _found(begun)["clock"]["message"]


def test_the_daemon_and_what_a_killed_one_left(begun: Host) -> None:
    with hold_folder(begun.state, SystemClock(), "reconciler run"):
        found = _found(begun)
        assert found["daemon"]["message"].startswith(f"running: process {os.getpid()}, since 2026-")
        text = (begun.state / LOCK_FILE).read_text(encoding="utf-8")
    (begun.state / LOCK_FILE).write_text(text, encoding="utf-8")
    (begun.state / DAEMON_FILE).write_text(text, encoding="utf-8")
    found = _found(begun)
    assert found["daemon"]["grade"] == "warning"
    assert "was killed and left daemon.lock and daemon.json" in found["daemon"]["message"]


HOLDING = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


@pytest.mark.slow
def test_a_store_that_somebody_has_open(begun: Host) -> None:
    command = [sys.executable, "-c", HOLDING, str(begun.state / "state.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        other.stdout.readline()
        found = _found(begun)
        assert found["store"]["grade"] == "warning"
        assert f"process {other.pid}" in found["store"]["message"]
        with hold_folder(begun.state, SystemClock(), "reconciler run"):
            assert _found(begun)["store"]["grade"] == "ok"
        other.stdin.close()


def test_a_store_that_is_damaged_or_another_repositorys(begun: Host) -> None:
    begun.repo.git("remote", "add", "origin", "https://token-not-for-messages@git.example/desk.git")
    assert _found(begun)["store"]["grade"] == "ok"
    with duckdb.connect(str(begun.state / "state.duckdb")) as store:
        store.execute("UPDATE gitops.owner SET roots = [repeat('7', 40)]")
    found = _found(begun, code=1)
    assert "belongs to the repository" in found["store"]["message"]
    assert "token-not-for-messages" not in json.dumps(found)
    (begun.state / "state.duckdb").write_bytes(b"nonsense" * 1000)
    found = _found(begun, code=1)
    assert "damaged" in found["store"]["message"]
    assert "git rebuilds it" in found["store"]["hint"]


@pytest.mark.skipif(os.name == "nt", reason="modes say nothing there")
def test_a_state_folder_that_others_may_look_into(begun: Host) -> None:
    begun.state.chmod(0o750)
    found = _found(begun, code=1)
    assert found["permissions"]["grade"] == "problem"
    assert found["permissions"]["hint"].startswith("chmod 700 ")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a folder away")
def test_a_state_folder_of_somebody_else(begun: Host) -> None:
    os.chown(begun.state, 12345, -1)
    found = _found(begun)
    assert found["permissions"]["grade"] == "warning"
    assert "another user (id 12345)" in found["permissions"]["message"]


@pytest.mark.slow
def test_a_read_only_and_a_full_disk(host: Host, tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk") as disk:
        (disk.folder / "state").mkdir(mode=0o700)
        options = ("--state", str(disk.folder / "state"))
        assert host.state != disk.folder
        disk.fill()
        found = _last(host, *options)
        assert (found["disk"]["grade"], found["state"]["grade"]) == ("problem", "problem")
        assert "0 B of 64 KB are free" in found["disk"]["message"]
        assert "no space left" in found["state"]["message"]
        disk.empty()
        disk.protect()
        assert "read-only file system" in _last(host, *options)["state"]["message"]


def _last(host: Host, *options: str) -> dict[str, dict[str, str]]:
    """What is found with options that stand last, after the host's own."""
    host.capture.readouterr()
    assert run(["doctor", "--format", "json", "--repo", str(host.repo.path), *options]) == 1
    return {diagnosis["check"]: diagnosis for diagnosis in json.loads(host.capture.readouterr().out)}


def test_a_history_that_cannot_be_reached(begun: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "clickhouse://default:not-for-messages@127.0.0.1:1/x")
    found = _found(begun, code=1)
    assert "127.0.0.1:1" in found["history"]["message"]
    assert found["store"]["grade"] == "ok"
    assert "not-for-messages" not in json.dumps(found)


@pytest.mark.slow
def test_the_embedded_history(begun: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "chdb")
    assert "nothing is recorded yet" in _found(begun)["history"]["message"]
    assert not (begun.state / "history").exists()
    with open_ledger("chdb", begun.state, RecordedBranch("any", "main"), SystemClock()):
        pass
    assert "answers: ClickHouse 2" in _found(begun)["history"]["message"]


@pytest.mark.slow
def test_redis_that_drops_what_it_has(begun: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    with server() as redis, connect(redis.url) as link:
        monkeypatch.setenv("RECONCILER_REDIS_URL", redis.url)
        told = [one for one in json.loads(begun.run("doctor", "--format", "json").out) if one["check"] == "redis"]
        assert [one["grade"] for one in told] == ["ok", "ok", "ok"]
        link.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        found = [one for one in json.loads(begun.run("doctor", "--format", "json").out) if one["grade"] == "problem"]
        assert [one["check"] for one in found] == ["redis"]
        assert "maxmemory-policy is allkeys-lru" in found[0]["message"]
        assert "noeviction" in found[0]["hint"]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://127.0.0.1:1/0", "no Redis server answers at 127.0.0.1:1"),
        ("redis://host:port", "is no URL of a Redis server"),
        ("none", "redis.url is none"),
    ],
)
def test_redis_that_is_not_there(begun: Host, monkeypatch: pytest.MonkeyPatch, url: str, says: str) -> None:
    monkeypatch.setenv("RECONCILER_REDIS_URL", url)
    found = _found(begun, code=0 if url == "none" else 1)
    assert says in found["redis"]["message"]
    assert found["redis"]["grade"] == ("ok" if url == "none" else "problem")


def test_redis_is_looked_at_also_where_the_repository_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECONCILER_REDIS_URL", "redis://127.0.0.1:1/0")
    assert run(["--repo", str(tmp_path / "gone"), "doctor"]) == 1
    assert "no Redis server answers at 127.0.0.1:1" in capsys.readouterr().out
