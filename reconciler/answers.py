"""The answers to questions about a host: one frozen type for each JSON object of commands, HTTP and OpenAPI.

The name of a type is the name of its component in the OpenAPI document; its fields are those of the JSON, in order.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

T = TypeVar("T")
Json = dict[str, Any]

Moment = Annotated[str, Meta(description="RFC 3339, in UTC", extra_json_schema={"format": "date-time"})]
ZonedMoment = Annotated[str, Meta(description="with its zone", extra_json_schema={"format": "date-time"})]
Sha = Annotated[str, Meta(description="the commit's sha", pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")]
Digest = Annotated[str, Meta(description="SHA-256", pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Meta(ge=0)]
Cursor = Annotated[str, Meta(description="the cursor for what follows; null at the end")]
Verdict = Literal["VALID", "INVALID"]
Severity = Literal["error", "warning"]
ConditionStatus = Literal["True", "False"]
SyncState = Literal["Synced", "OutOfSync", "Unknown"]
HealthState = Literal["Healthy", "Progressing", "Degraded", "Suspended"]
FateWord = Literal["live", "was-live", "skipped", "refused", "invalid", "held", "pending"]
WhyEnded = Literal["replaced", "rolled-back", "branch-switched", "halt-changed"]
Operation = Literal["create", "update", "delete"]
DirectionWord = Literal["tighten", "loosen", "neutral"]
FollowerState = Literal["Starting", "Following", "Retrying", "Stalled"]
Session = dict[str, str]
"""A session by column; the columns are those of the schema `session_state`."""


class Answer(Struct, frozen=True, kw_only=True):
    """A JSON object. A field that is UNSET is left out of it."""


def to_json(answer: Answer) -> Json:
    """An answer as a JSON object of builtins. Its arrays are tuples."""
    json_object: Json = msgspec.to_builtins(answer)
    return json_object


def from_json(value: object, type_: type[T]) -> T:
    """Parse an answer; unknown fields are ignored. Raises `ValueError` for a value of another type."""
    return msgspec.convert(value, type_)


class Bounds(Answer, frozen=True, omit_defaults=True):
    """The values that satisfy a rule: numbers within limits, or one of some words."""

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    one_of: tuple[str, ...] = ()


class Problem(Answer, frozen=True):
    code: Annotated[str, Meta(description="one heading each in docs/problems.md")]
    severity: Severity
    path: str
    line: int
    column: int
    pointer: Annotated[str, Meta(description="RFC 6901")]
    message: str
    hint: str
    bounds: Annotated[Bounds, Meta(description="what would be right there, where the rule says it")] | UnsetType = UNSET


class Person(Answer, frozen=True):
    """An author or committer."""

    name: str
    email: str
    time: ZonedMoment


class Applied(Answer, frozen=True):
    """The commit whose state the live rows are."""

    commit: Sha
    height: Count
    digest: Digest
    committed_at: Moment
    applied_at: Moment


class Attempt(Answer, frozen=True):
    """The newest commit that was looked at."""

    commit: Sha
    committed_at: Moment
    attempted_at: Moment
    refused: bool
    problems: tuple[Problem, ...]


class Suspension(Answer, frozen=True):
    reason: str
    actor: str
    since: Moment
    until: Moment | None


class RolledBack(Answer, frozen=True):
    """`skips` names what newer commits may not say, as far as there is room; `held` what the head says of it."""

    target: Sha
    skipped: Sha
    reason: str
    actor: str
    since: Moment
    skips: tuple[str, ...]
    held: tuple[Problem, ...]


class StandingHalt(Answer, frozen=True):
    """What somebody switched off on this host, whatever git says, until somebody releases it."""

    id: str
    selector: Annotated[str, Meta(description="as people type it")]
    kind: Annotated[str | None, Meta(description="null: of every kind")]
    names: tuple[str, ...]
    label: Annotated[str, Meta(description="the labels it goes by; empty without")]
    all: Annotated[bool, Meta(description="whatever there is, and will be")]
    reason: str
    by: str
    since: Moment


class Drill(Answer, frozen=True):
    """The last drill of a halt; `error` is what went wrong, empty when nothing did."""

    at: Moment
    seconds: float
    error: str


class Condition(Answer, frozen=True):
    type: str
    status: ConditionStatus
    reason: str
    message: str
    since: Moment | None


class DaemonProcess(Answer, frozen=True):
    pid: int
    address: str
    started_at: Moment
    phase: str
    phase_since: Moment
    beat_at: Moment
    last_sync_at: Moment | None
    blind: Annotated[str, Meta(description="why commits are not noticed at once; empty where they are")]


class UploadFailure(Answer, frozen=True):
    message: str
    hint: str
    at: Moment


class HistoryUpload(Answer, frozen=True):
    """What waits for the history, and how the upload fares."""

    versions: Count
    oldest: Moment | None
    behind: bool
    events: Count
    recorded: Count
    last_success_at: Moment | None
    next_attempt_at: Moment | None
    failure: UploadFailure | None


class LiveView(Answer, frozen=True):
    """The rows in Redis."""

    commit: Sha | None
    rows: Count
    dropped: Count
    bytes: Count
    kept_by: str | None


class Follower(Answer, frozen=True):
    """A copy of the live rows elsewhere."""

    name: str
    state: FollowerState
    message: str


class DriftScan(Answer, frozen=True):
    """The newest scan for drift."""

    at: Moment
    found: Count
    healed: Count
    fighting: tuple[str, ...]


class Trouble(Answer, frozen=True):
    about: str
    outlook: str
    reason: str
    message: str
    hint: str
    since: Moment


class Status(Answer, frozen=True):
    """How a host stands. What only a daemon knows is null while none runs; `troubles` are then those of the branch."""

    repository: str
    branch: str
    head: Sha | None
    sync: SyncState
    health: HealthState
    applied: Applied | None
    attempted: Attempt | None
    refused: Attempt | None
    suspended: Suspension | None
    rolled_back: RolledBack | None
    shallow: bool
    resources: dict[str, Count]
    conditions: tuple[Condition, ...]
    daemon: DaemonProcess | None
    history: HistoryUpload | None
    live_view: LiveView | None
    drift: DriftScan | None
    troubles: tuple[Trouble, ...]
    halted: Annotated[tuple[StandingHalt, ...], Meta(description="empty while nothing is halted")] = ()
    halted_rows: Annotated[dict[str, Count], Meta(description="live rows that halts keep from what git says")] = field(
        default_factory=dict
    )
    halt_drill: Annotated[Drill | None, Meta(description="null before the first")] = None
    followers: Annotated[
        tuple[Follower, ...] | UnsetType, Meta(description="beside the live view; absent where there are none")
    ] = UNSET


class UnitChoice(Answer, frozen=True):
    """The unit where another field of the row says which: `of` has it for values of the field `by`."""

    by: str
    of: dict[str, str]


class Column(Answer, frozen=True):
    field: str
    unit: str
    unit_choice: UnitChoice | UnsetType = UNSET


class Metadata(Answer, frozen=True):
    """What git says of a resource beside its values."""

    labels: dict[str, str]
    annotations: dict[str, str]
    refs: dict[str, tuple[str, ...]]


class Row(Answer, frozen=True):
    """A live row. `path` and `line` are where git declares it; null for what left git."""

    name: str
    path: str | None
    line: int | None
    values: dict[str, Any]
    metadata: Metadata | UnsetType = UNSET
    names: (
        Annotated[dict[str, str], Meta(description="of columns that hold ids, the names of what has these")] | UnsetType
    ) = UNSET
    declared: Annotated[dict[str, Any], Meta(description="what git says of halted fields")] | UnsetType = UNSET


class ViewColumn(Answer, frozen=True):
    """A column of a table for people: the kind's own `column`, or the names of a role of the references, or both.

    `rank` says how soon it is left out for want of room: 0 never, then the largest first.
    """

    name: str
    column: str | None
    role: str | None
    rank: Count
    nature: Literal["name", "state", "number", "value"]


class DriftEvent(Answer, frozen=True):
    """Live rows were found not to be what git said, were put right, or are right again; `rows` counts them by kind."""

    at: Moment
    event: Literal["drift-found", "drift-healed", "drift-gone"]
    rows: dict[str, Count]


class LiveSpan(Answer, frozen=True):
    """A commit was live on a host; `until` and `ended` are null while it is."""

    host: str
    since: Annotated[Moment, Meta(description="when it went live")] = field(name="from")
    until: Moment | None
    ended: WhyEnded | None
    drift: Annotated[tuple[DriftEvent, ...] | UnsetType, Meta(description="left out where none was found")] = UNSET


class DriftedRow(Answer, frozen=True):
    """A live row, or a table (`id` null), that is not what git says."""

    kind: str
    id: str | None
    name: str | None
    what: str
    fields: tuple[str, ...]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    halted: Annotated[tuple[str, ...], Meta(description="fields that a halt sets")] | UnsetType = UNSET


class RecordedDrift(DriftedRow, frozen=True, kw_only=True):
    """A live row, or a table, that was not what git said; of a changed row `before` and `after` have `fields` only."""

    commit: Annotated[Sha | None, Meta(description="what was live when it was found")]
    right_at: Annotated[Moment | None, Meta(description="when it was last seen to be right; null where not known")]
    found_at: Moment
    ended_at: Moment | None
    ended: Literal["healed", "gone", "changed"] | None
    certain: Annotated[bool, Meta(description="of a past time: whether it was found by then")] | UnsetType = UNSET


class HistoryPoint(Answer, frozen=True):
    """The commit that was found for what somebody asked for, on this host or in git."""

    asked: str
    commit: Sha
    height: Count
    committed_at: Moment
    author: Person
    message: str
    status: Verdict
    orphaned: bool
    by: Literal["host", "git"]
    branch: (
        Annotated[str, Meta(description="the branch that has the commit, where it is not the one asked")] | UnsetType
    ) = UNSET
    fate: FateWord | UnsetType = UNSET
    refused_by: tuple[str, ...] = ()
    shown: (
        Annotated[Sha, Meta(description="the commit whose rows were live, where the other never was")] | UnsetType
    ) = UNSET


class Rows(Answer, frozen=True, kw_only=True):
    """Live rows of a kind; `at` when it is asked for those of another time."""

    at: HistoryPoint | UnsetType = UNSET
    kind: str
    key: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    view: Annotated[tuple[ViewColumn, ...], Meta(description="with `?metadata=true`")] | UnsetType = UNSET
    drift: (
        Annotated[tuple[RecordedDrift, ...], Meta(description="what was, or may have been, otherwise at that time")]
        | UnsetType
    ) = UNSET


class RowsPage(Rows, frozen=True, kw_only=True):
    next: Cursor | None = None


class FieldChange(Answer, frozen=True):
    field: str
    old: Any
    new: Any


class FieldRisk(Answer, frozen=True):
    direction: DirectionWord
    factor: Annotated[float, Meta(description="how many times the old number the new one is")] | UnsetType = UNSET


class ChangeRisk(Answer, frozen=True):
    """What a change does to the risk that may be taken; of an update also what each field does."""

    direction: DirectionWord
    fields: dict[str, FieldRisk]


class Change(Answer, frozen=True):
    """What happens to one resource."""

    op: Operation
    kind: str
    name: str
    id: str
    path: str | None
    line: int | None
    fields: tuple[FieldChange, ...]
    destructive: bool
    risk: ChangeRisk
    halted: Annotated[dict[str, Any], Meta(description="what a halt of this host sets in its row")] | UnsetType = UNSET


class DescribedChange(Change, frozen=True, kw_only=True):
    text: Annotated[str, Meta(description="the same in words")]


class RecordedChange(Answer, frozen=True):
    """A change with who made it, when and in which commit."""

    commit: Sha
    height: Count
    committed_at: Moment
    author: Person
    message: str
    orphaned: bool
    op: Operation
    kind: str
    name: str
    id: str
    path: str | None
    line: int | None
    fields: tuple[FieldChange, ...]
    destructive: bool
    risk: ChangeRisk
    text: Annotated[str, Meta(description="the same in words")]
    branch: (
        Annotated[str, Meta(description="the branch that has the commit, where it is not the one asked")] | UnsetType
    ) = UNSET
    fate: FateWord | UnsetType = UNSET
    refused_by: tuple[str, ...] = ()
    live: tuple[LiveSpan, ...] = ()
    drift: (
        Annotated[tuple[RecordedDrift, ...], Meta(description="how the row differed from this later on")] | UnsetType
    ) = UNSET


class Changes(Answer, frozen=True):
    changes: tuple[RecordedChange, ...]
    orphaned: Count
    next: Cursor | None = None


class Version(Answer, frozen=True):
    """A commit as the history recorded it."""

    commit: Sha
    height: Count
    mainline: bool
    parents: tuple[Sha, ...]
    author: Person
    committer: Person
    message: str
    signed: bool
    status: Verdict
    problems: tuple[Problem, ...]
    creates: Count
    updates: Count
    deletes: Count
    digest: str
    orphaned: bool
    recorded_at: Moment
    branch: Annotated[str, Meta(description="the branch that has it, where it is not the one asked")] | UnsetType = (
        UNSET
    )
    fate: Annotated[FateWord, Meta(description="what became of it on the host")] | UnsetType = UNSET
    refused_by: Annotated[tuple[str, ...], Meta(description="the rules that refused it")] = ()
    live: Annotated[tuple[LiveSpan, ...], Meta(description="when it was live on the host")] = ()


class Versions(Answer, frozen=True):
    versions: tuple[Version, ...]
    orphaned: Count
    next: Cursor | None = None
    unrecorded: Annotated[Sha | None, Meta(description="what is live on the host, where the history lacks it yet")] = (
        None
    )


class VersionWithChanges(Answer, frozen=True):
    version: Version
    changes: tuple[DescribedChange, ...]
    reasons: Annotated[tuple[Problem, ...], Meta(description="why guards and policies refused it")] = ()
    omitted: (
        Annotated[int, Meta(ge=1, description="how many changes are left out; not there when none")] | UnsetType
    ) = UNSET


class Drift(Answer, frozen=True):
    drift: tuple[DriftedRow, ...]
    summary: dict[str, Count]
