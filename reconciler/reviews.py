"""What a reviewer is told of a plan, and what the live rows come to by the desk's measures, as answers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from reconciler.answers import Answer, Change, Count, DescribedChange, DirectionWord, Operation, Problem, Sha


class PlanSummary(Answer, frozen=True):
    create: Count
    update: Count
    delete: Count
    unchanged: Count
    partial: Annotated[str, Meta(description="how many files cannot be read; left out when all can")] | UnsetType = (
        UNSET
    )
    omitted: (
        Annotated[int, Meta(ge=1, description="how many problems and changes are left out; not there when none")]
        | UnsetType
    ) = UNSET


class PlanRisk(Answer, frozen=True):
    direction: Annotated[DirectionWord, Meta(description="loosen where any change does")]
    loosen: Count
    tighten: Count


class RulesSummary(Answer, frozen=True):
    """The policies that judged a change, those it removes too. `warned` only warn; one that cannot run has failed."""

    total: Count
    passed: Count
    failed: tuple[str, ...]
    warned: tuple[str, ...]
    complete: Annotated[bool, Meta(description="false: files cannot be read, and no rule saw what they declare")] = True


class RuleEdit(Answer, frozen=True):
    """A line of SQL, a member of a schema or a setting that differs; null where there is none."""

    field: Annotated[str, Meta(description="of a schema or of reconciler.yaml; empty for a line of SQL")]
    old: str | None
    new: str | None


class RuleChange(Answer, frozen=True):
    """What the change does to a rule itself."""

    op: Operation
    sort: Literal["rule", "measure", "schema", "setting"]
    name: str
    path: Annotated[str, Meta(description="its file, of a removed one where it was; empty for a bundled kind")]
    weighs: Annotated[bool, Meta(description="it may let more pass than before")]
    found: Annotated[int, Meta(ge=0, description="problems that it finds in this change, as it is or was")]
    edits: Annotated[tuple[RuleEdit, ...], Meta(description="the first differences")]
    more: Annotated[int, Meta(ge=0, description="further differences")]


class Measurement(Answer, frozen=True):
    """A figure of a measure before and after a change; null where there is nothing to measure."""

    measure: str
    label: str
    unit: str
    before: float | None
    after: float | None
    changed: Annotated[bool, Meta(description="the change is also one of the measure, told here as it was before")]


class TouchedKind(Answer, frozen=True):
    kind: str
    changed: Count
    through: Annotated[int, Meta(ge=0, description="unchanged, but refer to what changes or run it")]


class Reach(Answer, frozen=True):
    """The blast radius of a change."""

    kinds: tuple[TouchedKind, ...]
    hosts: Annotated[tuple[str, ...], Meta(description="by the label `host`")]
    complete: Annotated[bool, Meta(description="false: only a part was read, and there may be more")]


class Remedy(Answer, frozen=True):
    """The one value that satisfies all rules at a place; null where none does."""

    path: str
    line: int
    pointer: str
    value: str | None
    before: Annotated[str, Meta(description="the whole line, empty where it cannot be rewritten for sure")]
    after: Annotated[str, Meta(description="the line with the value")]


class Plan(Answer, frozen=True):
    base: Sha | None
    head: Sha
    changes: tuple[Change, ...]
    summary: PlanSummary
    problems: tuple[Problem, ...]
    partial: Annotated[
        tuple[str, ...], Meta(description="files that cannot be read: what they declare counts as unchanged")
    ]
    digest: Annotated[str, Meta(description="of the trees it leads from and to, and of the changes")] = ""
    rules: RulesSummary = RulesSummary(total=0, passed=0, failed=(), warned=())
    measures: tuple[Measurement, ...] = ()
    touches: Reach | None = None
    remedies: tuple[Remedy, ...] = ()
    behind: Annotated[int | None, Meta(description="commits of the base that the head lacks; null: not known")] = None
    rule_changes: tuple[RuleChange, ...] = ()
    risk: PlanRisk = PlanRisk(direction="neutral", loosen=0, tighten=0)


class Measured(Answer, frozen=True):
    """A figure of a measure; null where there is nothing to measure."""

    measure: str
    label: str
    unit: str
    value: float | None


class MeasuredState(Answer, frozen=True):
    """The figures of the live rows by the desk's own measures."""

    commit: Sha | None
    measures: tuple[Measured, ...]
    problems: tuple[Problem, ...]


class Diff(Answer, frozen=True):
    """A plan between two points of the history."""

    base: Sha | None
    head: Sha
    changes: tuple[DescribedChange, ...]
    summary: PlanSummary
    problems: tuple[Problem, ...]
