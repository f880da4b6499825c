"""What programs read when a command halts, as no daemon can: the published copy and the live view are told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from unittest.mock import patch

import duckdb
import pytest

from reconciler.adapters.duckdb.store import open_reader
from reconciler.adapters.haltfile import HaltFile
from reconciler.adapters.redis.cache import Lease, RedisCache, ViewReader
from reconciler.adapters.redis.connection import connect
from reconciler.kinds.build import stored_kinds
from reconciler.model.halt import Halt, HaltSelector
from reconciler.model.live import ViewMark
from reconciler.tables.view import view_mark, view_writes
from tests.running.hosts import DESK, Host
from tests.support.valkey import MB, server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.redis.connection import Connection

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ON, OFF = {"ACTIVE"}, {"INACTIVE"}
HALT = ("halt", "--all", "--reason", "the feed is wrong")
RELEASE = ("release", "--all", "--reason", "it is well")


pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As hosts do by default."""
    monkeypatch.delenv("RECONCILER_PUBLISH_PATH")


@pytest.fixture
def url() -> Iterator[str]:
    with server() as redis:
        yield redis.url


@pytest.fixture
def link(url: str) -> Iterator[Connection]:
    with connect(url, answer_timeout=5) as opened:
        yield opened


def published(host: Host) -> set[str]:
    """What programs read beside the store."""
    with duckdb.connect(str(host.state / "live.duckdb"), read_only=True) as connection:
        return {status for (status,) in connection.execute("SELECT status FROM user_config").fetchall()}


def viewed(link: Connection) -> set[str]:
    """What programs find in Redis."""
    return {str(ViewReader(link).row("user", name)["status"]) for name in DESK}


def keep_view(host: Host, link: Connection) -> None:
    """Write the live view, as a daemon does that is dead by now."""
    reader = open_reader(host.state)
    assert reader is not None
    with reader:
        kinds, applied = stored_kinds(reader.kinds()), reader.applied()
        assert applied is not None
        RedisCache(link, 64 * MB).rebuild(list(view_writes(kinds, reader.base(kinds).rows())), view_mark(applied))


def test_a_command_takes_the_live_view_along(tmp_path: Path, url: str, link: Connection) -> None:
    host = Host.create(tmp_path, REDIS_URL=url)
    assert host.run("sync").code == 0
    assert host.run(*HALT).err.count("Redis") == 0, "without a view there is nothing to tell"
    host.run(*RELEASE)
    keep_view(host, link)
    mark = RedisCache(link, MB).state().mark
    halted = host.run(*HALT)
    assert (halted.code, halted.err.count("Redis"), viewed(link), published(host)) == (0, 0, OFF, OFF), halted
    assert host.run(*RELEASE).err.count("Redis") == 0
    assert (viewed(link), published(host), RedisCache(link, MB).state().mark) == (ON, ON, mark)
    link.ask("DEL", "config:keeper")
    assert not Lease(link, "another host")(99)
    kept = host.run(*HALT)
    assert (kept.code, viewed(link), published(host)) == (0, ON, OFF)
    assert "the live view in Redis was not told: another host keeps it" in kept.err
    host.run(*RELEASE)
    link.ask("DEL", "config:keeper")
    RedisCache(link, 64 * MB).rebuild([], ViewMark("f" * 40, "", 1))
    behind = host.run(*HALT)
    assert (behind.code, published(host)) == (0, OFF)
    assert "the live view in Redis was not told: it is not at the commit that was live" in behind.err


def test_a_server_that_is_away_keeps_nobody_from_halting(tmp_path: Path) -> None:
    host = Host.create(tmp_path, REDIS_URL="redis://127.0.0.1:9")
    assert host.run("sync").code == 0
    halted = host.run(*HALT)
    assert (halted.code, published(host)) == (0, OFF)
    assert "the live view in Redis was not told" in halted.err


def test_whoever_obeys_later_tells_them(tmp_path: Path, url: str, link: Connection) -> None:
    """Another process had the rows when somebody halted: the next command that opens them obeys."""
    host, file = Host.create(tmp_path, REDIS_URL=url), HaltFile(tmp_path / "state")
    assert host.run("sync").code == 0
    assert host.run("backup").code == 0
    keep_view(host, link)
    halt = Halt("a", HaltSelector(), "why", "me", NOW)
    file.change(lambda halts: halts.add(halt))
    assert (published(host), viewed(link)) == (ON, ON)
    assert host.run("get", "user", "ann").code == 0
    assert (published(host), viewed(link)) == (OFF, OFF)
    file.change(lambda halts: halts.release(halt.selector, "well", "me", NOW))
    assert host.run("suspend", "--reason", "why").code == 0
    assert (published(host), viewed(link)) == (ON, ON)
    file.change(lambda halts: halts.add(halt))
    assert host.run("restore", str(next((host.state / "backups").glob("*.duckdb")))).code == 0
    assert published(host) == OFF


def test_far_too_many_rows_are_left_to_the_daemon(tmp_path: Path, url: str, link: Connection) -> None:
    host = Host.create(tmp_path, REDIS_URL=url)
    assert host.run("sync").code == 0
    keep_view(host, link)
    with patch("reconciler.adapters.duckdb.obeying.MAX_TOLD", 3):
        halted = host.run(*HALT)
    assert (halted.code, viewed(link), published(host)) == (0, ON, OFF)
    assert "the live view in Redis was not told: so many rows" in halted.err
