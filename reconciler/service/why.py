"""Why a commit is not live, and why a resource has its values: blame, fate, status and drift as one answer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import UNSET

from reconciler import answers, canonical
from reconciler.errors import ReconcilerError, UsageError
from reconciler.history.fate import WENT_LIVE, Fate
from reconciler.history.live import MAX_INTERVALS
from reconciler.history.points import merges_above
from reconciler.kinds.build import stored_kinds
from reconciler.kinds.kind import INACTIVE, STATUS_FIELD, Kinds, child
from reconciler.model.change import Prune, RowId
from reconciler.model.rows import DriftType
from reconciler.report.commits import NOT_LIVE, build_person, build_spans, short_sha
from reconciler.report.fates import FateStory, ahead_note, explain_fate, explain_unrecorded, why_step
from reconciler.report.halts import build_halt
from reconciler.report.problems import build_problem
from reconciler.report.rows import build_row
from reconciler.report.status import build_status
from reconciler.report.why import WaitingValue, WhyCommit, WhyField, WhyResource, halt_note
from reconciler.service.context import Service
from reconciler.service.history import History
from reconciler.service.kinds import find_kind, known_kinds
from reconciler.service.past import open_past
from reconciler.tables.rows import with_halts
from reconciler.validate.finding import field_at
from reconciler.words import list_words, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.history.fate import CommitFate
    from reconciler.history.points import FoundVersion
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row
    from reconciler.model.halt import Halt
    from reconciler.model.rows import VersionRow
    from reconciler.ports import StoreReader
    from reconciler.report.history import BlamedField
    from reconciler.service.past import Past

WITH_AFTER = frozenset({Fate.SKIPPED, Fate.WAS_LIVE, Fate.REFUSED, Fate.INVALID})
"""The fates of commits above which another one may have gone live."""
CHANGES = 20
"""Newest changes of a resource among which newer values are looked for."""


class Why(Service):
    """Why things are as they are on this host, as far as its store and its history know while git is away."""

    def commit(self, revision: str) -> WhyCommit:
        """What became of a commit, and why. Raises `UsageError` for what is no commit."""
        status = self._status()
        with open_past(self.context) as past:
            try:
                found = past.version(revision)
            except UsageError as error:
                return self._unrecorded(past, revision, status, error)
            fate = past.fate(found)
            return _explain(past, found, fate, status)

    def resource(self, kind: str, name: str, field: str | None = None) -> WhyResource:
        """Why a live resource has its values, or one of them. Raises `UsageError` when there is none of that name."""
        with self._open_rows() as store:
            found = find_kind(known_kinds(store, self.context.bundled), kind)
            asked = _find_row(store, found, name) if store else None
            names = [one.name for one in store.live(found)] if store and not asked else []
        if asked is None:
            raise self._not_live(found, name, names)
        row, declared, status = asked.row, asked.declared, self._status()
        past = self._past_of(found, asked, status)
        fields = _fields(found, asked, past)
        as_declared = declared is not None and all(one.declared is UNSET for one in fields)
        is_meant = declared is not None and not asked.is_lost and all(one.is_meant for one in fields)
        if field is not None:
            wanted = field.removeprefix("spec.").removeprefix("metadata.")
            known = [one.field for one in fields]
            fields = [one for one in fields if one.field == wanted]
            if not fields:
                raise UsageError(f"{found.name} {row.name} has no field {field}", hint=suggest(wanted, known))
        notes, steps = _notes(found, asked, status)
        if not is_meant:
            steps.append("`reconciler drift --heal` makes the row what git says; `reconciler drift` shows all of it")
        steps += [why_step(one.commit) for each in fields for one in each.waiting]
        if past.leaving is not None:
            refused = f" by {list_words(past.leaving.refused_by)}" if past.leaving.refused_by else ""
            sha = short_sha(past.leaving.commit)
            notes.append(f"{sha} takes it out of git, and is not live: {past.leaving.fate}{refused}.")
            steps.append(why_step(past.leaving.commit))
        if status is not None and past.unseen is not None:
            note, more = ahead_note(status)
            notes.append(note)
            steps += more
        return WhyResource(
            kind=found.name,
            name=row.name,
            id=asked.id,
            path=row.path,
            line=row.line,
            as_declared=as_declared,
            fields=tuple(fields),
            notes=tuple(notes),
            next=tuple(dict.fromkeys(steps)),
            missing=asked.is_lost,
            unseen_head=past.unseen or UNSET,
            halts=tuple(map(build_halt, asked.halts)),
        )

    @contextmanager
    def _open_rows(self) -> Iterator[StoreReader | None]:
        """The live rows, also while git is away where there is a history."""
        if not self.context.keeps_history:
            with self.context.open_rows() as store:
                yield store
            return
        with self.context.open_history(0) as history, history.open_rows() as rows:
            yield rows

    def _not_live(self, kind: Kind, name: str, names: Sequence[str]) -> UsageError:
        """Why there is no row: what last changed it, where the history knows."""
        try:
            last = History(self.context).changes(kind.name, name, 1).changes[0]
            with open_past(self.context) as past:
                went_live = not _is_ahead(last, past.live.height(past.ledger))
        except ReconcilerError:
            hint = suggest(name, names, f"see `reconciler get {kind.name.lower()}`")
            return UsageError(f"no {kind.name} {name} is live", hint=hint)
        by = short_sha(last.commit)
        if last.op == "delete":
            what = f"{by} deleted it" if went_live else f"{by}, which is {last.fate}, takes it out of git"
        elif name not in {last.name, last.id}:
            what = (
                f"{by} named it {last.name}" if went_live else f"{by}, which is {last.fate}, would name it {last.name}"
            )
        else:
            what = f"its newest change is {by}" if went_live else f"{by}, which is {last.fate}, would {last.op} it"
        return UsageError(f"no {kind.name} {name} is live: {what}", hint=why_step(last.commit))

    def _status(self) -> answers.Status | None:
        try:
            return build_status(self.context.status())
        except ReconcilerError:  # the history is there also when git is not
            return None

    def _unrecorded(self, past: Past, revision: str, status: answers.Status | None, error: UsageError) -> WhyCommit:
        """A commit that git has and nothing has looked at. Raises the error for what is no commit."""
        sha = past.history.resolve(revision)
        if sha is None:
            raise error
        head = status.head if status else None
        try:
            with self.context.open_planner() as (planner, _):
                commit = planner.source.commit(sha)
                is_ours = head is None or not planner.source.parents(sha, known=head)
        except ReconcilerError:
            raise error from None
        fate, because, steps = explain_unrecorded(sha, status, is_ours=is_ours)
        refused = status.refused if status and fate is Fate.REFUSED else None
        return WhyCommit(
            commit=sha,
            author=build_person(commit.author),
            message=commit.message,
            fate=str(fate),  # type: ignore[arg-type]
            because=because,
            reasons=refused.problems if refused else (),
            refused_by=(),
            live=(),
            by=None,
            suspended=status.suspended if status and fate is Fate.HELD else None,
            next=(*steps, f"`reconciler plan --head {short_sha(sha)}` shows what it would change")
            if fate in {Fate.HELD, Fate.PENDING, Fate.SKIPPED}
            else steps,
        )

    def _past_of(self, kind: Kind, asked: _Asked, status: answers.Status | None) -> _RowPast:
        """What the history knows of a row, and of the head of the branch."""
        head = status.head if status else None
        known = [one.commit for one in (status.applied, status.attempted) if one] if status else []
        unseen = head if head not in known else None
        history = History(self.context)
        try:
            blamed = {one.field: one for one in history.blame(kind.name, asked.id).fields}
            changes = history.changes(kind.name, asked.id, CHANGES).changes
            with open_past(self.context) as past:
                height, since = past.live.height(past.ledger), _live_since(past, blamed.values())
                unseen = unseen if unseen and past.ledger.version(unseen) is None else None
        except ReconcilerError:  # no history, or one that lacks it yet
            return _RowPast({}, {}, {}, unseen)
        newer = [one for one in changes if _is_ahead(one, height)]
        leaving = newer[0] if newer and newer[0].op == "delete" else None
        return _RowPast(blamed, since, {} if leaving else _waiting(newer), unseen, leaving)


class _Asked(NamedTuple):
    """A row that somebody asks about, and what git says of it. One that something else deleted has no values.

    `halts` are those that cover it.
    """

    row: answers.Row
    id: str
    declared: Row | None
    is_lost: bool = False
    halts: tuple[Halt, ...] = ()


class _RowPast(NamedTuple):
    """For each field its blame and the newer value that is not live; since when each commit is live.

    `unseen` is the head of the branch where nothing has looked at it, `leaving` the newest change where it takes the
    resource out of git.
    """

    blamed: Mapping[str, BlamedField]
    since: Mapping[str, str]
    waiting: Mapping[str, WaitingValue]
    unseen: str | None
    leaving: answers.RecordedChange | None = None


def _find_row(store: StoreReader, kind: Kind, name: str) -> _Asked | None:
    """The live row of a name or id, else that which is to be live and was deleted by something else."""
    kinds = stored_kinds(store.kinds())
    live = store.live(kind, name)[:1]
    if live:
        id_ = str(live[0].values[kind.key])
        declared = _declared(store, kinds, kind, RowId(kind.name, id_))
        return _Asked(build_row(live[0]), id_, declared, halts=_find_halts(store, kind, declared))
    drifts = store.drift(Kinds(tuple(one for one in kinds if one.name == kind.name))).reported
    lost = (one for one in drifts if one.what is DriftType.MISSING and name in {one.name, one.id})
    for drift in lost:
        declared = _declared(store, kinds, kind, drift.row_id)
        if declared is not None:
            path, line = (None, None) if declared.removed else (declared.resource.path, declared.resource.line)
            values = dict.fromkeys(column.name for column in kind.columns)
            row = answers.Row(name=declared.resource.name, path=path, line=line, values=values)
            return _Asked(row, drift.id, declared, is_lost=True, halts=_find_halts(store, kind, declared))
    return None


def _declared(store: StoreReader, kinds: Kinds, kind: Kind, row_id: RowId) -> Row | None:
    """What git says of a row, with what halts make of it."""
    found = store.base(kinds).row(row_id)
    return None if found is None else with_halts(kind, found, store.halts())


def _find_halts(store: StoreReader, kind: Kind, declared: Row | None) -> tuple[Halt, ...]:
    """The halts that keep a row off, or would if git had it on."""
    if declared is None or not (declared.halted or kind.halt):
        return ()
    return tuple(store.halts().covering(declared.resource))


def _fields(kind: Kind, asked: _Asked, past: _RowPast) -> list[WhyField]:
    row = asked.row
    own = _declared_values(kind, asked.declared) if asked.declared is not None else row.values
    values = {name: value for name, value in row.values.items() if kind.column(name)}
    fields = []
    others = {name: one.value for name, one in past.blamed.items() if name not in values}
    halted = (asked.declared.halted if asked.declared is not None else None) or {}
    for name, value in {**values, **others}.items():
        blame, column, waiting = past.blamed.get(name), kind.column(name), past.waiting.get(name)
        stated = canonical.to_json_value(own.get(name)) if name in values else value
        is_left_out = value is None and not asked.is_lost
        default = field_at(kind.schema, child("/spec", name)).get("default", UNSET) if is_left_out else UNSET
        is_newer = waiting is not None and canonical.dumps(waiting.value) != canonical.dumps(value)
        fields.append(
            WhyField(
                field=name,
                value=value,
                unit=blame.unit if blame else column.unit if column else "",
                declared=UNSET if canonical.dumps(stated) == canonical.dumps(value) else stated,
                default=default,
                halted=canonical.to_json_value(halted[name]) if name in halted else UNSET,
                commit=blame.commit if blame else None,
                author=blame.author.name if blame else "",
                committed_at=blame.committed_at if blame else None,
                message=blame.message if blame else "",
                live_since=past.since.get(blame.commit) if blame else None,
                waiting=(waiting,) if waiting is not None and is_newer else (),
            )
        )
    return fields


def _live_since(past: Past, blamed: Iterable[BlamedField]) -> dict[str, str]:
    """Since when what some commits set is live: each itself, else the first above it that went live."""
    live = past.live.newest(MAX_INTERVALS)
    heights = past.ledger.mainline_heights({one.commit for one in live})
    known = sorted((heights[one.commit], one.since) for one in live if one.commit in heights)
    last = dict(known)
    since = {}
    for blame in blamed:
        height = next((height for height, _ in known if height >= blame.height), None)
        if height is not None:
            since[blame.commit] = canonical.timestamp(last[height])
    return since


def _is_ahead(change: answers.RecordedChange, height: int) -> bool:
    """Whether a change is of the followed branch, above a height, and not live."""
    is_ours = not change.orphaned and change.branch is UNSET
    return is_ours and change.height > height and change.fate in NOT_LIVE


def _waiting(changes: Sequence[answers.RecordedChange]) -> dict[str, WaitingValue]:
    """The newest value of each field that some changes would bring: all up to the head goes live together."""
    waiting: dict[str, WaitingValue] = {}
    for one in changes:
        for change in one.fields:
            if one.fate is not UNSET:
                value = WaitingValue(commit=one.commit, value=change.new, fate=one.fate, refused_by=one.refused_by)
                waiting.setdefault(change.field, value)
    return waiting


def _declared_values(kind: Kind, declared: Row) -> Mapping[str, Any]:
    """What the live row of a resource is to hold; of one that left git, what its prune mode made of it."""
    values = declared.resource.values
    if declared.removed is None or declared.removed.prune is Prune.OFF or not kind.can_deactivate:
        return values
    return {**values, STATUS_FIELD: INACTIVE}


def _explain(past: Past, found: FoundVersion, fate: CommitFate, status: answers.Status | None) -> WhyCommit:
    version = found.version
    aside = not version.mainline and not version.orphaned
    merge = merges_above(found.ledger, 0).get(version.commit.sha) if aside else None
    by = _after(past, found, merge or version) if fate.fate in WITH_AFTER else None
    suspended = status.suspended if status and fate.fate is Fate.HELD else None
    problems = version.problems if fate.fate is Fate.INVALID else fate.refusal.problems if fate.refusal else ()
    reasons = tuple(build_problem(one) for one in problems) if fate.fate in {Fate.INVALID, Fate.REFUSED} else ()
    branch, brings = found.branch if fate.fate not in WENT_LIVE else None, merge.commit.sha if merge else None
    because, steps = explain_fate(FateStory(version, fate, by, status, reasons, branch, brings))
    return WhyCommit(
        commit=version.commit.sha,
        author=build_person(version.commit.author),
        message=version.commit.message,
        fate=str(fate.fate),  # type: ignore[arg-type]
        because=because,
        reasons=reasons,
        refused_by=fate.refused_by,
        live=build_spans(fate),
        by=by,
        suspended=suspended,
        next=tuple(steps),
        merge=brings or UNSET,
        branch=found.branch or UNSET,
        orphaned=version.orphaned,
    )


def _after(past: Past, found: FoundVersion, brought: VersionRow) -> str | None:
    """The commit that is live, or was the first to go live, above one that did not or no longer is.

    `brought` is the merge of a commit of a side branch, which may be the one; else the commit itself.
    """
    lowest = brought.height + (brought is found.version)
    heights = [one for one in past.live.live_heights(found.ledger) if one >= lowest]
    if not heights or found.version.orphaned or not brought.mainline:
        return None
    return next(iter(found.ledger.versions(limit=1, upto=min(heights)))).commit.sha


def _notes(kind: Kind, asked: _Asked, status: answers.Status | None) -> tuple[list[str], list[str]]:
    notes, steps = list[str](), list[str]()
    row, declared = asked.row, asked.declared
    if asked.is_lost:
        notes.append("Something else deleted the live row.")
    for halt in asked.halts:
        known = next((one for one in (row.name, asked.id) if one in halt.selector.names), None)
        by_id = dict(zip(halt.selector.ids, halt.selector.names, strict=False))
        called = known or by_id.get(asked.id, row.name)
        notes.append(halt_note(build_halt(halt), called, is_only=len(asked.halts) == 1))
    if declared is None:
        notes.append("Git never declared it: something else wrote the row.")
    elif declared.removed is not None:
        removed = declared.removed
        what = {"deactivate": "was set INACTIVE", "delete": "was deleted", "off": "stays as it was"}[str(removed.prune)]
        notes.append(f"It left git with {short_sha(removed.commit)}, and its row {what}.")
    if status is None:
        return notes, steps
    if status.drift and not {f"{kind.name} {row.name}", f"{kind.name} {asked.id}"}.isdisjoint(status.drift.fighting):
        notes.append("A conflicting writer changes it again and again: the row is left to that program.")
        steps.append("find that program and stop it, then `reconciler drift --heal`")
    refused = status.refused
    if refused and row.path and any(one.path == row.path for one in refused.problems):
        notes.append(f"The newest commit, {short_sha(refused.commit)}, is refused for what its file says.")
        steps.append(why_step(refused.commit))
    if status.suspended:
        notes.append(f"Reconciling is suspended by {status.suspended.actor}: {status.suspended.reason}")
    return notes, steps
