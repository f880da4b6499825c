"""What a step would do to the live rows, put together before anyone decides whether it may."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, UsageError
from reconciler.model.change import Op, Prune, Removal
from reconciler.pipeline.judging import Difference, End, Transition
from reconciler.plan.plan import ordered
from reconciler.ports import Application
from reconciler.snapshot.base import LoadedBase
from reconciler.snapshot.difference import between

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change, Row
    from reconciler.pipeline.judging import Judgement
    from reconciler.pipeline.reaching import Origin
    from reconciler.pipeline.replay import Step
    from reconciler.pipeline.rules import RuleReader, Rules
    from reconciler.ports import Base


@dataclass(frozen=True, slots=True)
class Proposal:
    """The way from the applied rows to those of a step. `replaces` says that it starts over rather than advances."""

    step: Step
    rows: tuple[Row, ...]
    transition: Transition
    replaces: bool

    @property
    def changes(self) -> tuple[Change, ...]:
        """What it changes, in the order it is shown."""
        return self.transition.changes

    def application(self, judgement: Judgement) -> Application:
        """What the store is given, once this may go live."""
        version, ops = self.step.version, Counter(change.op for change in self.changes)
        return Application(
            commit=version.commit,
            height=version.height,
            digest=version.digest,
            rows=self.rows,
            warnings=tuple(sorted((*version.problems, *judgement.problems))),
            creates=ops[Op.CREATE],
            updates=ops[Op.UPDATE],
            deletes=ops[Op.DELETE],
            approvals=judgement.approvals,
        )


def advancing(origin: Origin, step: Step, approved: frozenset[str]) -> Proposal:
    """On from the applied commit, where the walk began."""
    start, position = origin.position, step.position
    rows = tuple(position.changed().values())
    found = (between(start.base.row(row.row_id), row) for row in rows)
    changes = ordered(change for change in found if change is not None)
    snapshot, base = start.snapshot, start.base
    old = End(str(origin.commit), start.rules, snapshot.kinds, base.rows, snapshot.lineage.digest)
    difference = Difference(rows, base.named)
    transition = Transition(old, _end(step), changes, base.count, approved, difference)
    return Proposal(step, rows, transition, replaces=False)


def replacing(
    base: Base, applied: str | None, kinds: Kinds, rules: RuleReader, step: Step, approved: frozenset[str]
) -> Proposal:
    """From whatever was applied (None: nothing) to a state that was replayed from the beginning."""
    before = {row.row_id: row for row in base.rows()}
    rows = tuple(step.position.changed().values())
    left = dict(before)
    changes = [change for row in rows if (change := between(left.pop(row.row_id, None), row)) is not None]
    stamp = step.version.commit.stamp
    gone = Removal(stamp.commit, stamp.time, Prune.DELETE)
    changes += [change for row in left.values() if (change := between(row, replace(row, removed=gone))) is not None]
    old = End(applied, _rules_at(rules, applied), kinds, before.values) if applied else None
    count = LoadedBase(before.values(), kinds).count
    return Proposal(step, rows, Transition(old, _end(step), ordered(changes), count, approved), replaces=True)


def _rules_at(rules: RuleReader, commit: str) -> Rules:
    """The rules of an applied commit; the defaults when git no longer has it, after its history was rewritten."""
    try:
        return rules.at(commit)
    except (UsageError, NeedsHuman):
        return rules.none()


def _end(step: Step) -> End:
    position = step.position
    version = step.version
    return End(version.commit.sha, position.rules, position.snapshot.kinds, position.rows, version.digest)
