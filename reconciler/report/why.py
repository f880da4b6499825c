"""Why a commit is live or not, and why a resource has its values: as answers, and in words."""

from __future__ import annotations

import shlex
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from reconciler import answers, canonical
from reconciler.history.fate import Fate
from reconciler.report.commits import short_sha, subject_line
from reconciler.report.escape import EXACT, Moments, escape_line
from reconciler.report.problems import parse_problem, problem_line
from reconciler.report.status import suspension_line
from reconciler.report.views import format_value
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SHOWN = 10
"""Problems and commits of an answer in words; JSON has all."""


class WhyCommit(answers.Answer, frozen=True):
    """What became of a commit on a host, why, and what to do about it."""

    commit: answers.Sha
    author: answers.Person
    message: str
    fate: answers.FateWord
    because: Annotated[str, Meta(description="the reason in a sentence")]
    reasons: Annotated[tuple[answers.Problem, ...], Meta(description="what is wrong with it, or what refused it")]
    refused_by: tuple[str, ...]
    live: tuple[answers.LiveSpan, ...]
    by: Annotated[answers.Sha | None, Meta(description="the commit that went live in its place, or after it")]
    suspended: Annotated[answers.Suspension | None, Meta(description="what holds it")]
    next: Annotated[tuple[str, ...], Meta(description="what to do now")]
    merge: Annotated[answers.Sha | UnsetType, Meta(description="the merge that brings it from a side branch")] = UNSET
    branch: Annotated[str | UnsetType, Meta(description="the branch that has it, where the host follows another")] = (
        UNSET
    )
    orphaned: bool = False

    @property
    def is_wrong(self) -> bool:
        """Whether it needs another commit, or an approval: it went wrong, and nothing has gone on without it."""
        passed = self.by is not None or self.orphaned or self.branch is not UNSET
        return self.fate in {Fate.REFUSED, Fate.INVALID} and not passed


class WaitingValue(answers.Answer, frozen=True):
    """A newer value that is not live, and the commit that would bring it."""

    commit: answers.Sha
    value: Any
    fate: answers.FateWord
    refused_by: tuple[str, ...]


class WhyField(answers.Answer, frozen=True):
    """A field of a live row, who set it, and since when it is live here."""

    field: str
    value: Any
    unit: str
    commit: answers.Sha | None
    author: str
    committed_at: answers.Moment | None
    message: str
    live_since: answers.Moment | None
    waiting: tuple[WaitingValue, ...]
    declared: Annotated[Any | UnsetType, Meta(description="what git says, where that is something else")] = UNSET
    default: Annotated[Any | UnsetType, Meta(description="what the schema says counts where it is left out")] = UNSET
    halted: Annotated[Any | UnsetType, Meta(description="what a halt sets it to, whatever git says")] = UNSET

    @property
    def is_meant(self) -> bool:
        """Whether it is what git says, or what a halt sets it to."""
        if self.halted is not UNSET:
            return canonical.dumps(self.halted) == canonical.dumps(self.value)
        return self.declared is UNSET


class WhyResource(answers.Answer, frozen=True):
    """Why a resource is as it is on this host. `notes` are sentences about the whole of it."""

    kind: str
    name: str
    id: str
    path: str | None
    line: int | None
    as_declared: Annotated[bool, Meta(description="whether the live row is what git says")]
    fields: tuple[WhyField, ...]
    notes: tuple[str, ...]
    next: tuple[str, ...]
    missing: Annotated[bool, Meta(description="whether something else deleted the live row")] = False
    unseen_head: Annotated[
        answers.Sha | UnsetType, Meta(description="the head, where nothing here has looked at it")
    ] = UNSET
    halts: Annotated[tuple[answers.StandingHalt, ...], Meta(description="the halts that cover it")] = ()


