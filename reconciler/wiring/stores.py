"""The composition root: the only module that knows both the ports and what implements them."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from reconciler.adapters.shipped import example_repository, record_schema, shipped_schemas
from reconciler.errors import UsageError
from reconciler.pipeline.checking import Checked, check_tree
from reconciler.pipeline.kindset import Shipped, read_shipped, stored_kinds
from reconciler.pipeline.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from reconciler.adapters.clickhouse.ledger import ClickHouseLedger
    from reconciler.adapters.git.repository import GitSource
    from reconciler.adapters.git.scratch import ScratchRepository
    from reconciler.pipeline.syncing import Reconciler
    from reconciler.ports import LedgerReader
    from reconciler.service import Service
    from reconciler.settings import Settings

# Drivers are imported where they are needed: `validate` starts in a quarter of a second because it needs none.

NO_HISTORY = "none"
EMBEDDED = "chdb"
STATE_FOLDER = "reconciler"


def shipped() -> Shipped:
    """The kinds that come with the program."""
    return read_shipped(shipped_schemas(), record_schema("kind"))


def has_embedded_history() -> bool:
    """Whether the embedded ClickHouse engine is installed."""
    return find_spec(EMBEDDED) is not None


def scratch_repository(folder: Path) -> ScratchRepository:
    """A new git repository in a folder, for the tour."""
    from reconciler.adapters.git.scratch import ScratchRepository

    return ScratchRepository(folder)


def check_folder(start: Path, folder: str, paths: Sequence[Path]) -> Checked:
    """Check the working tree around `start`, from `folder` inside it on; of `paths` only, when there are any.

    Raises `UsageError` for a path outside that tree, and for a file in it that does not count as configuration.
    """
    from reconciler.adapters.worktree import WorkingTree, find_root

    root = find_root(start.resolve())
    layout = Layout(folder)
    files = dict(WorkingTree(root).read(lambda path: layout.role(path) is not None, folder))
    checked = check_tree(files, layout, shipped())
    if not paths:
        return checked
    selected = tuple(_inside(root, path) for path in paths)
    for inside, path in zip(selected, paths, strict=True):
        if path.is_file() and str(inside) not in files:
            raise UsageError(f"{path} is not part of the configuration", hint="files are named *.yaml or *.yml")
    return checked.among(lambda path: any(PurePosixPath(path).is_relative_to(one) for one in selected))


def _inside(root: Path, path: Path) -> PurePosixPath:
    whole = path.resolve()
    if not whole.is_relative_to(root):
        raise UsageError(f"{path} is outside the repository {root}", hint="name the other repository with --repo")
    return PurePosixPath(whole.relative_to(root).as_posix())


@dataclass(frozen=True, slots=True)
class Target:
    """A repository that was found, its branch, and this host's state folder for it."""

    source: GitSource
    branch: str
    state: Path
    folder: str

    @property
    def repository(self) -> str:
        """What store and ledger know the configuration by: `repository//folder`, as two folders are two of them."""
        return f"{self.source.repository}//{self.folder}" if self.folder else self.source.repository


@contextmanager
def target(settings: Settings) -> Iterator[Target]:
    """Open the repository that the settings name. Raises `UsageError` when there is none, or no branch to follow."""
    from reconciler.adapters.git.repository import open_repository

    with open_repository(settings.repository) as source:
        branch = settings.branch or source.head_branch()
        if branch is None:
            raise UsageError(
                "HEAD is detached, so it is not clear which branch to reconcile", hint="name one with --branch"
            )
        yield Target(source, branch, settings.state or source.git_dir / STATE_FOLDER, settings.path)


@contextmanager
def reconciler(settings: Settings) -> Iterator[Reconciler]:
    """Everything one reconcile needs, opened and closed together."""
    from reconciler.adapters.clock import SystemClock
    from reconciler.adapters.duckdb.store import open_store
    from reconciler.pipeline.stepping import Stepper
    from reconciler.pipeline.syncing import Reconciler

    clock, known = SystemClock(), shipped()
    with target(settings) as at, open_store(at.state, clock) as store:
        yield Reconciler(
            source=at.source,
            repository=at.repository,
            branch=at.branch,
            store=store,
            open_ledger=_ledger(settings, at),
            stepper=Stepper(at.source, Layout(settings.path), known),
            shipped=known.kinds,
            clock=clock,
        )


@contextmanager
def service(settings: Settings) -> Iterator[Service]:
    """The reading side; nothing is created by it."""
    from reconciler.adapters.duckdb.store import open_reader
    from reconciler.service import Service

    with target(settings) as at, open_reader(at.state) or nullcontext() as store:
        yield Service(
            source=at.source,
            repository=at.repository,
            branch=at.branch,
            store=store,
            kinds=stored_kinds(store.kinds()) if store else shipped().kinds,
            open_ledger=_ledger_reader(settings, at),
        )


def _ledger(settings: Settings, at: Target) -> Callable[[], AbstractContextManager[ClickHouseLedger]] | None:
    if settings.history_url == NO_HISTORY:
        return None
    return partial(_open_ledger, settings.history_url, at)


def _ledger_reader(settings: Settings, at: Target) -> Callable[[], AbstractContextManager[LedgerReader]] | None:
    """The ledger to read. The embedded one is not created for it: before the first sync it holds nothing."""
    from reconciler.adapters.clickhouse.ledger import is_started
    from reconciler.adapters.clock import SystemClock
    from reconciler.adapters.memory.ledger import MemoryLedger

    if settings.history_url == EMBEDDED and not is_started(at.state):
        return lambda: nullcontext(MemoryLedger(SystemClock()))
    return _ledger(settings, at)


def _open_ledger(url: str, at: Target) -> AbstractContextManager[ClickHouseLedger]:
    from reconciler.adapters.clickhouse.ledger import open_ledger
    from reconciler.adapters.clock import SystemClock

    return open_ledger(url, at.state, at.repository, at.branch, SystemClock())


__all__ = [
    "EMBEDDED",
    "NO_HISTORY",
    "check_folder",
    "example_repository",
    "has_embedded_history",
    "reconciler",
    "scratch_repository",
    "service",
    "shipped",
    "target",
]
