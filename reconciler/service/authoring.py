"""What authors of a working tree have besides its check: the canonical layout of files, and tests of policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import BugError, NeedsHuman
from reconciler.format.format import Formatted, KeyOrder, format_file
from reconciler.model.commit import RefusedFile
from reconciler.reconcile.policytests import Policies, PolicyTester, PolicyTestRun, is_policy_file, read_policies
from reconciler.reconcile.read import NOT_COMMITTABLE
from reconciler.reconcile.rules import Role, read_kinds
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import NotContent
    from reconciler.model.problem import Problem
    from reconciler.ports import PolicyEngine
    from reconciler.reconcile.read import Progress
    from reconciler.service.workingtree import Checkout

FORMATTED = frozenset({Role.RESOURCES, Role.SETTINGS})
"""The roles of formatted files; other tools format schemas and policies."""


class FormattedTree(Struct, frozen=True):
    """The formatted files, and the bugs because of which others are not among them."""

    files: tuple[Formatted, ...]
    bugs: tuple[BugError, ...]

    @property
    def differing(self) -> tuple[Formatted, ...]:
        """The files that are not in canonical form."""
        return tuple(file for file in self.files if file.differs)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why files could not be read."""
        return tuple(problem for file in self.files for problem in file.problems)


def format_paths(
    checkout: Checkout, paths: Sequence[Path], progress: Progress = lambda done, total: None
) -> FormattedTree:
    """The canonical form of all files, or of some. Of other files than these, only schemas are read.

    Schemas give the order of the keys of their kinds. Files are formatted as they lie on the disk; links, and what a
    filter of git turns into something else, stay as they are. Raises as `Checkout.select` does, and `NeedsHuman` for a
    file that git cannot commit.
    """
    role = checkout.layout.role
    selected = checkout.select(paths, lambda path: role(path) in FORMATTED)
    files = checkout.read(lambda path: role(path) is Role.SCHEMA or (role(path) in FORMATTED and selected(path)))
    for path, data in files.items():
        if isinstance(data, RefusedFile):
            raise NeedsHuman(f"git cannot commit {path}: {data.reason}", hint=NOT_COMMITTABLE)
    texts = {path: data for path, data in files.items() if isinstance(data, bytes)}
    kinds, _ = _read_schemas(checkout, texts)
    settings = checkout.bundled.repository
    order = KeyOrder(kinds, {settings["properties"]["kind"]["const"]: settings})
    committed = {path: data for path, data in texts.items() if role(path) in FORMATTED}
    on_disk = checkout.disk.files(committed).items()
    same = {path: data for path, data in on_disk if isinstance(data, bytes) and _is_same_text(data, committed[path])}
    return _format_files(same, order, progress)


def _format_files(texts: Mapping[str, bytes], order: KeyOrder, progress: Progress) -> FormattedTree:
    files: list[Formatted] = []
    bugs: list[BugError] = []
    for done, (path, data) in enumerate(texts.items()):
        progress(done, len(texts))
        try:
            files.append(format_file(path, data, order))
        except BugError as bug:  # in one file; the others are formatted all the same
            bugs.append(bug)
    return FormattedTree(tuple(files), tuple(bugs))


def _is_same_text(one: bytes, other: bytes) -> bool:
    return one == other or one.replace(b"\r\n", b"\n") == other.replace(b"\r\n", b"\n")


def find_policies(checkout: Checkout) -> Policies:
    """The policies of a working tree and their tests."""
    policies, _ = _read_policies(checkout)
    return policies


def run_policy_tests(
    checkout: Checkout, engine: PolicyEngine, names: Collection[str], progress: Progress = lambda done, total: None
) -> PolicyTestRun:
    """Test all policies, or those with some names. Raises `UsageError` for a name that none has."""
    policies, kinds = _read_policies(checkout)
    return PolicyTester(engine, kinds, checkout.layout.spec.prune.mode, checkout.faults).test(policies, names, progress)


def _read_policies(checkout: Checkout) -> tuple[Policies, Kinds]:
    role = checkout.layout.role
    files = checkout.read(lambda path: role(path) is Role.SCHEMA or is_policy_file(checkout.layout, path))
    kinds, schema_problems = _read_schemas(checkout, files)
    policies = read_policies(files, checkout.layout)
    problems = tuple(sorted((*checkout.problems, *schema_problems, *policies.problems)))
    return replace(policies, problems=problems), kinds


def _read_schemas(checkout: Checkout, files: Mapping[str, bytes | NotContent]) -> tuple[Kinds, tuple[Problem, ...]]:
    role = checkout.layout.role
    schemas = {path: data for path, data in files.items() if role(path) is Role.SCHEMA and isinstance(data, bytes)}
    return read_kinds(schemas, checkout.bundled, checkout.faults)
