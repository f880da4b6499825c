"""The fields that a plan changes, those alike together and the largest change first.

Of a number it is the factor that counts: 0.1 → 0.3 is larger than 30 → 60. A word that becomes another one, a reference
to something else and a value that was not there count as much as a number that doubles; a value that goes, a number
that becomes 0 or was it, and one that gets another unit, as more than any other. Free text and what is said about a
resource (labels, annotations) come last.

What rises and what falls is told apart, unless all get the same value.
"""

from __future__ import annotations

import re
from collections import defaultdict
from math import inf, isfinite
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.kinds.kind import NUMBERS, SqlType
from reconciler.model.change import Op
from reconciler.report.plans import NAME, changed_fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Change, Resource
    from reconciler.report.plans import Field

    Likeness = tuple[str, ...]
    Member = tuple[Change, Field]

TEXT, WORD, NUMBER = range(3)
"""What a change is one of: of free text, of a word or reference, of a number."""
WORD_FACTOR = 2.0
MOST_PERCENT = 3.0
"""Factor from which on it is told as such rather than in percent."""
TIMES = "\N{MULTIPLICATION SIGN}"
PLAIN_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
SIGN = re.compile(r"(?<![\de])[+-]")
"""Of a number, not of its exponent."""


class ChangeGroup(Struct, frozen=True):
    """Changes of one field of some resources. `sort` is one of the constants above.

    `old` and `new` are the values there are, numbers from the smallest to the largest. `ratios` are the smallest and
    the largest new / old of numbers; none where there is no such ratio, as from or to 0, or between units.
    """

    kind: str
    field: str
    old_unit: str
    new_unit: str
    sort: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    ratios: tuple[float, float] | None
    resources: tuple[Resource, ...]

    @property
    def differ(self) -> bool:
        """Whether there are several values, before or after."""
        return len(self.old) > 1 or len(self.new) > 1

    @property
    def is_rename(self) -> bool:
        """Whether these are resources with other names, by which programs may ask for them."""
        return self.field == NAME

    @property
    def factor(self) -> float:
        """How many times larger or smaller the largest change makes it."""
        if self.is_rename:
            return WORD_FACTOR
        if self.sort == TEXT:
            return 1
        if self.ratios is not None:
            return max(self.ratios[1], 1 / self.ratios[0])
        return inf if self.sort == NUMBER or not self.new else WORD_FACTOR

    @property
    def way(self) -> str:
        """`rises`, `falls`, or `changes` where some do this and some that, or something else."""
        if self.ratios is None:
            return "changes"
        low, high = self.ratios
        return "rises" if low > 1 else "falls" if high < 1 else "changes"

    @property
    def size(self) -> str:
        """`+37.8 %`, `up to ÷3.3`, `-11.4 %…+37.8 %`; empty where it cannot be told."""
        if self.ratios is None:
            return ""
        low, high = self.ratios
        if low < 1 < high:
            return f"{_signed(low)}…{_signed(high)}"
        most = _signed(low if high < 1 else high)
        return f"up to {most}" if low != high else most

    @property
    def course(self) -> str:
        """`rises by up to 37.8 %`, `changes by -11.4 % to +37.8 %`; empty where it cannot be told."""
        size = self.size.replace("…", " to ")
        if not size or TIMES in size or "÷" in size:
            return f"{self.way} ({size})" if size else ""
        return f"{self.way} by {size if self.way == 'changes' else SIGN.sub('', size)}"


def _signed(ratio: float) -> str:
    if ratio >= MOST_PERCENT:
        return f"{TIMES}{ratio:.3g}"
    return f"÷{1 / ratio:.3g}" if ratio <= 1 / MOST_PERCENT else f"{(ratio - 1) * 100:+.3g} %"


def group_updates(changes: Iterable[Change], kinds: Kinds) -> tuple[ChangeGroup, ...]:
    """The fields that updates change, the largest change first."""
    members: defaultdict[Likeness, list[Member]] = defaultdict(list)
    for change in changes:
        if change.op is Op.UPDATE:
            kind = kinds.by_name.get(change.resource.kind)
            for field in changed_fields(change, kinds):
                members[_likeness(kind, change, field)].append((change, field))
    groups = (_group(likeness, part) for likeness, found in members.items() for part in _split(likeness, found))
    return tuple(sorted(groups, key=lambda one: (-one.factor, -len(one.resources), one.kind, one.field)))


def _likeness(kind: Kind | None, change: Change, field: Field) -> Likeness:
    """What changes have in common that are told together."""
    sort = _sort(kind, field)
    values = (field.old or "", field.new or "") if sort == WORD else ()
    return (change.resource.kind, field.name, field.old_unit, field.new_unit, str(sort), *values)


def _sort(kind: Kind | None, field: Field) -> int:
    head = field.name.partition(".")[0]
    column = kind.column(field.name) or kind.column(head) if kind else None
    if column is None:
        return WORD if head == "refs" else TEXT
    if field.old is None or field.new is None:
        return WORD
    is_number = column.type in NUMBERS or column.type is SqlType.JSON
    if is_number and _as_number(field.old) is not None and _as_number(field.new) is not None:
        return NUMBER
    return WORD if column.enum or column.type in (SqlType.BOOLEAN, SqlType.UUID) else TEXT


def _as_number(text: str) -> float | None:
    """The number that a text of digits is; neither `inf` nor `1_0` is one."""
    value = float(text) if PLAIN_NUMBER.fullmatch(text) else inf
    return value if isfinite(value) else None


def _split(likeness: Likeness, found: list[Member]) -> Iterable[list[Member]]:
    """The changes of numbers by their way: a range tells nothing of what rises beside what falls, or becomes 0."""
    _, _, old_unit, new_unit, sort, *_ = likeness
    if int(sort) != NUMBER or old_unit != new_unit:
        return (found,)
    parts: defaultdict[tuple[bool, bool], list[Member]] = defaultdict(list)
    compared = [member for member in found if _ratio(member[1]) is not None]
    same = len({member[1].new for member in compared}) == 1
    for member in found:
        old, new = _numbers(member[1])
        has_ratio = _ratio(member[1]) is not None
        parts[has_ratio, new > old and not (has_ratio and same)].append(member)
    return parts.values()


def _numbers(field: Field) -> tuple[float, float]:
    return float(field.old or 0), float(field.new or 0)


def _ratio(field: Field) -> float | None:
    """New / old; None where it says nothing: of two losses the larger number is the smaller one."""
    old, new = _numbers(field)
    ratio = new / old if old > 0 and new > 0 else 0
    return ratio if 0 < ratio < inf else None


def _group(likeness: Likeness, found: list[Member]) -> ChangeGroup:
    kind, name, old_unit, new_unit, sort, *_ = likeness
    pairs = [(field.old or "", field.new or "") for _, field in found]
    is_number = int(sort) == NUMBER
    old, new = (_values(side, is_number=is_number) for side in zip(*pairs, strict=True))
    ratios = [_ratio(field) for _, field in found] if is_number and old_unit == new_unit else [None]
    known = [ratio for ratio in ratios if ratio is not None]
    span = (min(known), max(known)) if len(known) == len(ratios) else None
    resources = tuple(change.resource for change, _ in found)
    return ChangeGroup(kind, name, old_unit, new_unit, int(sort), old, new, span, resources)


def _values(texts: Iterable[str], *, is_number: bool) -> tuple[str, ...]:
    """Each once; numbers by size."""
    once = dict.fromkeys(text for text in texts if text)
    return tuple(sorted(once, key=float) if is_number else once)
