"""A state folder, a history and the keys of Redis that an older version left: nothing in them is lost."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clickhouse_connect
import duckdb
import pytest

from reconciler import canonical
from reconciler.adapters.duckdb.state import FORMAT_VERSION
from reconciler.adapters.duckdb.store import open_reader, open_store
from reconciler.adapters.redis.cache import RedisCache, ViewReader
from reconciler.adapters.redis.connection import connect
from reconciler.tables.view import is_behind
from tests.cli.conftest import Host
from tests.conftest import DAWN
from tests.support.gitrepo import GitRepo
from tests.support.kinds import FixedClock
from tests.support.oldstate import FX, ORIGIN
from tests.support.valkey import MB, server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.redis.connection import Connection
    from tests.conftest import Ticks

OLD = sorted((Path(__file__).parents[1] / "data").glob("state-*.tar.xz"))
"""What `tests/support/oldstate.py` has made, one by each version that is to be remembered."""
WRITTEN_ANEW = {"conditions", "troubles", "daemon"}
"""What `status` says of now, in words that may change."""
OF_THE_REFUSED = "blame user "
"""It gave what the head says, which was refused: the older version was wrong about the live row."""
DAY = timedelta(days=1)
RISK_NOTE = re.compile(r"  \((?:loosens|tightens)[^)]*\)")
"""What later releases say behind the change of a field."""


@pytest.fixture(
    scope="module",
    params=[OLD[0], *(pytest.param(file, marks=pytest.mark.slow) for file in OLD[1:])],  # the first takes every upgrade
    ids=lambda file: file.name.partition(".")[0],
)
def unpacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is packed, and the repository."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(request.param) as tar:
        tar.extractall(folder, filter="data")
    repo = GitRepo.create(folder / "config")
    repo.git("fetch", "-q", str(folder / "config.bundle"), "+refs/heads/*:refs/heads/*", "--update-head-ok")
    repo.git("config", "remote.origin.url", ORIGIN)
    return folder


@pytest.fixture
def host(unpacked: Path, capsys: pytest.CaptureFixture[str], ticks: Ticks, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The host, a day after the older version has stopped there; not to be written to."""
    monkeypatch.setenv("RECONCILER_HOST_NAME", "desk-1")
    now = datetime.fromisoformat(answers(unpacked)["status"]["suspended"]["since"]) + DAY
    ticks.passed = int((now - DAWN).total_seconds())
    return Host(GitRepo(unpacked / "config"), unpacked / "state", capsys)


@pytest.fixture
def own_host(host: Host, tmp_path: Path) -> Host:
    """A copy of it, to be written to."""
    for one in ("config", "state"):
        shutil.copytree(host.state.with_name(one), tmp_path / one, symlinks=True)
    return Host(GitRepo(tmp_path / "config"), tmp_path / "state", host.capture)


