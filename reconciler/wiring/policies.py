"""What runs policies. Apart from `repository`: a command starts it before the rest of what it needs is imported."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.adapters.worktree import find_root
from reconciler.errors import NeedsHuman
from reconciler.model.spec import RepositorySpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.ports import PolicyEngine
    from reconciler.settings import Settings

    OpenEngine = Callable[[], AbstractContextManager[PolicyEngine]]


@contextmanager
def policy_engine() -> Iterator[PolicyEngine]:
    """What runs policies. Nothing is started before there is one to run."""
    with Sandbox() as engine:
        yield engine


@contextmanager
def early_policy_engine(settings: Settings) -> Iterator[OpenEngine]:
    """Opens the same engine each time, which starts now where the files on disk have policies.

    It takes as long to start as the commits to be read. Which policies there are, the commits say: where the disk says
    something else, nothing is lost but its start.
    """
    with Sandbox() as engine:
        if settings.origin.url is None and _has_policies(settings.origin.folder, settings.path):
            with suppress(NeedsHuman):  # a policy that is run raises it again
                engine.start()
        yield lambda: nullcontext(engine)


def _has_policies(start: Path, folder: str) -> bool:
    """Whether there are some on disk, as far as can be seen: what cannot be read is told by who has to read it."""
    try:
        return (find_root(start) / folder / RepositorySpec().policies).is_dir()
    except OSError:
        return False
