"""A hundred halts, each while something else is down, hangs, is full or was killed: rows are off, and none is half so.

`TEST_EVENTS` is how many, `TEST_SEED` which. What it measures is printed: seconds until the command was back, and from
the moment that the halt was taken until its rows were off.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.haltfile import HaltFile
from tests.running.hosts import DESK, Host
from tests.running.test_halting import OFF, ON, hanging, stored
from tests.support import githttp
from tests.support.daemons import until
from tests.support.disks import tiny_disk
from tests.support.injected import injecting
from tests.support.patience import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.daemons import RunningDaemon
    from tests.support.disks import Disk
    from tests.support.githttp import GitServer

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3 * 3600)]

HALTS = int(os.environ.get("TEST_EVENTS", "100"))
STATES = (
    "works",
    "commits",
    "stopped",
    "killed",
    "killed at a step",
    "killed at a step",
    "git gone",
    "git hangs",
    "ClickHouse and Redis hang",
    "disk full",
    "no daemon",
)
STEPS = (
    "reconciler.service.halts:HaltDesk.halt",
    "reconciler.adapters.haltfile:_encode",
    "reconciler.adapters.duckdb.store:DuckDBStore.obey",
    "reconciler.adapters.duckdb.halts:write_halts",
    "reconciler.adapters.duckdb.state:add_event",
    "reconciler.tables.rows:rows_under",
    "reconciler.daemon.host:Host.tell_halted",
    "reconciler.report.halts:build_halted",
)
"""Where a daemon that halts is killed: before the file, in and after the transaction, before it answers."""
DISK = 48_000
"""Kilobytes of the small disk."""


@dataclass
class World:
    """A host whose repository is behind a git server, and one whose state folder is on a small disk."""

    plain: Host
    small: Host
    disk: Disk | None
    git: GitServer
    hanging: int
    chance: random.Random
    number: int = 0
    back: dict[str, list[float]] = field(default_factory=dict)
    off: dict[str, list[float]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)


@contextmanager
def world(folder: Path, chance: random.Random) -> Iterator[World]:
    with ExitStack() as stack:
        plain = Host.create(folder / "plain", REPOSITORY_POLL_INTERVAL="1s", REDIS_URL="none")
        git = stack.enter_context(githttp.serving(plain.repo.path.parent))
        git.patience = DEADLINE
        plain.origin = f"{git.url}/{plain.repo.path.name}"
        small = Host.create(folder / "small", REDIS_URL="none", HISTORY_URL="duckdb")
        disk = None
        if sys.platform == "linux" and os.geteuid() == 0:
            disk = stack.enter_context(tiny_disk(small.state, DISK))
        for host in (plain, small):
            assert host.run("sync").code == 0
        yield World(plain, small, disk, git, stack.enter_context(hanging()), chance)


def halt(host: Host, reason: str) -> tuple[dict[str, Any], float]:
    """Halt all by a command of its own process: what it answered, and after how many seconds."""
    command = [sys.executable, "-m", "reconciler", "halt", "--all", "--reason", reason, "--format", "json"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")}
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--repo", host.origin, "--state", str(host.state)],
        env=kept | {f"RECONCILER_{name}": value for name, value in host.settings.items()},
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    seconds = time.monotonic() - began
    assert done.returncode == 0, done
    return json.loads(done.stdout), seconds


def seconds_until_off(host: Host) -> float:
    """From the moment that the halt was taken until the store was written last: its rows were off by then."""
    written = [file.stat().st_mtime for file in host.state.glob("state.duckdb*") if file.suffix in (".duckdb", ".wal")]
    return min(max(written), time.time()) - HaltFile(host.state).read().standing[-1].since.timestamp()


def commit(world: World, host: Host) -> None:
    host.risk(world.chance.choice(DESK), 0.5 + world.number / 1000)


def disturb(world: World, state: str, host: Host, daemon: RunningDaemon) -> None:
    """What is wrong at the moment of the halt, or a little before it."""
    if state == "stopped":
        time.sleep(world.chance.uniform(0, 3))
        daemon.process.send_signal(signal.SIGSTOP)
    elif state in ("killed", "commits"):
        commit(world, host)
        time.sleep(world.chance.uniform(0, 0.3))
        if state == "killed":
            daemon.kill()
    elif state == "no daemon":
        daemon.stop()
    elif state == "git gone":
        world.git.status = 503
    elif state == "git hangs":
        world.git.silent.set()
        commit(world, host)
        time.sleep(world.chance.uniform(0, 2))
    elif state == "disk full":
        assert world.disk is not None
        world.disk.fill()
        commit(world, host)


def mend(world: World, state: str) -> None:
    world.git.status = 200
    world.git.silent.clear()
    if state == "disk full" and world.disk is not None:
        world.disk.empty()


def await_synced(daemon: RunningDaemon, told: str) -> None:
    """Wait until it is; of one that hangs the log says where each thread is."""
    try:
        daemon.await_status(lambda said: said["sync"] == "Synced")
    except AssertionError as error:
        if daemon.process.poll() is None:
            daemon.process.send_signal(signal.SIGABRT)
            daemon.process.wait(DEADLINE)
        raise AssertionError(f"{told}: {error}\n{daemon.log()[-8000:]}") from error


def halt_once(world: World, state: str) -> None:
    host = world.small if state == "disk full" else world.plain
    hang = f"127.0.0.1:{world.hanging}"
    settings = {"REDIS_URL": f"redis://{hang}", "HISTORY_URL": f"clickhouse://{hang}"} if "Redis" in state else {}
    step = world.chance.choice(STEPS)
    word = f"halt {world.number:04}:"
    variables = injecting(step, "kill", word) if state == "killed at a step" else {}
    told = f"{state} {step if variables else ''}"
    with host.starting({**variables, "PYTHONFAULTHANDLER": "1"}, **settings) as daemon:
        await_synced(daemon, told)
        disturb(world, state, host, daemon)
        answer, seconds = halt(host, f"{word} the feed is wrong")
        if variables:
            until(lambda: daemon.process.poll() is not None, lambda: f"it lives after {step}: {daemon.log()}")
        world.seen[f"{state}: {'off' if answer['applied'] else 'written'}"] += 1
        world.back.setdefault(state, []).append(seconds)
        if answer["applied"]:
            world.off.setdefault(state, []).append(seconds_until_off(host))
        if daemon.process.poll() is None:
            daemon.kill()
    mend(world, state)
    assert stored(host) == OFF, told
    verified = host.run("verify", "--format", "json")
    if state == "disk full":  # the history may lack what there was no room for
        assert host.run("sync").code == 0
        assert stored(host) == OFF, told
        verified = host.run("verify", "--format", "json")
    assert (verified.code, json.loads(verified.out)["differences"]) == (0, []), (told, verified)
    assert host.run("release", "--all", "--reason", "next").code == 0
    assert stored(host) == ON, told


def test_a_hundred_halts_whatever_happens(tmp_path: Path) -> None:
    """Each holds: the rows are off before whoever opens the store next does anything else, and never only some."""
    seed = int(os.environ.get("TEST_SEED", time.time_ns() % 100_000))
    print(f"TEST_SEED={seed}")  # noqa: T201
    chance = random.Random(seed)
    with world(tmp_path, chance) as where:
        states = [state for state in STATES if where.disk is not None or state != "disk full"]
        if where.disk is None:
            print("no disk could be mounted: no full one was tried")  # noqa: T201
        try:
            for number in range(HALTS):
                where.number = number
                halt_once(where, states[number % len(states)] if number < len(states) else chance.choice(states))
        finally:
            print("\n".join(figures(where)))  # noqa: T201


def figures(where: World) -> Iterator[str]:
    for what, measured in (("command back", where.back), ("taken to off", where.off)):
        yield f"{what}: {_spread([one for some in measured.values() for one in some])}"
        yield from (f"  {state}: {_spread(some)}" for state, some in measured.items())
    yield from (f"{count:4} {what}" for what, count in sorted(where.seen.items()))


def _spread(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return f"{len(seconds)}: {' '.join(f'{one:.3f}' for one in seconds)}"
    parts = quantiles(seconds, n=100, method="inclusive")
    return f"{len(seconds)}: p50 {parts[49]:.3f} s, p99 {parts[98]:.3f} s, most {max(seconds):.3f} s"
