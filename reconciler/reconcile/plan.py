"""Plans: what would change in the live rows, and what guards and policies have against it. Nothing is written.

Of a large tree only the part is read that some changed files affect, found by searching: the cost follows the change.
A file names whatever it declares or refers to. So a file without any of the affected names and ids has nothing to do
with the change.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from reconciler import canonical
from reconciler.errors import UsageError
from reconciler.guards import BulkChanges
from reconciler.kinds.build import stored_kinds
from reconciler.model.change import Op, Row
from reconciler.model.commit import Status
from reconciler.model.halt import Halts
from reconciler.plan import Plan, sort_changes
from reconciler.reconcile.admission import AdmissionRequest, CommitState, MessageApprovals
from reconciler.reconcile.faults import is_commit_fault
from reconciler.reconcile.holds import find_held, find_skipped_files
from reconciler.reconcile.measures import StateReadings
from reconciler.reconcile.narrowing import find_narrowed_kinds, warn_unknown_rows
from reconciler.reconcile.read import locate_problems
from reconciler.reconcile.readable import ReadablePart, keep_unread, read_part
from reconciler.reconcile.review import Reviewer
from reconciler.reconcile.rollback import candidate_of, hold_problems, skipped_values
from reconciler.reconcile.rules import Role
from reconciler.reconcile.stayoff import find_switched_on
from reconciler.reconcile.sync import HistoryWalk, Mainline
from reconciler.reconcile.walk import CommitProcessor, ProcessedCommit, StateAt, WalkStart, state_at, walk_history
from reconciler.snapshot import tree as trees
from reconciler.snapshot.snapshot import EmptyBase, LoadedBase, advance_lineage
from reconciler.tables.rows import changes_under, rows_under
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from reconciler.gitports import Source
    from reconciler.guards import BulkChange
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Change, FileEntry, Key, Resource, Stamp
    from reconciler.model.commit import Commit, FileChange
    from reconciler.model.rollback import Rollback
    from reconciler.ports import PolicyEngine, StoreReader
    from reconciler.reconcile.faults import FaultFinder
    from reconciler.reconcile.rules import BundledSchemas, Rules
    from reconciler.reconcile.walk import Progress, TreeState

    Entries = Mapping[str, FileEntry]


MAX_FILES_READ_WHOLE = 1_000
"""Up to this number of files a tree is read whole."""
MAX_WORDS = 400
"""Up to this number of words a search is quicker than reading everything, and its command line short enough."""
DOCUMENT = "kind:"
"""What nearly every document has at the start of a line, once. Files without it are read to be counted."""
ESCAPE = r'"[^"]*\\'
"""An escape in double quotes: it could spell any word."""
HEX_LETTER = re.compile("[a-f]", re.IGNORECASE)
DERIVED_VERSION = 5
"""The version of the UUIDs that are made from names (RFC 9562)."""


class PartialTree(Struct, frozen=True):
    """The rows that a tree declares around some files; `declared` counts the resources of the whole tree."""

    base: LoadedBase
    declared: int


def load_affected(
    source: Source, processor: CommitProcessor, stamp: Stamp, rules: Rules, changes: Mapping[str, FileChange]
) -> PartialTree | None:
    """The part of a commit's tree that is affected by changes of some files.

    None when the tree is small, when the part cannot be told from the rest, and when something in it is wrong: then
    the whole tree has to be read.
    """
    commit = stamp.commit
    files = {path for path in source.paths(commit) if rules.layout.role(path) is Role.RESOURCES}
    kinds, problems = processor.rules.kinds_of(rules)
    if len(files) <= MAX_FILES_READ_WHOLE or len(changes) > MAX_WORDS or problems or rules.problems:
        return None
    new = processor.read_entries(kinds, changes.values())
    old = processor.read_entries(kinds, source.files(commit, changes.keys()))
    words = {word for entry in (*old.values(), *new.values()) for word in _search_patterns(kinds, entry)}
    if len(words) > MAX_WORDS or _may_have_derived_ids(old, new):
        return None
    counts, matching = _search(source, commit, rules, words)
    unchanged = files - changes.keys()
    uncounted = unchanged - counts.keys()
    affected = processor.read_entries(kinds, source.files(commit, (matching & unchanged) | uncounted))
    entries = {path: entry for path, entry in {**affected, **old}.items() if path in files}
    if not _is_sound(kinds, entries, old, new):
        return None
    rows = (Row(resource, stamp, stamp) for entry in entries.values() for resource in entry.resources)
    by_search = sum(counts[path] for path in unchanged - uncounted)
    by_reading = sum(len(entries[path].resources) for path in uncounted)
    in_changed = sum(len(entry.resources) for entry in old.values())
    return PartialTree(LoadedBase(rows, kinds), by_search + by_reading + in_changed)


def _search_patterns(kinds: Kinds, entry: FileEntry) -> Iterator[str]:
    """Regular expressions for the names and ids that a file declares or refers to. Ids match in any case."""
    for resource in entry.resources:
        yield HEX_LETTER.sub(lambda letter: f"[{letter[0].lower()}{letter[0].upper()}]", resource.id)
        for name in (resource.name, *(key.name for key in _references(kinds, resource))):
            yield _escape(name)
    for identified in entry.identified:
        yield _escape(identified.key.name)


def _escape(word: str) -> str:
    return re.escape(word).replace(r"\-", "-")  # POSIX does not define an escaped hyphen


def _references(kinds: Kinds, resource: Resource) -> Iterator[Key]:
    return trees.load_base_tree(EmptyBase(), kinds).targets(resource)


def _may_have_derived_ids(old: Entries, new: Entries) -> bool:
    """Whether a new id, written out, may be the one derived from a name in a file that does not contain it."""
    known = {resource.id for entry in old.values() for resource in entry.resources}
    added = (resource for entry in new.values() for resource in entry.resources if resource.id not in known)
    return any(
        UUID(resource.id).version == DERIVED_VERSION
        and resource.id != str(canonical.derived_id(resource.kind, resource.name))
        for resource in added
    )


def _search(source: Source, commit: str, rules: Rules, words: Iterable[str]) -> tuple[Counter[str], set[str]]:
    """The number of documents by file, and the files that contain one of the words."""
    counts, matching = Counter[str](), set[str]()
    patterns = (f"^{DOCUMENT}", ESCAPE, *sorted(words))
    for path, line in source.grep(commit, rules.layout.folder, patterns):
        if line.startswith(DOCUMENT):
            counts[path] += 1
        else:
            matching.add(path)
    return counts, matching


def _is_sound(kinds: Kinds, entries: Entries, old: Entries, new: Entries) -> bool:
    """Whether nothing among these files of a tree is wrong, as far as the change is concerned."""
    if any(problem.is_error for entry in entries.values() for problem in entry.problems):
        return False
    tree = trees.update_tree(trees.load_base_tree(EmptyBase(), kinds), kinds, entries).tree
    if len(tree.candidates.names) or len(tree.candidates.ids):
        return False
    needed = {key for entry in old.values() for resource in entry.resources for key in _references(kinds, resource)}
    declared = {resource.key for entry in chain(old.values(), new.values()) for resource in entry.resources}
    return not any(key in tree.candidates.missing for key in needed | declared)


class PlanBase(Struct, frozen=True):
    """The state that a plan between two commits starts from; `declared` counts the resources there."""

    state: TreeState
    valid_commit: str | None
    declared: int


class Planner(Struct, frozen=True):
    """Makes plans for one repository. `bundled` are the kinds that the program brings."""

    source: Source
    processor: CommitProcessor
    reviewer: Reviewer
    bundled: Kinds

    @classmethod
    def of_folder(
        cls,
        source: Source,
        folder: str,
        bundled: BundledSchemas,
        open_policy_engine: Callable[[], AbstractContextManager[PolicyEngine]],
        faults: FaultFinder,
    ) -> Planner:
        """Plans for the configuration in a folder of the repository."""
        processor = CommitProcessor(source, folder, bundled, faults)
        return cls(source, processor, Reviewer(source, processor, open_policy_engine), bundled.kinds)

    def plan_commits(self, base: str, head: str, halts: Halts | None = None) -> tuple[Plan, Kinds]:
        """The plan from the state at one commit to that at another, from git alone; and the kinds of its changes.

        `halts` are those of a host on which the base is live. An invalid base stands for the last valid commit before
        it. Raises `UsageError` for what is no commit.
        """
        plan, kinds = self._plan_between(self._resolve(base), self._resolve(head), halts or Halts())
        return self.reviewer.complete(plan), kinds

    def _plan_between(self, base: str, head: str, halts: Halts) -> tuple[Plan, Kinds]:
        partial, changes = self._load_partial_base(base, head)
        if partial is not None:
            plan, kinds = self._plan(partial, base, head, changes, halts, whole=False)
            spec = partial.state.rules.spec  # the same on both sides: no rule changes
            if not _needs_counts(plan.changes, BulkChanges(spec).add(head, plan.changes, spec).found):
                return plan, kinds
        narrowed = self._find_narrowed(base, head)
        start = self._walk_to_base(base) if narrowed else self._load_base(base)
        plan, kinds = self._plan(start, base, head, changes, halts, whole=True)
        if narrowed and self.source.is_shallow():
            plan = replace(plan, problems=tuple(sorted((*plan.problems, *map(warn_unknown_rows, narrowed)))))
        return plan, kinds

    def plan_sync(
        self, store: StoreReader, head: str, progress: Progress = lambda done, total: None
    ) -> tuple[Plan, Kinds]:
        """The plan from the live rows to a commit, as a reconcile would go; and the kinds of its changes."""
        plan, kinds = self._plan_sync(store, self._resolve(head), head, progress)
        return self.reviewer.complete(plan), kinds

    def _plan_sync(self, store: StoreReader, sha: str, head: str, progress: Progress) -> tuple[Plan, Kinds]:
        self.processor.faults.known.read(store)
        walk = HistoryWalk(self.source, self.processor, store, self.bundled)
        walk.check_folder(sha, head)
        start, parents = walk.find_start(sha)
        mainline = walk.begin_mainline(start)
        for done, commit in enumerate(walk.process_commits(start, sha, parents), 1):
            mainline = mainline.extend(commit)
            progress(done, len(parents))
        applied = store.applied()
        base = applied.stamp.commit if applied else None
        problems = mainline.last.version.problems if mainline.last else ()
        part = self._read_part(mainline.last)
        if part is not None and mainline.last is not None:
            made, spec = (row.change for row in part.rows), part.state.rules.spec
            bulks = mainline.bulks.add(sha, made, spec) if mainline.bulks else None
            mainline = replace(mainline, valid=_with_state(mainline.last, part.state), bulks=bulks)
        proposal = walk.propose(start, mainline)
        if proposal is None:
            kinds = walk.kinds() if applied else self.bundled
            count = sum(store.base(kinds).count(kind.name) for kind in kinds)
            return Plan(base, sha, (), problems, count, base), kinds
        request = keep_unread(proposal.request, part) if part is not None else proposal.request
        held = find_held(store, self.source, self.processor, replace(proposal, request=request))
        fault = self.processor.known_fault(
            self.processor.name_step(None if proposal.replaces else base, proposal.commit)
        )
        tree = proposal.commit.state.snapshot.tree
        review, found = self.reviewer.review_step(request, tree, whole=part is None)
        problems = tuple(sorted({*problems, *found, *held, *([fault] if fault else ())}))
        before = sum(request.count_before(kind.name) for kind in (request.old or request.new).kinds)
        changes = changes_under(store.halts(), request.new.kinds, request.changes)
        plan = Plan(base, sha, changes, problems, before, base, review=review)
        return _complete(plan, part), request.new.kinds

    def hold(self, plan: Plan, kinds: Kinds, rollback: Rollback) -> Plan:
        """A plan from a rollback's target with what keeps its head from going live, told by git alone."""
        target, bad, rules = rollback.target, self._resolve(rollback.skipped), self.processor.rules
        skipped, _ = self._plan_between(target, bad, Halts())
        layouts = [rules.read_rules(commit).layout for commit in (target, bad)]
        files = find_skipped_files(self.source, target, bad, layouts)
        rollback = replace(rollback, changes=skipped_values(skipped.changes, files))
        found = self.source.files(plan.head, [file.path for file in files]) if files else ()
        blobs = {file.path: file.blob for file in found if file.blob}
        candidate = candidate_of(skipped.changes, plan.changes, blobs)
        held = hold_problems(rollback, plan.head, candidate, kinds, self.processor.rules.folder or ".")
        located = locate_problems(held, lambda paths: self.processor.rules.read_files(plan.head, paths))
        return replace(plan, problems=tuple(sorted({*plan.problems, *located})))

    def measure_live(self, store: StoreReader) -> tuple[str | None, StateReadings]:
        """The applied commit, and the figures of the live rows by its measures."""
        applied = store.applied()
        if applied is None:
            return None, StateReadings({})
        commit, kinds = applied.stamp.commit, stored_kinds(store.kinds())
        rules, halts = self.processor.rules.read_rules(commit), store.halts()
        rows = lambda: rows_under(halts, kinds, store.base(kinds).rows())  # noqa: E731
        return commit, self.reviewer.measure_state(CommitState(commit, rules, kinds, rows))

    def _resolve(self, revision: str) -> str:
        sha = self.source.resolve(revision)
        if sha is None:
            raise UsageError(f"{revision} has no commits yet", hint="make a first commit")
        return sha

    def _load_partial_base(self, base: str, head: str) -> tuple[PlanBase | None, Collection[FileChange] | None]:
        """The base in a large tree of which only a few files of resources change, and what changes; None otherwise."""
        try:
            changes = self.source.changes(base, head)
            return self._find_partial_base(base, changes), changes
        except BaseException as error:
            if not is_commit_fault(error):
                raise
            return None, None  # judging the head tells what is wrong

    def _find_partial_base(self, base: str, changes: Collection[FileChange]) -> PlanBase | None:
        rules = self.processor.rules.read_rules(base)
        roles = {rules.layout.role(change.path, of) for change in changes for of in (change.type, change.old_type)}
        if len(rules.policies) or len(rules.measures) or not roles <= {Role.RESOURCES, None}:
            return None
        files = {change.path: change for change in changes if rules.layout.role(change.path) is Role.RESOURCES}
        tree = load_affected(self.source, self.processor, self.source.commit(base).stamp, rules, files)
        if tree is None:
            return None
        return PlanBase(self.processor.load_state(base, tree.base, canonical.EMPTY_SET, 0), base, tree.declared)

    def _find_narrowed(self, base: str, head: str) -> tuple[Kind, ...]:
        """The kinds for which the plan depends on what left git before the base."""
        rules = self.processor.rules
        try:
            (old, _), (new, problems) = (rules.kinds_of(rules.read_rules(commit)) for commit in (base, head))
        except BaseException as error:
            if not is_commit_fault(error):
                raise
            return ()  # judging the head tells what is wrong
        return () if problems else find_narrowed_kinds(old, new)

    def _load_base(self, base: str) -> PlanBase:
        """The base with all files read, without what left git before it."""
        start = WalkStart(None, self.processor.empty_state())
        return self._complete_base(state_at(self.source, self.processor, start, base), base)

    def _walk_to_base(self, base: str) -> PlanBase:
        """The base with all that its history made of it."""
        start, mainline = WalkStart(None, self.processor.empty_state()), Mainline()
        for commit in walk_history(self.source, self.processor, start, base, self.source.parents(base)):
            mainline = mainline.extend(commit)
        assert mainline.last is not None
        valid = mainline.valid.version.commit.sha if mainline.valid else None
        return self._complete_base(StateAt(mainline.last.state, valid), base)

    def _complete_base(self, at_base: StateAt, base: str) -> PlanBase:
        if at_base.valid_commit is None and self.source.is_shallow():
            at_base = StateAt(self._assume_valid(at_base.state, base), base)
        declared = sum(row.removed is None for row in at_base.state.rows())
        return PlanBase(at_base.state, at_base.valid_commit, declared)

    def _assume_valid(self, state: TreeState, base: str) -> TreeState:
        """An invalid state with all that can be read of its tree: a shallow clone lacks the valid commit before it."""
        snapshot, stamp = state.snapshot, self.source.commit(base).stamp
        evolved, _ = advance_lineage(snapshot.lineage, snapshot.tree, snapshot.pending, stamp, snapshot.prune)
        kinds = snapshot.tree.kinds
        return replace(state, snapshot=replace(snapshot, lineage=evolved, kinds=kinds, pending=frozenset()))

    def _plan(
        self, start: PlanBase, base: str, head: str, files: Collection[FileChange] | None, halts: Halts, *, whole: bool
    ) -> tuple[Plan, Kinds]:
        commit = self.source.commit(head)
        state, outcome = self.processor.process(start.state, commit.stamp, files if start.state.tree == base else None)
        kinds = state.snapshot.kinds
        rows, part = outcome.rows, None
        if not outcome.valid:
            part = read_part(self.source, self.processor.rules, state, commit.stamp, outcome.problems)
            if part is None:
                return Plan(base, head, (), outcome.problems, start.declared, start.valid_commit), kinds
            state, kinds = part.state, part.state.snapshot.kinds
            rows = part.rows if head != base else ()
        changes = sort_changes(row.change for row in rows)
        request = _request_step(start.state, state, base, commit, changes)
        changed = [row.row for row in rows]
        review, found = self.reviewer.review_step(request, state.snapshot.tree, whole=whole and part is None)
        held = find_switched_on(halts, request, changed) if part is None else ()
        located = locate_problems(held, lambda paths: self.processor.rules.read_files(head, paths))
        problems = tuple(sorted(outcome.problems + found + located))
        changes = changes_under(halts, kinds, changes)
        plan = Plan(base, head, changes, problems, start.declared, start.valid_commit, review=review)
        return _complete(plan, part), kinds

    def _read_part(self, last: ProcessedCommit | None) -> ReadablePart | None:
        """The readable part of the last commit of a walk, if it is invalid."""
        if last is None or last.version.status is Status.VALID:
            return None
        stamp, problems = last.version.commit.stamp, last.version.problems
        return read_part(self.source, self.processor.rules, last.state, stamp, problems)


