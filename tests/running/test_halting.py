"""Halting beside a daemon: everything else may be down or hung, and what is halted is off."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pytest

from reconciler.adapters.daemonfile import announce
from reconciler.adapters.duckdb.store import open_reader
from reconciler.adapters.redis.cache import ViewReader
from reconciler.adapters.redis.connection import connect
from reconciler.errors import RetryLater
from reconciler.kinds.build import stored_kinds
from reconciler.wiring import silent
from tests.running.hosts import DESK, Host
from tests.support.daemons import until
from tests.support.valkey import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.redis.connection import Connection

pytestmark = pytest.mark.slow

ON, OFF = {"ACTIVE"}, {"INACTIVE"}
EVERYTHING = ("--all", "--reason", "the feed is wrong")


@contextmanager
def hanging() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield listening.getsockname()[1]


def published(host: Host) -> set[str]:
    """What programs read beside the daemon."""
    with duckdb.connect(str(host.state / "live.duckdb"), read_only=True) as connection:
        return {status for (status,) in connection.execute("SELECT status FROM user_config").fetchall()}


def viewed(link: Connection) -> set[str]:
    """What programs find in Redis."""
    try:
        rows = [ViewReader(link).row("user", name) for name in DESK]
    except RetryLater:
        return set()
    return {str(row["status"]) for row in rows if row is not None}


def stored(host: Host) -> set[str]:
    """What whoever opens the store next finds there first."""
    reader = open_reader(host.state)
    assert reader is not None
    with reader:
        kind = next(kind for kind in stored_kinds(reader.kinds()) if kind.table == "user_config")
        return {str(row.values["status"]) for row in reader.live(kind)}


def test_followers_hear_of_a_halt_and_of_its_end(tmp_path: Path) -> None:
    with server() as redis:
        host = Host.create(tmp_path, REDIS_URL=redis.url)
        with host.daemon() as daemon, connect(redis.url, answer_timeout=5) as link:
            until(lambda: (host.state / "live.duckdb").exists() and viewed(link) == ON, daemon.log)
            assert host.run("halt", *EVERYTHING).code == 0
            until(lambda: (viewed(link), published(host)) == (OFF, OFF), daemon.log)
            host.risk("ann", 0.75)
            daemon.await_status(lambda said: said["applied"]["height"] == 2)
            until(lambda: (viewed(link), published(host)) == (OFF, OFF), daemon.log)
            verified = json.loads(host.run("verify", "--format", "json").out)
            assert verified["differences"] == []
            assert host.run("release", "--all", "--reason", "it is well").code == 0
            until(lambda: (viewed(link), published(host)) == (ON, ON), daemon.log)


def test_a_daemon_that_was_stopped_or_killed_obeys_first_of_all(tmp_path: Path) -> None:
    host = Host.create(tmp_path, REDIS_URL="none")
    with host.daemon() as daemon:
        until((host.state / "live.duckdb").exists)
        daemon.process.send_signal(signal.SIGSTOP)
        answer = host.run("halt", *EVERYTHING)
        assert (answer.code, "halts.json" in answer.out + answer.err or stored(host) == OFF) == (0, True), answer
        listed = host.run("halt")
        assert (listed.code, "halted --all by" in listed.out, "so says halts.json" in listed.out) == (0, True, True)
        daemon.process.send_signal(signal.SIGCONT)
        until(lambda: published(host) == OFF, daemon.log)
        assert host.run("release", "--all", "--reason", "well").code == 0
        until(lambda: published(host) == ON, daemon.log)
        daemon.kill()
    assert host.run("halt", *EVERYTHING).code == 0
    assert stored(host) == OFF
    host.risk("ann", 0.75)
    assert host.run("sync").code == 0
    assert stored(host) == OFF


def test_a_stopped_daemon_is_waited_for_by_nobody(tmp_path: Path) -> None:
    """What its files can answer is answered, and told as such; what only it can do is refused at once."""
    host = Host.create(tmp_path, REDIS_URL="none")
    with host.daemon() as daemon:
        until((host.state / "live.duckdb").exists)
        until(lambda: _is_free(host), daemon.log)
        daemon.process.send_signal(signal.SIGSTOP)
        whose = f"note: the daemon (process {daemon.process.pid}) is stopped"
        try:
            assert host.run("halt", *EVERYTHING).code == 0
            released = host.run("release", "--all", "--reason", "well")
            assert (released.code, whose in released.err) == (0, True), released
            assert _is_free(host)
            status = host.run("status", "--format", "json")
            assert (status.code, whose in status.err) == (0, True), status
            said = json.loads(status.out)
            assert (said["daemon"], [one["reason"] for one in said["troubles"]]) == (None, ["Stopped"])
            assert (host.run("get", "user").code, host.run("drift").code) == (0, 0)
            suspended = host.run("suspend", "--reason", "why")
            assert (suspended.code, "is stopped" in suspended.err) == (3, True), suspended
            with holding(host):
                held = host.run("status")
            assert (held.code, "is stopped" in held.err, "kill -CONT" in held.err) == (3, True, True), held
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        until(lambda: published(host) == ON, daemon.log)


def test_a_daemon_that_hangs_is_not_waited_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silent, "SILENCE", 0.2)
    host = Host.create(tmp_path, REDIS_URL="none")
    assert host.run("sync").code == 0
    with hanging() as port, announce(host.state, f"127.0.0.1:{port}", "token"):
        released = [host.run("halt", *EVERYTHING), host.run("release", "--all", "--reason", "well")]
        status = host.run("status")
        for answer in (*released, status):
            assert (answer.code, "does not answer" in answer.err) == (0, True), answer
        assert "does not answer" in status.out
        assert stored(host) == ON


@contextmanager
def holding(host: Host) -> Iterator[None]:
    """Another process has the store."""
    code = "import duckdb, sys; store = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(host.state / "state.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield


def _is_free(host: Host) -> bool:
    """Whether no other process has the store."""
    try:
        with duckdb.connect(str(host.state / "state.duckdb")):
            return True
    except duckdb.IOException:
        return False


def test_a_kind_whose_tables_are_in_the_way_is_named(tmp_path: Path) -> None:
    host = Host.create(tmp_path, REDIS_URL="none")
    assert host.run("sync").code == 0
    with duckdb.connect(str(host.state / "state.duckdb")) as store:
        own = "SELECT index_name FROM duckdb_indexes() WHERE table_name = 'user_config' AND schema_name = 'main'"
        for (index,) in store.execute(own).fetchall():
            store.execute(f'DROP INDEX main."{index}"')
        store.execute("ALTER TABLE main.user_config DROP COLUMN status")
        store.execute("CREATE TABLE main.theirs (them UUID REFERENCES main.user_config (user_id))")
        store.execute("INSERT INTO main.theirs SELECT user_id FROM main.user_config")
    halted = host.run("halt", *EVERYTHING, "--format", "json")
    said = json.loads(halted.out)
    assert (halted.code, list(said["failed"]), said["applied"]) == (1, ["User"], False), halted
    assert "User does NOT obey: its rows stay as they were" in halted.err
    status = json.loads(host.run("status", "--format", "json").out)
    assert "NotSwitchedOff" in [one["reason"] for one in status["troubles"]]
    assert "User does NOT obey" in host.run("halt").out
    with duckdb.connect(str(host.state / "state.duckdb")) as store:
        store.execute("DROP TABLE main.theirs")
    assert host.run("sync").code == 0, "whoever opens the store tries again"
    assert (host.run("halt").code, stored(host)) == (0, OFF)
    assert "NOT obey" not in host.run("halt").out
    assert (host.run("release", "--all", "--reason", "well").code, stored(host)) == (0, ON)


def test_it_needs_neither_git_nor_redis_nor_a_history(tmp_path: Path) -> None:
    """The repository's server is gone; Redis and ClickHouse take the connection and say nothing."""
    with hanging() as port:
        settings = {"REDIS_URL": f"redis://127.0.0.1:{port}", "HISTORY_URL": f"clickhouse://127.0.0.1:{port}"}
        host = Host.elsewhere(tmp_path, **settings)
        with host.daemon() as daemon:
            until((host.state / "live.duckdb").exists)
            host.repo.path.rename(tmp_path / "gone")
            daemon.await_status(lambda said: bool(said["troubles"]))
            assert host.run("halt", *EVERYTHING).code == 0
            until(lambda: published(host) == OFF, daemon.log)
