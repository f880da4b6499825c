"""Commits that keep coming, and a daemon that is killed again and again meanwhile."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.adapters.clickhouse.ledger import open_ledger
from reconciler.ledger.connection import RecordedBranch
from tests.running.hosts import DESK, Host
from tests.support import configs
from tests.support.daemons import turn, until
from tests.support.kinds import FixedClock
from tests.support.patience import DEADLINE
from tests.support.processes import await_end, children

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.host import HostEvent
    from tests.support.daemons import RunningDaemon

POLICY = """-- Risk stays below five percent
SELECT 'too much' AS message, 'User' AS kind, name FROM desired.user_config WHERE risk_per_trade_percent > 5
"""


def desk(folder: Path, history: str) -> Host:
    """A host with a history and a policy, so that everything a daemon starts is started."""
    host = Host.create(folder, HISTORY_URL=history)
    host.repo.commit({"policies/risk.sql": POLICY}, "Limit the risk")
    return host


LONG_LIVES = 0.6
"""Of ten daemons, so many live until the first reconcile at least."""


@contextmanager
def commits(host: Host, chance: random.Random, pause: float) -> Iterator[None]:
    """Commits in the background, some of them invalid, some against the policy, some that rewrite history."""
    over = threading.Event()

    def storm() -> None:
        while not over.wait(chance.uniform(0, pause)):
            one_more(host, chance)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    host.repo.commit({f"users/{name}.yaml": configs.user(name, risk=0.5) for name in DESK}, "The storm is over")


def one_more(host: Host, chance: random.Random) -> None:
    """One more commit of some sort; a bad one is mended by the next."""
    name = chance.choice(DESK)
    path, good = f"users/{name}.yaml", configs.user(name, risk=chance.randrange(1, 400) / 100)
    match chance.randrange(8):
        case 0:
            host.repo.commit({path: configs.BROKEN}, "A slip")
        case 1:
            host.repo.commit({path: configs.user(name, risk=7.0)}, "Too much")
        case 2:
            host.repo.commit({path: good}, "Something else", parents=[host.repo.git("rev-parse", "main~1")])
    host.repo.commit({path: good}, "A change")


def kill_at_random(host: Host, chance: random.Random, longest: float) -> None:
    """One life of a daemon: up to so many seconds after it listens, or after it first was where git is."""
    with host.starting() as daemon:
        daemon.client()
        if chance.random() < LONG_LIVES:
            daemon.await_status(lambda said: said["daemon"]["last_sync_at"] is not None)
        time.sleep(chance.uniform(0, longest))
        started = children(daemon.process.pid)
        daemon.kill()
    await_end(started, DEADLINE)


def check_events(host: Host, daemon: RunningDaemon) -> int:
    """Each host event that was ever written down gets into the history, and once; how many there are."""
    with turn(host.state) as store:
        happened = set(store.execute("SELECT seq, event FROM gitops.events").fetchall())
    until(lambda: happened <= set(_shipped(host)), daemon.log)
    shipped = _shipped(host)
    assert len(shipped) == len(set(shipped))
    return len(shipped)


def _shipped(host: Host) -> list[tuple[int, str]]:
    return [(one.seq, one.event) for one in shipped_events(host)]


def shipped_events(host: Host) -> list[HostEvent]:
    """The host events in the history, newest first."""
    repository = host.repo.path.as_posix()
    with open_ledger(
        host.settings["HISTORY_URL"], host.state, RecordedBranch(repository, "main"), FixedClock()
    ) as ledger:
        return [one.event for one in ledger.events(limit=100_000)]
