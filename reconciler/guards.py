"""Guards: limits on what one commit may change, so that nothing of that size happens by accident."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler import canonical
from reconciler.model.change import Op
from reconciler.model.problem import Problem
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from reconciler.model.change import Change, Resource, RowId
    from reconciler.model.spec import GrowthRule, PruneRule, RepositorySpec

PRUNE_LIMIT = "guard/prune-limit"
GROWTH = "guard/growth"
MAX_NAMED = 5
"""Resources that a message names."""


def find_prune_problems(
    rule: PruneRule, changes: Iterable[Change], before: Callable[[str], int]
) -> tuple[Problem, ...]:
    """A problem for each kind of which more resources leave git at once than a rule allows.

    `before` says how many of a kind were declared. A change whose row stays as it is takes nothing away.
    """
    leaving: defaultdict[str, list[Resource]] = defaultdict(list)
    for change in changes:
        if change.destructive:
            leaving[change.resource.kind].append(change.resource)
    return tuple(sorted(_find_exceeded(rule, leaving, before)))


def _find_exceeded(
    rule: PruneRule, leaving: dict[str, list[Resource]], before: Callable[[str], int]
) -> Iterator[Problem]:
    for kind, resources in leaving.items():
        leaving_count, total = len(resources), before(kind)
        limits = []
        if leaving_count * 100 > rule.max_percent * total:
            limits.append(f"{canonical.text(rule.max_percent)} %")
        if leaving_count > rule.max_count:
            limits.append(f"{rule.max_count:,}")
        if limits:
            yield _exceeded_problem(kind, resources, total, " and ".join(limits))


def _exceeded_problem(kind: str, resources: list[Resource], total: int, limit: str) -> Problem:
    first = _find_first(resources)
    message = f"{len(resources):,} of {total:,} {kind} leave git at once, more than {limit}: {_name_some(resources)}"
    return Problem(first.path, first.line, 1, PRUNE_LIMIT, "", message, _ask_for_approval("bring them back", "prune"))


def _ask_for_approval(remedy: str, trailer: str) -> str:
    """The hint: what to do instead, and the two ways to approve, `trailer` being the word in the commit's message."""
    return (
        f"{remedy}, or, if it is meant, approve this commit: `reconciler sync --approve SHA`, "
        f"or a line `Reconciler-Approve: {trailer}` at the end of its message"
    )


def _find_first(resources: Iterable[Resource]) -> Resource:
    return min(resources, key=lambda resource: (resource.path, resource.line))


def _name_some(resources: Iterable[Resource]) -> str:
    names = sorted(resource.name for resource in resources)
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


class BulkChange(Struct, frozen=True):
    """What one mainline commit does to so many resources of a kind that a guard may have something against it.

    `created` are those that it declares anew. `added` is by how many the kind has grown from where the step starts to
    the commit before this one, `added_in_all` the same of all kinds. `spec` is what its own `reconciler.yaml` says.
    """

    commit: str
    kind: str
    created: frozenset[RowId]
    added: int
    added_in_all: int
    spec: RepositorySpec


class BulkChanges(Struct, frozen=True):
    """The bulk changes of a step, gathered commit by commit. `spec` is in force where the step starts.

    With `since`, the walk has not yet come to that commit, which is live: what commits before it add is not counted,
    as it is there already.
    """

    spec: RepositorySpec
    since: str | None = None
    found: tuple[BulkChange, ...] = ()
    added: Mapping[str, int] = field(default_factory=dict)

    def add(self, commit: str, changes: Iterable[Change], spec: RepositorySpec) -> BulkChanges:
        """The bulk changes with those of one more commit of the mainline, whose own rules `spec` are."""
        if commit == self.since:
            return BulkChanges(self.spec)
        created: defaultdict[str, set[RowId]] = defaultdict(set)
        added = Counter(self.added)
        for change in changes:
            kind = change.resource.kind
            if change.op is Op.CREATE:
                created[kind].add(change.resource.row_id)
            added[kind] += _GROWS[change.op]
        bulk = [
            BulkChange(commit, kind, frozenset(ids), self.added.get(kind, 0), sum(self.added.values()), spec)
            for kind, ids in sorted(created.items())
            if any(len(ids) > rule.max_new_count for rule in (self.spec.growth, spec.growth))
        ]
        return replace(self, found=(*self.found, *bulk), added=self.added if self.since else added)


_GROWS = {Op.CREATE: 1, Op.UPDATE: 0, Op.DELETE: -1}


class GuardedStep(Struct, frozen=True):
    """A whole step: its last commit, the rules where it starts, and its changes by row.

    `count_before` says how many of a kind were declared where it starts, when there were these `kinds`.
    """

    head: str
    spec: RepositorySpec
    changes: Mapping[RowId, Change]
    count_before: Callable[[str], int]
    kinds: tuple[str, ...]

    def count_all(self) -> int:
        """How many resources were declared where it starts."""
        return sum(map(self.count_before, self.kinds))


def find_bulk_problems(bulk: BulkChange, step: GuardedStep) -> tuple[Problem, ...]:
    """What the rules where a step starts, and those of a commit itself, have against a bulk change of that commit.

    Of it counts what the whole step changes: what a later commit took back never goes live. Of a kind that had no
    resources, those of all kinds are counted; where nothing at all was declared, nothing has grown.
    """
    changes = (step.changes.get(row_id) for row_id in bulk.created)
    new = [change.resource for change in changes if change is not None and change.op is Op.CREATE]
    beside, what = step.count_before(bulk.kind) + bulk.added, "before"
    if beside <= 0:
        beside, what = step.count_all() + bulk.added_in_all, "resources of all kinds"
    if beside <= 0:
        return ()
    where = "at once" if bulk.commit == step.head else f"in {bulk.commit[:8]}"
    subject = f"{len(new):,} new {bulk.kind} {where} beside {beside:,} {what}"
    rules = {step.spec.growth, bulk.spec.growth}
    return tuple(_growth_problem(rule, new, subject) for rule in rules if _exceeds(rule, len(new), beside))


def _exceeds(rule: GrowthRule, new: int, beside: int) -> bool:
    return new > rule.max_new_count and new * 100 > rule.max_new_percent * beside


def _growth_problem(rule: GrowthRule, new: list[Resource], subject: str) -> Problem:
    first = _find_first(new)
    limits = f"more than {canonical.text(rule.max_new_percent)} % and more than {rule.max_new_count:,}"
    hint = _ask_for_approval("take out what is too much", "growth")
    return Problem(first.path, first.line, 1, GROWTH, "", f"{subject}, {limits}: {_name_some(new)}", hint)
