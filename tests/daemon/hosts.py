"""A host of a daemon with real parts, run by a test instead of the loop."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from reconciler.adapters.duckdb.sharing import Keeper
from reconciler.adapters.machine import SystemClock
from reconciler.daemon.backups import Backups
from reconciler.daemon.conditions import Board
from reconciler.daemon.drift import Healer
from reconciler.daemon.following import Following
from reconciler.daemon.host import Host, Parts
from reconciler.daemon.hostconfig import Obedience
from reconciler.daemon.shipment import Backfill, Shipment
from reconciler.settings import load
from reconciler.wiring.checkout import bundled_kinds
from reconciler.wiring.local import make_openers, open_mirror, policy_engine
from tests.support.standings import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.metrics import Metrics


class Lines:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def event(self, name: str, message: str = "", **more: Any) -> None:
        self.events.append((name, message))


def parts(repository: str, state: Path, figure: Metrics | None = None, **settings: str) -> Parts:
    """The parts of a host without history and Redis. `settings` are variables without RECONCILER_."""
    given = {
        "REPOSITORY_URL": repository,
        "STATE_DIR": str(state),
        "HISTORY_URL": "none",
        "REDIS_URL": "none",
    } | settings
    read = load(None, {}, {f"RECONCILER_{name}": value for name, value in given.items()})
    log, clock, figure = Lines(), SystemClock(), figure or metrics()
    board, keeper = Board(clock, lambda turn: None), Keeper(state, clock)
    openers, bundled = make_openers(read), bundled_kinds()
    backfill = Backfill(read, openers.source, bundled)
    shipment = Shipment(openers, backfill, "desk", clock, lambda error: None, figure)
    mirror = open_mirror(read) if read.origin.url is not None else None
    return Parts(
        following=Following(read, openers, mirror, log, figure),
        keeper=keeper,
        shipment=shipment,
        engine=policy_engine().__enter__(),
        scanner=Healer(board, log, clock),
        backups=Backups(state, keeper, clock, log, figure),
        obedience=Obedience(read.obeys, log),
        board=board,
        metrics=figure,
        log=log,
        clock=clock,
    )


@contextmanager
def host(repository: Path | str, state: Path, figure: Metrics | None = None, **settings: str) -> Iterator[Host]:
    """The host, which lets go of everything at the end."""
    made = parts(str(repository), state, figure, **settings)
    with ExitStack() as stack:
        stack.callback(made.keeper.rest)
        stack.callback(made.following.drop)
        stack.callback(made.shipment.stop)
        stack.callback(made.engine.close_idle)
        yield Host(made, bundled_kinds())
