"""Plans between commits of the repository. They open no store."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.reconcile.branch import planned_head
from reconciler.reconcile.plan import Planner
from reconciler.service.context import branch_choice
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder
from reconciler.wiring.policies import policy_engine
from reconciler.wiring.repository import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan
    from reconciler.settings import Settings
    from reconciler.wiring.policies import OpenEngine


@contextmanager
def open_planner(settings: Settings) -> Iterator[tuple[Planner, str]]:
    """Plans in the repository; the head of the branch that is named, or HEAD."""
    with open_source(settings) as source:
        planner = Planner.of_folder(source, settings.path, bundled_kinds(), policy_engine, fault_finder())
        yield planner, planned_head(source, branch_choice(settings), None)


def plan_between(settings: Settings, open_engine: OpenEngine, base: str, head: str | None) -> tuple[Plan, Kinds]:
    """From one commit of the repository to another, or to what is checked out. Opens no store."""
    with open_source(settings) as source:
        planner = Planner.of_folder(source, settings.path, bundled_kinds(), open_engine, fault_finder())
        return planner.plan_commits(base, head or planned_head(source, branch_choice(settings), None))
