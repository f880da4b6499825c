"""Who follows the live rows is told before the history is waited for."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from reconciler.values import replace
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.patience import DEADLINE
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.ports import Ledger
    from reconciler.reconcile.sync import AppliedStep


def test_a_step_is_told_while_the_history_is_opened(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "config")
    commit = repo.commit({"a.yaml": configs.user("ann")})
    world, told = World(repo.path), Event()
    steps: list[AppliedStep | None] = []

    @contextmanager
    def opened_late() -> Iterator[Ledger]:
        assert told.wait(DEADLINE), "the step was not told: it waits for the history"
        yield world.ledger

    def tell(step: AppliedStep | None) -> None:
        applied = world.store.applied()
        assert applied is not None
        assert applied.stamp.commit == commit
        steps.append(step)
        told.set()

    with world.reconciler() as reconciler:
        result = replace(reconciler, open_ledger=opened_late).sync(on_applied=tell)
    assert result.history is not None
    assert (result.history.versions, result.history.error) == (1, None)
    assert steps == [result.applied_step]


def test_a_branch_without_commits_is_told_as_well(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "config")
    steps: list[AppliedStep | None] = []
    with World(repo.path).reconciler() as reconciler:
        reconciler.sync(on_applied=steps.append)
    assert steps == [None]
