"""Real daemons for tests: each a process of its own, found by its `daemon.json` as commands find it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from reconciler.adapters.daemonfile import find_daemon
from reconciler.errors import ReconcilerError
from tests.support.asking import AskedDaemon
from tests.support.patience import DEADLINE, PAUSE, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


class RunningDaemon:
    """A daemon. `settings` are RECONCILER_ variables without that prefix, `variables` are others."""

    def __init__(
        self,
        repository: str,
        state: Path,
        settings: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.state = state
        self.said = state.with_name(f"{state.name}.stderr")
        given = {"HTTP_LISTEN": "127.0.0.1:0", "HISTORY_URL": "none", "REDIS_URL": "none", **(settings or {})}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")}
        with self.said.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "reconciler", "run", "--repo", repository, "--state", str(state)],
                env={**kept, **(variables or {}), **{f"RECONCILER_{name}": value for name, value in given.items()}},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )

    def client(self) -> AskedDaemon:
        """A way to talk to it, once it listens."""
        until(lambda: self._found() is not None, self.log)
        found = self._found()
        assert found is not None
        return AskedDaemon(found.address, found.token)

    def status(self) -> dict[str, Any]:
        """What it says about itself."""
        return self.client().status()

    def await_status(self, holds: Callable[[dict[str, Any]], bool], seconds: float = DEADLINE) -> dict[str, Any]:
        """What it says as soon as something holds."""
        client, last = self.client(), {}

        def done() -> bool:
            nonlocal last
            try:
                last = client.status()
            except ReconcilerError:
                return False
            return holds(last)

        until(done, lambda: f"{last}\n{self.log()}", seconds)
        return last

    def await_live(self, commit: str, seconds: float = DEADLINE) -> dict[str, Any]:
        """What it says once this commit is live."""
        return self.await_status(lambda said: (said["applied"] or {}).get("commit") == commit, seconds)

    def await_log(self, words: str, seconds: float = DEADLINE) -> None:
        """Wait until it has written something on stderr."""
        until(lambda: words in self.log(), lambda: f"{words!r} is not in: {self.log()}", seconds)

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """The host events in its store, oldest first, with their details; it lets go of the store in between."""
        with turn(self.state) as store:
            records = store.execute("SELECT event, detail FROM gitops.events ORDER BY seq").fetchall()
        return [(event, json.loads(detail)) for event, detail in records]

    def stop(self) -> int:
        """Ask for its end, and wait for it; its exit code."""
        self.process.terminate()
        return self.process.wait(DEADLINE)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        self.process.wait(DEADLINE)

    def log(self) -> str:
        """What it wrote on stderr so far, it and others before it on this state folder."""
        return self.said.read_text(encoding="utf-8", errors="replace")

    def _found(self) -> Any:
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}: {self.log()}")
        found = find_daemon(self.state)
        return found if found is not None and found.pid == self.process.pid else None


@contextmanager
def running(
    repository: str | Path,
    state: Path,
    settings: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[RunningDaemon]:
    """A daemon that is stopped at the end, and has to end well."""
    daemon = RunningDaemon(str(repository), state, settings, variables)
    try:
        yield daemon
        if daemon.process.poll() is None:
            assert daemon.stop() == 0, daemon.log()
    finally:
        if daemon.process.poll() is None:
            daemon.kill()


@contextmanager
def turn(state: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The store of a state folder in the hands of another program, which waits its turn as all of them have to."""
    limit = time.monotonic() + DEADLINE
    while True:
        try:
            store = duckdb.connect(str(state / "state.duckdb"))
            break
        except duckdb.IOException:
            assert time.monotonic() < limit, "the store does not come free"
            time.sleep(PAUSE)
    with store:
        yield store