@pytest.fixture
def redis_url(unpacked: Path) -> Iterator[str]:
    """A server with the keys; the times in them are as if they had been written just now."""
    held = json.loads((unpacked / "redis.json").read_text(encoding="utf-8"))
    with server() as running:
        with connect(running.url, answer_timeout=5) as link:
            seconds, microseconds = link.ask("TIME")
            load(link, held["keys"], int(seconds) * 1000 + int(microseconds) // 1000 - held["now"])
        yield running.url


@pytest.fixture
def link(redis_url: str) -> Iterator[Connection]:
    """A link to it."""
    with connect(redis_url, answer_timeout=5) as opened:
        yield opened


def answers(unpacked: Path) -> dict[str, Any]:
    """What the older version said, by command."""
    found: dict[str, Any] = json.loads((unpacked / "answers.json").read_text(encoding="utf-8"))
    return found


def load(link: Connection, keys: dict[str, Any], later: int) -> None:
    """Fill a server with keys of sessions and of the live view; the times in them are so many milliseconds later."""
    for key, held in keys.items():
        value, is_sessions = held["value"], key.endswith(":sessions") or key == "sessions:owners"
        if held["type"] == "string":
            link.ask("SET", key, str(int(value) + later) if key.endswith(":ended") else value)
        elif held["type"] == "hash":
            moment = value.get("last_active")
            moved = {"last_active": _later(moment, later)} if moment else {}
            link.ask("HSET", key, *(part for pair in (value | moved).items() for part in pair))
        elif held["type"] == "set":
            link.ask("SADD", key, *value)
        elif held["type"] == "zset":
            pairs = ((f"{score + later * is_sessions:.0f}", member) for member, score in value)
            link.ask("ZADD", key, *(part for pair in pairs for part in pair))
        else:
            for entry, fields in value:
                link.ask("XADD", key, entry, *(part for pair in fields.items() for part in pair))
        if held["ttl"] > 0:
            link.ask("PEXPIRE", key, held["ttl"])


def _later(moment: str, milliseconds: int) -> str:
    moved = datetime.fromisoformat(moment) + timedelta(milliseconds=milliseconds)
    return moved.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def assert_holds(new: Any, old: Any, where: str) -> None:
    """All that an older answer had is in a new one; objects may have more fields than they had, texts more notes."""
    if isinstance(old, dict):
        assert isinstance(new, dict), where
        for name, value in old.items():
            assert name in new, f"{where}: no {name}"
            assert_holds(new[name], value, f"{where}.{name}")
    elif isinstance(old, list):
        assert isinstance(new, list), where
        assert len(new) == len(old), where
        for number, pair in enumerate(zip(new, old, strict=True)):
            assert_holds(*pair, f"{where}[{number}]")
    else:
        assert (RISK_NOTE.sub("", new) if isinstance(new, str) else new) == old, where


def ask(host: Host, what: str) -> Any:
    """What a command says as JSON."""
    answer = host.run(*what.split(), "--format", "json")
    assert answer.code in (0, 2), answer.err
    return json.loads(answer.out)


def test_there_is_an_old_state() -> None:
    assert OLD
    assert all(file.stat().st_size < 400_000 for file in OLD)


@pytest.mark.slow
def test_every_answer_is_still_given(host: Host, unpacked: Path) -> None:
    for what, said in answers(unpacked).items():
        if not what.startswith(("session", OF_THE_REFUSED)):
            lasting = {name: said[name] for name in said.keys() - WRITTEN_ANEW} if what == "status" else said
            assert_holds(ask(host, what), lasting, what)


@pytest.mark.slow
def test_blame_is_of_the_live_row_now(host: Host) -> None:
    told = {field["field"]: field for field in ask(host, f"{OF_THE_REFUSED}fx-majors-01")["fields"]}
    risk = told["risk_per_trade_percent"]
    assert (risk["value"], risk["height"]) == (0.5, 2)
    assert ask(host, "get user fx-majors-01")["risk_per_trade_percent"] == risk["value"]


@pytest.mark.slow
def test_it_goes_on_from_there(own_host: Host, unpacked: Path) -> None:
    before = answers(unpacked)
    assert own_host.run("resume").code == 0
    commit = own_host.edit(FX, "risk_per_trade_percent: 4.0", "risk_per_trade_percent: 0.6")
    told = own_host.run("sync")
    assert told.code == 0, told.err
    status = ask(own_host, "status")
    assert (status["applied"]["commit"], status["refused"], status["suspended"]) == (commit, None, None)
    assert status["resources"] == before["status"]["resources"]
    newest, *others = ask(own_host, "log -n 100")
    assert newest["commit"] == commit
    lasting = [
        {name: value for name, value in one.items() if one.get("fate") != "live" or name not in ("fate", "live")}
        for one in before["log -n 100"]
    ]
    assert_holds(others, lasting, "log")
    verified = ask(own_host, "verify")
    assert (verified["commits"], verified["differences"]) == (before["verify"]["commits"] + 1, [])


def test_what_was_live_is_known_from_its_host_events(own_host: Host, unpacked: Path) -> None:
    applied = answers(unpacked)["status"]["applied"]
    with open_store(own_host.state, FixedClock()) as store:
        newest = store.live_at(datetime.now(UTC))
        assert newest is not None
        assert (newest.commit, canonical.timestamp(newest.since)) == (applied["commit"], applied["applied_at"])
        known = store.intervals_after(0, 1_000)
        assert len(known) == sum(event.event == "applied" for event in store.events_after(0, 1_000))


@pytest.mark.slow
def test_a_backup_in_it_can_be_restored(own_host: Host, unpacked: Path) -> None:
    before = answers(unpacked)
    [backup] = (own_host.state / "backups").iterdir()
    restored = own_host.run("restore", str(backup))
    assert restored.code == 0, restored.err
    assert ask(own_host, "status")["suspended"] == before["status"]["suspended"]
    assert own_host.run("resume").code == 0
    commit = own_host.edit(FX, "risk_per_trade_percent: 4.0", "risk_per_trade_percent: 0.5")
    told = own_host.run("sync", "--approve", commit)
    assert told.code == 0, told.err
    assert_holds(ask(own_host, "get account"), before["get account"], "get account")
    assert ask(own_host, "verify")["differences"] == []


@pytest.mark.slow
def test_sessions_go_on(host: Host, unpacked: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_REDIS_URL", redis_url)
    for what, said in answers(unpacked).items():
        if what.startswith("session"):
            assert_holds(without_moments(ask(host, what)), without_moments(said), what)


def without_moments(said: Any) -> Any:
    """An answer about sessions without what stands in another time here."""
    if isinstance(said, dict):
        return {name: without_moments(one) for name, one in said.items() if name != "last_active"}
    return [without_moments(one) for one in said] if isinstance(said, list) else said


@pytest.mark.slow
def test_the_live_view_is_taken_as_it_is(host: Host, unpacked: Path, link: Connection) -> None:
    reader = open_reader(host.state)
    assert reader is not None
    with reader:
        assert not is_behind(RedisCache(link, MB).state(), reader.applied())
    for said in answers(unpacked)["get user"]:
        row = ViewReader(link).row("user", said["name"])
        assert row == {name: value for name, value in said.items() if name != "name"}


def test_an_older_store_becomes_what_a_new_one_is(own_host: Host, tmp_path: Path) -> None:
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() WHERE schema_name = 'gitops'"
    )
    found = []
    for folder in (own_host.state, tmp_path / "new"):
        with open_store(folder, FixedClock()):
            """Opening it upgrades it, or makes it."""
        with duckdb.connect(str(folder / "state.duckdb"), read_only=True) as store:
            found.append(store.execute(f"{columns} ORDER BY ALL").fetchall())
    assert found[0] == found[1]


def test_reading_upgrades_an_older_store(own_host: Host) -> None:
    before = ask(own_host, "status")
    with duckdb.connect(str(own_host.state / "state.duckdb"), read_only=True) as store:
        assert store.execute("SELECT version FROM gitops.format").fetchone() == (FORMAT_VERSION,)
    assert ask(own_host, "status") == before


@pytest.mark.slow
def test_a_newer_store_is_refused_in_words(own_host: Host) -> None:
    newer = FORMAT_VERSION + 1
    with duckdb.connect(str(own_host.state / "state.duckdb")) as store:
        store.execute("UPDATE gitops.format SET version = ?", [newer])
    for command in ("status", "sync", "verify", "get user", "drift", "suspend --reason x"):
        told = own_host.run(*command.split())
        assert told.code == 3, command
        assert f"has format {newer}, this version of reconciler reads formats 3 to {newer - 1}" in told.err, command
        assert "hint: update reconciler" in told.err, command


@pytest.mark.slow
def test_a_newer_history_is_refused_in_words(own_host: Host) -> None:
    counting = "SELECT count() FROM config_history.config_versions"
    with clickhouse_connect.get_client(interface="chdb", path=str(own_host.state / "history")) as engine:
        engine.command("ALTER TABLE config_history.config_versions MODIFY COMMENT 'reconciler history, format 3'")
        before = engine.query(counting).result_rows
    assert own_host.run("resume").code == 0
    commit = own_host.edit(FX, "risk_per_trade_percent: 4.0", "risk_per_trade_percent: 0.6")
    for command in ("sync", "log", "history user fx-majors-01", "verify"):
        told = own_host.run(*command.split())
        assert told.code == 3, command
        assert "/history has format 3, this version of reconciler reads format 2" in told.err, command
        assert "hint: update reconciler" in told.err, command
    assert ask(own_host, "status")["applied"]["commit"] == commit, "rows do not wait for a history"
    with clickhouse_connect.get_client(interface="chdb", path=str(own_host.state / "history")) as engine:
        assert engine.query(counting).result_rows == before
