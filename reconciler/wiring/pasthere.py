"""Where the past is: this host's ledger and store, and git for the names of tags and branches, if it can be reached."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater
from reconciler.wiring.origins import find_state, target
from reconciler.wiring.past import Past
from reconciler.wiring.program import known_kinds
from reconciler.wiring.stores import ledger_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import NoReturn

    from reconciler.adapters.duckdb.keeper import Keeper
    from reconciler.kinds.kind import Kinds
    from reconciler.settings import Settings
    from reconciler.wiring.origins import Target
    from reconciler.wiring.shipment import Shipment


@dataclass(frozen=True, slots=True)
class Owned:
    """What a store says of the repository and branch that it belongs to."""

    state: Path
    repository: str
    branch: str


@contextmanager
def past_here(settings: Settings) -> Iterator[Past]:
    """The past of the repository that the settings name, in this process. Nothing is created by it.

    While git cannot be read, of the one that the state folder belongs to.
    """
    with ExitStack() as stack:
        at: Target | Owned
        try:
            at = stack.enter_context(target(settings))
            resolve = at.source.resolve
        except ReconcilerError as error:
            at, resolve = _owned(settings, error), partial(_unresolved, error)
        opened = ledger_reader(settings, at)
        yield Past(lambda: opened, partial(_kinds_in, at.state), resolve, settings.host or socket.gethostname())


def past_of_daemon(settings: Settings, host: str, shipment: Shipment, keeper: Keeper) -> Past:
    """The past of the branch that a daemon follows."""

    def kinds() -> Kinds:
        with keeper.reading() as store:
            return known_kinds(store)

    def resolve(revision: str) -> str | None:
        try:
            with target(settings) as at:
                return at.source.resolve(revision)
        except RetryLater as error:
            _unresolved(error, revision)

    return Past(lambda: shipment.open_ledger, kinds, resolve, host)


def _owned(settings: Settings, error: ReconcilerError) -> Owned:
    """The place of a store whose repository cannot be opened. Raises the given error when there is none."""
    from reconciler.adapters.duckdb.store import open_reader

    if settings.state is None and settings.origin.url is None:
        raise error
    state = find_state(settings)
    store = open_reader(state)
    if store is None:
        raise error
    with store:
        owner = store.owner()
    if owner is None:
        raise error
    return Owned(state, *owner)


def _unresolved(error: ReconcilerError, revision: str) -> NoReturn:
    hint = f"shas and moments do without; git says: {error}"
    raise NeedsHuman(f"{revision} is no sha of the history, and git, which knows tags, cannot be asked", hint=hint)


def _kinds_in(state: Path) -> Kinds:
    from reconciler.adapters.duckdb.store import open_reader

    with open_reader(state) or nullcontext() as store:
        return known_kinds(store)
