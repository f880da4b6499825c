"""A host that looks at a repository once, as a command and as a daemon do, and what is to be seen of it then."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from reconciler.adapters.duckdb.store import open_reader
from reconciler.backoff import Backoff
from reconciler.cli.main import run
from reconciler.daemon.control import DaemonControl, HostState
from reconciler.daemon.loop import Intervals, Loop
from reconciler.errors import ReconcilerError
from reconciler.kinds.build import stored_kinds
from reconciler.report.status import build_status
from tests.daemon.hosts import host
from tests.support.gitrepo import environment
from tests.support.patience import DEADLINE, NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from reconciler import answers
    from reconciler.status import Status


@dataclass(frozen=True)
class Seen:
    """What a look came to. `code` is the exit code of `sync`, `reasons` are those of troubles; `held`: not ready."""

    code: int
    words: str
    risk: float | None
    reasons: tuple[str, ...]
    sync: str
    health: str
    held: bool


@dataclass(frozen=True)
class Place:
    """A repository as settings name it, and the state folder of a host."""

    origin: str
    state: Path
    capture: pytest.CaptureFixture[str]
    settings: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command: its exit code, and what it said."""
        given = {"HISTORY_URL": "none", "REDIS_URL": "none", **self.settings}
        variables = {**environment(), **{f"RECONCILER_{name}": value for name, value in given.items()}}
        self.capture.readouterr()
        with patch.dict("os.environ", variables, clear=True):
            code = run([*arguments, "--repo", self.origin, "--state", str(self.state)])
        said = self.capture.readouterr()
        return code, said.out, said.err

    def risk(self) -> float | None:
        """What robots obey: ann's risk; None when she is not there."""
        store = open_reader(self.state)
        if store is None:
            return None
        with store:
            kind = stored_kinds(store.kinds()).find("user")
            live = store.live(kind, "ann") if kind else ()
            return float(live[0].values["risk_per_trade_percent"]) if live else None

    def look_once(self, *arguments: str) -> Seen:
        """Sync and ask for the status, as two commands."""
        code, _, words = self.run("sync", *arguments)
        asked, out, _ = self.run("status", "--format", "json")
        status: dict[str, Any] = json.loads(out) if asked == 0 else {"troubles": [], "sync": "", "health": ""}
        reasons = tuple(trouble["reason"] for trouble in status["troubles"])
        held = any(trouble["outlook"] == "Stalled" for trouble in status["troubles"])
        return Seen(code, words, self.risk(), reasons, status["sync"], status["health"], held)


@dataclass
class Following:
    """A daemon's host and its loop, which looks when it is told to."""

    place: Place
    loop: Loop
    control: DaemonControl
    state: HostState

    def status(self) -> Status:
        """How it stands."""
        return self.state.status()

    def look(self) -> Seen:
        """Look at git, as after a poll."""
        failed = self.control.sync("a test").exception(DEADLINE)
        status = self.status()
        reasons = tuple(trouble.reason for trouble in status.troubles)
        hint = failed.hint if isinstance(failed, ReconcilerError) else ""
        words = f"{failed or ''} {hint} {[(one.message, one.hint) for one in status.troubles]}"
        told: answers.Status = build_status(status)
        self.loop.submit(lambda beat: self.state._host.deps.store.close_idle()).result(DEADLINE)
        held = self.state.hold() is not None
        return Seen(3 if failed else 0, words, self.place.risk(), reasons, told.sync, told.health, held)


@contextmanager
def following(place: Place, **settings: str) -> Iterator[Following]:
    """The daemon of a place."""
    with host(place.origin, place.state, **{**place.settings, **settings}) as desk:
        loop = Loop(desk, desk.deps.conditions, Backoff, Intervals(poll=NEVER, scan=NEVER), str)
        with loop:
            yield Following(place, loop, DaemonControl(desk, loop), HostState(desk, loop, lambda: ""))
