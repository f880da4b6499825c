"""Why a commit is not live, and why a resource has its values: blame, fate, status and drift as one answer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from reconciler import answers, canonical
from reconciler.errors import ReconcilerError, UsageError
from reconciler.history.fate import Fate
from reconciler.kinds.kind import INACTIVE, STATUS_FIELD, child
from reconciler.model.change import Prune, RowId
from reconciler.reconcile.rules import stored_kinds
from reconciler.report.commits import NOT_LIVE, build_person, build_spans, short_sha
from reconciler.report.fates import SYNC, FateStory, explain_fate, resume_step, why_step
from reconciler.report.problems import build_problem
from reconciler.report.rows import build_row
from reconciler.report.status import build_status
from reconciler.report.why import WaitingValue, WhyCommit, WhyField, WhyResource
from reconciler.service.context import Service
from reconciler.service.history import History
from reconciler.service.kinds import find_kind, known_kinds
from reconciler.service.past import open_past
from reconciler.validate.finding import field_at
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.history.fate import CommitFate
    from reconciler.history.points import FoundVersion
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row
    from reconciler.ports import StoreReader
    from reconciler.service.past import Past

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
            live = store.live(found, name)[:1] if store else ()
            names = [one.name for one in store.live(found)] if store and not live else []
            base = store.base(stored_kinds(store.kinds())) if store else None
            declared = base.row(RowId(found.name, str(live[0].values[found.key]))) if base and live else None
        if not live:
            raise self._not_live(found, name, names)
        row, id_ = build_row(live[0]), str(live[0].values[found.key])
        status = self._status()
        fields = self._fields(found, id_, row, declared)
        as_declared = declared is not None and all(one.declared is UNSET for one in fields)
        if field is not None:
            wanted = field.removeprefix("spec.").removeprefix("metadata.")
            known = [one.field for one in fields]
            fields = [one for one in fields if one.field == wanted]
            if not fields:
                raise UsageError(f"{found.name} {row.name} has no field {field}", hint=suggest(wanted, known))
        notes, steps = _notes(row, declared, status)
        if not as_declared:
            steps.append("`reconciler drift --heal` makes the row what git says; `reconciler drift` shows all of it")
        steps += [why_step(one.commit) for each in fields for one in each.waiting]
        return WhyResource(
            kind=found.name,
            name=row.name,
            id=id_,
            path=row.path,
            line=row.line,
            as_declared=as_declared,
            fields=tuple(fields),
            notes=tuple(notes),
            next=tuple(dict.fromkeys(steps)),
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
        except ReconcilerError:
            hint = suggest(name, names, f"see `reconciler get {kind.name.lower()}`")
            return UsageError(f"no {kind.name} {name} is live", hint=hint)
        what = f"{short_sha(last.commit)} ({last.fate or 'recorded'}) was to {last.op} it"
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
        try:
            with self.context.open_planner() as (planner, _):
                commit = planner.source.commit(sha)
        except ReconcilerError:
            raise error from None
        suspended = status.suspended if status else None
        because = f"Nothing on this host has looked at it yet{', as reconciling is suspended' if suspended else ''}."
        if status and status.head not in (None, sha):
            because += f" The head of {status.branch} is {short_sha(status.head or '')}: it may be of another branch."
        return WhyCommit(
            commit=sha,
            author=build_person(commit.author),
            message=commit.message,
            fate="held" if suspended else "pending",
            because=because,
            reasons=(),
            refused_by=(),
            live=(),
            by=None,
            suspended=suspended,
            next=(resume_step(suspended) if suspended else SYNC, f"`reconciler plan --head {short_sha(sha)}` shows it"),
        )

    def _fields(self, kind: Kind, id_: str, row: answers.Row, declared: Row | None) -> list[WhyField]:
        blamed, since, waiting = self._past_of(kind, id_)
        own = _declared_values(kind, declared) if declared is not None else row.values
        values = {name: value for name, value in row.values.items() if kind.column(name)}
        fields = []
        others = {name: one.value for name, one in blamed.items() if name not in values}
        for name, value in {**values, **others}.items():
            blame, column = blamed.get(name), kind.column(name)
            stated = canonical.to_json_value(own.get(name)) if name in values else value
            default = field_at(kind.schema, child("/spec", name)).get("default", UNSET) if value is None else UNSET
            fields.append(
                WhyField(
                    field=name,
                    value=value,
                    unit=blame.unit if blame else column.unit if column else "",
                    declared=UNSET if canonical.dumps(stated) == canonical.dumps(value) else stated,
                    default=default,
                    commit=blame.commit if blame else None,
                    author=blame.author.name if blame else "",
                    committed_at=blame.committed_at if blame else None,
                    message=blame.message if blame else "",
                    live_since=since.get(blame.commit) if blame else None,
                    waiting=tuple(waiting.get(name, ())),
                )
            )
        return fields

    def _past_of(self, kind: Kind, id_: str) -> tuple[Mapping[str, Any], Mapping[str, str], Mapping[str, Any]]:
        """For each field its blame, since when each commit is live, and the newer values that are not live."""
        history = History(self.context)
        try:
            blamed = {one.field: one for one in history.blame(kind.name, id_).fields}
            changes = history.changes(kind.name, id_, CHANGES).changes
        except ReconcilerError:  # no history, or one that lacks it yet
            return {}, {}, {}
        since = {one.commit: one.live[-1].since for one in changes if one.live}
        waiting: dict[str, list[WaitingValue]] = {}
        for one in changes:
            if one.live:
                break
            if one.fate in NOT_LIVE and not one.orphaned:
                for change in one.fields:
                    value = WaitingValue(commit=one.commit, value=change.new, fate=one.fate, refused_by=one.refused_by)
                    waiting.setdefault(change.field, []).append(value)
        return blamed, since, waiting


def _declared_values(kind: Kind, declared: Row) -> Mapping[str, Any]:
    """What the live row of a resource is to hold; of one that left git, what its prune mode made of it."""
    values = declared.resource.values
    if declared.removed is None or declared.removed.prune is Prune.OFF or not kind.can_deactivate:
        return values
    return {**values, STATUS_FIELD: INACTIVE}


def _explain(past: Past, found: FoundVersion, fate: CommitFate, status: answers.Status | None) -> WhyCommit:
    version = found.version
    by = _after(past, found) if fate.fate in {Fate.SKIPPED, Fate.WAS_LIVE} else None
    suspended = status.suspended if status and fate.fate is Fate.HELD else None
    problems = version.problems if fate.fate is Fate.INVALID else fate.refusal.problems if fate.refusal else ()
    reasons = tuple(build_problem(one) for one in problems) if fate.fate in {Fate.INVALID, Fate.REFUSED} else ()
    because, steps = explain_fate(FateStory(version, fate, by, status, reasons))
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
    )


def _after(past: Past, found: FoundVersion) -> str | None:
    """The commit that is live, or was the first to go live, above one that did not or no longer is."""
    heights = [one for one in past.live.live_heights(found.ledger) if one > found.version.height]
    if not heights or found.version.orphaned:
        return None
    return next(iter(found.ledger.versions(limit=1, upto=min(heights)))).commit.sha


def _notes(row: answers.Row, declared: Row | None, status: answers.Status | None) -> tuple[list[str], list[str]]:
    notes, steps = list[str](), list[str]()
    if declared is None:
        notes.append("Git never declared it: something else wrote the row.")
    elif declared.removed is not None:
        removed = declared.removed
        what = {"deactivate": "was set INACTIVE", "delete": "was deleted", "off": "stays as it was"}[str(removed.prune)]
        notes.append(f"It left git with {short_sha(removed.commit)}, and its row {what}.")
    if status is None:
        return notes, steps
    if status.drift and any(row.name in one.split() for one in status.drift.fighting):
        notes.append("A conflicting writer changes it again and again: the row is left to that program.")
        steps.append("find that program and stop it, then `reconciler drift --heal`")
    refused = status.refused
    if refused and row.path and any(one.path == row.path for one in refused.problems):
        notes.append(f"The newest commit, {short_sha(refused.commit)}, is refused for what its file says.")
        steps.append(why_step(refused.commit))
    if status.suspended:
        notes.append(f"Reconciling is suspended by {status.suspended.actor}: {status.suspended.reason}")
    return notes, steps
