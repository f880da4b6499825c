"""Policies and their tests, in a working tree."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.reconcile.rules import Role, read_kinds
from reconciler.wiring.checkout import checkout

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Prune
    from reconciler.ports import PolicyEngine
    from reconciler.reconcile.policytests import Policies, PolicyTestRun


@contextmanager
def policy_engine() -> Iterator[PolicyEngine]:
    """What runs policies. Nothing is started before there is one to run."""
    from reconciler.adapters.duckdb.sandbox.engine import Sandbox

    with Sandbox() as engine:
        yield engine


def policies(start: Path, folder: str) -> Policies:
    """The policies of the working tree around `start`, from `folder` inside it on, and their tests."""
    found, _, _ = _rules(start, folder)
    return found


def test_policies(start: Path, folder: str, names: Collection[str]) -> PolicyTestRun:
    """Test the policies of a working tree, all or those with some names. Raises `UsageError` for a name none has."""
    from reconciler.reconcile.policytests import PolicyTester

    found, kinds, prune = _rules(start, folder)
    with policy_engine() as engine:
        return PolicyTester(engine, kinds, prune).test(found, names)


def _rules(start: Path, folder: str) -> tuple[Policies, Kinds, Prune]:
    from reconciler.reconcile.policytests import is_policy_file, read_policies

    at = checkout(start, folder)
    files = at.read(lambda path: at.layout.role(path) is Role.SCHEMA or is_policy_file(at.layout, path))
    schemas = {path: data for path, data in files.items() if at.layout.role(path) is Role.SCHEMA}
    kinds, more = read_kinds({path: data for path, data in schemas.items() if isinstance(data, bytes)}, at.shipped)
    found = read_policies(files, at.layout)
    problems = tuple(sorted((*at.problems, *more, *found.problems)))
    return replace(found, problems=problems), kinds, at.layout.spec.prune.mode