def _request_step(
    before: TreeState, after: TreeState, base: str, head: Commit, changes: tuple[Change, ...]
) -> AdmissionRequest:
    old = CommitState(base, before.rules, before.snapshot.kinds, before.rows).numbered()
    new = CommitState(head.sha, after.rules, after.snapshot.kinds, after.rows).numbered()
    bulks = BulkChanges(before.rules.spec).add(head.sha, changes, after.rules.spec).found
    declared = Counter[str]()
    if _needs_counts(changes, bulks):
        declared.update(row.resource.kind for row in before.rows() if row.removed is None)
    approved = MessageApprovals().add(head, after.snapshot.kinds)
    was = before.changed_rows()
    changed = [row for row_id, row in after.changed_rows().items() if was.get(row_id) is not row]
    return AdmissionRequest(old, new, changes, lambda kind: declared[kind], approved, changed=changed, bulks=bulks)


def _needs_counts(changes: Iterable[Change], bulks: tuple[BulkChange, ...]) -> bool:
    """Whether guards ask how many resources were declared before."""
    return bool(bulks) or any(change.destructive for change in changes)


def _with_state(commit: ProcessedCommit, state: TreeState) -> ProcessedCommit:
    """A commit with other rows than its history makes of it, so that nothing takes them for those."""
    return replace(commit, version=replace(commit.version, digest=""), state=state)


def _complete(plan: Plan, part: ReadablePart | None) -> Plan:
    """The plan with what could not be read, and with what it changes or leaves open no longer counted as unchanged."""
    unchanged = plan.unchanged - plan.count(Op.UPDATE) - plan.count(Op.DELETE)
    if part is None:
        return replace(plan, unchanged=unchanged)
    unchanged -= len(part.withheld - {change.resource.row_id for change in plan.changes})
    return replace(plan, unchanged=max(unchanged, 0), partial=part.unread.paths, files=part.files)