def halt_note(halt: answers.StandingHalt, name: str, *, is_only: bool = True) -> str:
    """That it is halted, and how that ends. `name` is what the halt knows it by, where it knows names."""
    which = name if halt.names else f"-l {shlex.quote(halt.label)}" if halt.label else "--all"
    what = f"{halt.kind.lower()} {which}" if halt.kind else which
    ends = "gives git's value back" if is_only else "ends this halt only"
    told = f"It is halted by {halt.by} since {halt.since}: {halt.reason.rstrip('.')}."
    return f"{told} `reconciler release {what} --reason TEXT` {ends}."


def commit_lines(why: WhyCommit, moments: Moments = EXACT) -> Iterator[str]:
    """The answer about a commit, as somebody would give it."""
    at = moments.full(canonical.timestamp(datetime.fromisoformat(why.author.time)))
    yield f"{short_sha(why.commit)}  {escape_line(f'{why.author.name}, {at}: {subject_line(why.message)}')}"
    yield escape_line(moments.within(why.because))
    if why.reasons:
        yield ""
    for problem in why.reasons[:MAX_SHOWN]:
        yield problem_line(parse_problem(problem))
    if len(why.reasons) > MAX_SHOWN:
        yield f"and {len(why.reasons) - MAX_SHOWN:,} more: see --format json"
    if why.suspended:
        yield f"suspended {suspension_line(why.suspended, moments)}"


def next_lines(steps: tuple[str, ...], moments: Moments = EXACT) -> Iterator[str]:
    """What to do now."""
    yield from (f"next: {escape_line(moments.within(step))}" for step in steps)


def resource_lines(why: WhyResource, moments: Moments = EXACT) -> Iterator[str]:
    """The answer about a resource: its fields under the commits that set them, the newest first."""
    where = f"{why.path}:{why.line}" if why.path else "in no file"
    is_halted = why.halts and not why.as_declared and all(field.is_meant for field in why.fields)
    state = "halted" if is_halted else "as git says" if why.as_declared else "not as git says"
    yield escape_line(f"{why.kind} {why.name} is {state}, {where}")
    yield from (escape_line(moments.within(note)) for note in why.notes)
    width = max((len(field.field) for field in why.fields), default=0)
    ordered = sorted(why.fields, key=lambda field: (field.committed_at or "", field.commit or ""), reverse=True)
    for commit, fields in groupby(ordered, key=lambda field: field.commit):
        some = list(fields)
        yield ""
        yield _heading(some[0], moments) if commit else "not set in git"
        for field in some:
            yield f"    {escape_line(field.field):<{width}}  {_value(field.value, field.unit)}"
            yield from (f"    {'':<{width}}  {line}" for line in _remarks(field, is_missing=why.missing))


def _heading(field: WhyField, moments: Moments) -> str:
    assert field.commit
    since = f", live here since {moments.full(field.live_since)}" if field.live_since else ""
    who = f"{field.author}: {subject_line(field.message)}"
    return f"{short_sha(field.commit)}  {escape_line(who)}{since}"


def _remarks(field: WhyField, *, is_missing: bool) -> Iterator[str]:
    changed = "" if field.is_meant or is_missing else ": something else changed the row"
    if field.halted is not UNSET:
        said = field.value if field.declared is UNSET else field.declared
        git, halted = _value(said, field.unit), _value(field.halted, field.unit)
        yield f"git says {git}, and the halt makes it {halted}{changed}"
    elif field.declared is not UNSET:
        yield f"git says {_value(field.declared, field.unit)}{changed}"
    if field.default is not UNSET:
        yield f"left out: {_value(field.default, field.unit)} is the default"
    for waiting in field.waiting:
        rules = f" by {list_words(waiting.refused_by, MAX_SHOWN)}" if waiting.refused_by else ""
        value = _value(waiting.value, field.unit)
        yield escape_line(f"{short_sha(waiting.commit)} would make it {value}: {waiting.fate}{rules}")


def _value(value: Any, unit: str) -> str:
    return f"{format_value(value)} {unit}" if unit and value is not None else format_value(value)


def is_waiting(fate: str) -> bool:
    """Whether a commit with this fate may still go live by itself."""
    return fate in {Fate.HELD, Fate.PENDING}
