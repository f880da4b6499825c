"""A sandbox per module, asked as the pipeline asks it: about widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.model.problem import Policy
from tests.support.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.model.change import Row
    from reconciler.model.problem import Verdict

    Run = Callable[..., Verdict]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One process for all tests of a module: none may notice the others. Patient, as the machine may be busy."""
    with Sandbox(seconds=15) as engine:
        yield engine


@pytest.fixture
def run(sandbox: Sandbox) -> Run:
    """Run one policy on two states."""

    def judge(sql: str, live: Iterable[Row] = (), desired: Iterable[Row] = ()) -> Verdict:
        (verdict,) = sandbox.run([policy(sql)], KINDS, live, desired)
        return verdict

    return judge


def policy(sql: str, name: str = "rule") -> Policy:
    """A policy of this text."""
    return Policy(name, f"policies/{name}.sql", name, sql)
