"""The way from the live rows to a head: where it begins, the walk along the history, and what it would do.

A reconcile takes it, a plan only looks at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.model.commit import Status
from reconciler.pipeline.judging import PRUNE
from reconciler.pipeline.kindset import stored_kinds
from reconciler.pipeline.proposing import advancing, replacing
from reconciler.pipeline.reaching import Origin
from reconciler.pipeline.replay import Step, joins, replay
from reconciler.snapshot.base import EmptyBase, LoadedBase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.pipeline.proposing import Proposal
    from reconciler.pipeline.stepping import Stepper
    from reconciler.ports import Base, Source, StoreReader

    Parents = Mapping[str, tuple[str, ...]]

LOOK_UP_PER_ROW = 500
"""Rows that are loaded in the time in which one changed file is looked up: its resources, names, ids and references."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk came to on the mainline: the last commit, and the last valid one.

    `approved` are the commits whose message approves of what they remove.
    """

    last: Step | None = None
    valid: Step | None = None
    approved: frozenset[str] = frozenset()

    def on(self, step: Step) -> Walk:
        """After one more step; those off the mainline lead nowhere."""
        if not step.version.mainline:
            return self
        commit = step.version.commit
        approved = self.approved | {commit.sha} if commit.approves(PRUNE) else self.approved
        return Walk(step, step if step.version.status is Status.VALID else self.valid, approved)


@dataclass(frozen=True, slots=True)
class Approach:
    """From the rows in a store to a commit. `shipped` are the kinds that come with this program."""

    source: Source
    stepper: Stepper
    store: StoreReader
    shipped: Kinds

    def check_folder(self, head: str, revision: str) -> None:
        """Raise `UsageError` when the head, known by a revision, lacks the folder where the configuration begins."""
        folder = self.stepper.rules.folder
        if folder and not self.source.has_folder(head, folder):
            raise UsageError(
                f"{revision} has no folder {folder}: nothing was changed",
                hint="name the folder where the configuration begins with --path, or bring it back",
            )

    def kinds(self) -> Kinds:
        """The kinds that the live rows were made under."""
        return stored_kinds(self.store.kinds())

    def beginning(self, head: str) -> tuple[Origin, Parents]:
        """From nothing."""
        return Origin(None, self.stepper.nothing()), self.source.parents(head)

    def origin(self, head: str) -> tuple[Origin, Parents]:
        """From the applied commit, if the rows it left are those that the head's history starts with."""
        applied = self.store.applied()
        if applied is None or not self._understands_store():
            return self.beginning(head)
        known = applied.stamp.commit
        try:
            parents = self.source.parents(head, known=known)
        except UsageError:  # the commit is gone: the history was rewritten, and git collected the old one
            return self.beginning(head)
        if not joins(parents, head, known):
            return self.beginning(head)
        position = self.stepper.at(known, self._base(known, head), applied.digest, applied.height)
        return Origin(known, position), parents

    def steps(self, origin: Origin, head: str, parents: Parents) -> Iterator[Step]:
        """Every commit on the way, parents first."""
        return replay(self.source, self.stepper, origin, head, parents)

    def proposal(self, origin: Origin, walk: Walk) -> Proposal | None:
        """What the last valid commit of a walk would do to the live rows; None when there is none."""
        if walk.valid is None:
            return None
        if origin.commit is not None:
            return advancing(origin, walk.valid, walk.approved)
        applied = self.store.applied()
        kinds = self.kinds()
        base = self.store.base(kinds) if applied else EmptyBase()
        before = applied.stamp.commit if applied else None
        return replacing(base, before, kinds, self.stepper.rules, walk.valid, walk.approved)

    def _base(self, known: str, head: str) -> Base:
        """The state at the applied commit: looked up, or loaded at once when much of it is going to be asked for."""
        base = self.store.base(self.kinds())
        asked = len(self.source.changes(known, head)) * LOOK_UP_PER_ROW
        return base if asked < sum(self.store.counts().values()) else LoadedBase(base.rows(), self.kinds())

    def _understands_store(self) -> bool:
        """Whether the rows were made under the kinds this program ships; another release's are made anew."""
        made_under = self.store.kinds()
        return all(made_under.get(kind.name) == kind.schema for kind in self.shipped)
