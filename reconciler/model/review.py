"""What a reviewer is told of a plan beside its changes and problems."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.change import Op
    from reconciler.model.problem import Policy


class Measurement(Struct, frozen=True):
    """A figure of a measure before and after a change; None where there is nothing to measure.

    `changed`: the change is also one of the measure itself. Then it is told as it was before.
    """

    measure: str
    label: str
    unit: str
    before: float | None
    after: float | None
    changed: bool = False


class Touched(Struct, frozen=True):
    """Resources of one kind: how many change, and how many are unchanged but refer to what does, or run what does."""

    changed: int = 0
    through: int = 0

    @property
    def total(self) -> int:
        return self.changed + self.through


class Reach(Struct, frozen=True):
    """The blast radius of a change: what it touches, by kind, and the hosts by their label.

    Not `complete`: of a large repository only a part was read, so there may be more.
    """

    kinds: Mapping[str, Touched]
    hosts: tuple[str, ...] = ()
    complete: bool = True


class Remedy(Struct, frozen=True, order=True):
    """The one value that satisfies all rules at a place, as YAML. Empty: no value satisfies all of them.

    `before` and `after` are the whole line with the old value and with this one; empty where that is not known.
    """

    path: str
    line: int
    pointer: str
    value: str = ""
    before: str = ""
    after: str = ""


class RuleSort(StrEnum):
    """What a change of the rules is one of."""

    RULE = "rule"
    MEASURE = "measure"
    SCHEMA = "schema"
    SETTING = "setting"


class RuleEdit(Struct, frozen=True):
    """One difference within a rule: a line of SQL, a member of a schema, a setting. None where there is no such."""

    field: str
    old: str | None
    new: str | None


class RuleChange(Struct, frozen=True):
    """What becomes of one rule. `path` is its file, of a removed one where it was; empty for what the program brings.

    `edits` are the first differences of a rule that is changed, `more` counts the others. `weighs` tells those that may
    let more pass than before: what is removed or changed, but for comments and for measures, which refuse nothing.
    """

    op: Op
    sort: RuleSort
    name: str
    path: str
    title: str = ""
    edits: tuple[RuleEdit, ...] = ()
    more: int = 0
    weighs: bool = False


class Review(Struct, frozen=True):
    """`policies` are the rules that judged the change: those of its head, and those that it removes.

    `behind` counts the commits of the base that the head lacks: what they did is undone by the change as it stands.
    None where the history is too short to tell. `gone` are the files that the plan names and the head lacks.
    """

    policies: tuple[Policy, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    reach: Reach | None = None
    behind: int | None = None
    digest: str = ""
    rule_changes: tuple[RuleChange, ...] = ()
    gone: frozenset[str] = frozenset()
