"""Plans and their changes as answers and text; checks as text.

A line of text has a style, which the command line may colour.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import partial
from textwrap import indent
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from msgspec import UNSET, structs

from reconciler import answers, canonical, reviews
from reconciler.kinds.kind import INACTIVE, STATUS_FIELD
from reconciler.kinds.risk import Direction, FieldRisk, judge_field
from reconciler.model.change import FieldChange, Op, Prune
from reconciler.report.commits import short_sha
from reconciler.report.escape import dump_json, escape_line
from reconciler.report.problems import (
    MAX_OUTPUT,
    build_problem,
    count_fitting,
    omitted_note,
    plural,
    problem_counts,
    problem_json,
    problem_line,
    select_problems,
    written_size,
)
from reconciler.report.review import build_measurements, build_reach, build_remedy, build_rules, measure_lines
from reconciler.report.risk import build_change_risk, build_plan_risk, describe_field_risk, describe_plan_risk
from reconciler.report.rulechanges import build_rule_changes, rule_change_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Column, Kind, Kinds
    from reconciler.model.change import Change
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan

    ChangeLines = Callable[[Change, Kinds], Iterator[str]]

SIGNS = {Op.CREATE: "+", Op.UPDATE: "~", Op.DELETE: "-"}
"""Terraform's signs."""
CHANGES_ROOM = 200_000
"""Bytes of the room that problems leave for changes."""
NAME = "name"
HALTED_HERE = "halted: "
NOTHING = "-"
"""Stands for a missing value."""


def build_change(change: Change, kinds: Kinds) -> answers.Change:
    """A change as `plan --format json` has it; 30.0 is written 30."""
    resource = change.resource
    return answers.Change(
        op=cast("answers.Operation", str(change.op)),
        kind=resource.kind,
        name=resource.name,
        id=resource.id,
        path=resource.path,
        line=resource.line,
        fields=tuple(
            answers.FieldChange(
                field=field.field, old=canonical.normalize(field.old), new=canonical.normalize(field.new)
            )
            for field in change.fields
        ),
        destructive=change.destructive,
        risk=build_change_risk(change, kinds),
        halted=UNSET
        if change.halted is None
        else {name: canonical.normalize(one) for name, one in change.halted.items()},
    )


def describe_change(change: answers.Change, lines: Iterable[str]) -> answers.DescribedChange:
    return answers.DescribedChange(**structs.asdict(change), text="\n".join(lines))


def omitted_changes_note(omitted: int) -> str:
    """Says how many changes are left out."""
    return f"{plural(omitted, 'more change')} not shown; those that are come first"


class PlanSelection(NamedTuple):
    """The problems and changes of a plan of which there is room, and how many are left out."""

    problems: tuple[Problem, ...]
    omitted_problems: int
    changes: tuple[Change, ...]
    omitted_changes: int

    @property
    def changes_note(self) -> str:
        """Says how many changes are left out."""
        return omitted_changes_note(self.omitted_changes)


def select_parts(
    plan: Plan, render_problem: Callable[[Problem], str], render_change: Callable[[Change], str]
) -> PlanSelection:
    """As much of a plan as there is room for when it is written so: errors first, and deletions before other changes.

    A part of the room is kept for changes.
    """
    room = MAX_OUTPUT - (CHANGES_ROOM if plan.changes else 0)
    problems, omitted = select_problems(plan.problems, render_problem, room=room)
    left = MAX_OUTPUT - sum(written_size(problem, render_problem) for problem in problems)
    changes = plan.changes[: count_fitting(plan.changes, render_change, left)]
    return PlanSelection(problems, omitted, changes, len(plan.changes) - len(changes))


def format_change(change: Change, kinds: Kinds) -> str:
    """A change as a list in a JSON document has it."""
    return format_entry(build_change(change, kinds))


def format_entry(change: answers.Answer) -> str:
    """An answer as a list in a JSON document has it."""
    return indent(dump_json(answers.to_json(change)), "    ") + ","


def build_plan(plan: Plan, kinds: Kinds) -> reviews.Plan:
    """A plan as `plan --format json` has it."""
    shown = select_parts(plan, problem_json, partial(format_change, kinds=kinds))
    return reviews.Plan(
        base=plan.base,
        head=plan.head,
        changes=tuple(build_change(change, kinds) for change in shown.changes),
        summary=build_plan_summary(plan, shown.omitted_problems + shown.omitted_changes),
        problems=tuple(map(build_problem, shown.problems)),
        partial=plan.partial[:MAX_UNREAD_LISTED],
        digest=plan.review.digest,
        rules=build_rules(plan),
        measures=build_measurements(plan),
        touches=build_reach(plan.review.reach) if plan.review.reach else None,
        remedies=tuple(map(build_remedy, plan.review.remedies)),
        behind=plan.review.behind,
        rule_changes=build_rule_changes(plan),
        risk=build_plan_risk(plan, kinds),
    )


def build_plan_summary(plan: Plan, omitted: int = 0) -> reviews.PlanSummary:
    return reviews.PlanSummary(
        create=plan.count(Op.CREATE),
        update=plan.count(Op.UPDATE),
        delete=plan.count(Op.DELETE),
        unchanged=plan.unchanged,
        partial=partial_note(plan) or UNSET,
        omitted=omitted or UNSET,
    )


def fit_changes(
    changes: Sequence[Change], kinds: Kinds, lines: ChangeLines, room: int = MAX_OUTPUT
) -> tuple[tuple[answers.DescribedChange, ...], int]:
    """As many of the first changes as there is room for in JSON, and how many are left out."""
    shown: list[answers.DescribedChange] = []
    for change in changes:
        described = describe_change(build_change(change, kinds), lines(change, kinds))
        room -= written_size(described, format_entry)
        if room < 0:
            break
        shown.append(described)
    return tuple(shown), len(changes) - len(shown)


def plan_change_lines(plan: Plan, kinds: Kinds) -> Iterator[str]:
    """The changes of a plan of which there is room, the fields of updates only, and how many are left out."""
    shown = count_fitting(plan.changes, lambda change: "\n".join(change_lines(change, kinds)), MAX_OUTPUT)
    for change in plan.changes[:shown]:
        yield from change_lines(change, kinds)
    if shown < len(plan.changes):
        yield omitted_changes_note(len(plan.changes) - shown)


def change_lines(change: Change, kinds: Kinds) -> Iterator[str]:
    """The headline; for an update its fields too."""
    yield change_headline(change, kinds)
    if change.op is Op.UPDATE:
        yield from field_lines(change, kinds)


def full_change_lines(change: Change, kinds: Kinds) -> Iterator[str]:
    """The headline and the fields; for a delete the headline only."""
    yield change_headline(change, kinds)
    if change.op is not Op.DELETE:
        yield from field_lines(change, kinds)


def change_headline(change: Change, kinds: Kinds) -> str:
    """`- Account op-demo  accounts/op-demo.yaml:3  (row becomes INACTIVE)`."""
    resource = change.resource
    where = f"  {escape_line(resource.path)}:{resource.line}" if resource.path else ""
    effect = prune_effect(change, kinds) or halt_effect(change)
    headline = f"{SIGNS[change.op]} {change_title(change)}{where}"
    return f"{headline}  ({effect})" if effect else headline


def field_lines(change: Change, kinds: Kinds) -> Iterator[str]:
    """A line for each field: old → new with the unit and the direction; for a create the new value alone."""
    fields = list(changed_fields(change, kinds))
    width = max((len(field.name) for field in fields), default=0)
    for field in fields:
        if change.op is Op.CREATE:
            yield f"    {field.name:<{width}}  {field.after}"
        else:
            note = describe_field_risk(field.risk)
            yield f"    {field.name:<{width}}  {field.transition}{f'  ({note})' if note else ''}"


def change_title(change: Change) -> str:
    return escape_line(f"{change.resource.kind} {change.resource.name}")


def plan_summary(plan: Plan) -> str:
    """`3 to create, 1 to update, 0 to delete.`"""
    return canonical.join_counts({f"to {op}": plan.count(op) for op in (Op.CREATE, Op.UPDATE, Op.DELETE)}) + "."


def applied_counts(plan: Plan) -> str:
    """`3 created, 1 updated, 0 deleted`"""
    return canonical.join_counts({f"{op}d": plan.count(op) for op in (Op.CREATE, Op.UPDATE, Op.DELETE)})


class Missing(Enum):
    """The value of a member that one of two JSON objects lacks; null is a value."""

    MISSING = "missing"


Member: TypeAlias = "Value | Missing"


class Field(NamedTuple):
    """A field or a member of one, such as `leverage_cap.gold`. `old` and `new` are None where there is no value.

    The units may differ: those of some columns depend on the row.
    """

    name: str
    old: str | None
    new: str | None
    old_unit: str = ""
    new_unit: str = ""
    risk: FieldRisk = FieldRisk(Direction.NEUTRAL)

    @property
    def before(self) -> str:
        """The old value with its unit, `-` for nothing."""
        return _with_unit(self.old, self.old_unit)

    @property
    def after(self) -> str:
        """The new value with its unit, `-` for nothing."""
        return _with_unit(self.new, self.new_unit)

    @property
    def transition(self) -> str:
        """`0.75 → 0.5 percent`, `0.1 lots → 2 percent`"""
        if self.new is None or self.old_unit != self.new_unit:
            return f"{self.before} → {self.after}"
        return f"{self.old or NOTHING} → {self.after}"


def changed_fields(change: Change, kinds: Kinds) -> Iterator[Field]:
    """The fields that differ; of JSON objects the members that differ. The name only where it changed.

    A value that stays and gets another unit differs as well.
    """
    kind = kinds.by_name.get(change.resource.kind)
    for field in change.fields:
        if field.field == NAME and change.op is not Op.UPDATE:
            continue
        units = _units(kind.column(field.field) if kind else None, change)
        risk = judge_field(change, field, kind)
        for name, old, new in _differing_members(field.field, _or_missing(field.old), _or_missing(field.new)):
            yield Field(escape_line(name), _member_text(old), _member_text(new), *units, risk)
    if kind is not None and change.old is not None and change.new is not None:
        yield from _revalued_fields(kind, change, change.new.values)


def _revalued_fields(kind: Kind, change: Change, values: Mapping[str, Any]) -> Iterator[Field]:
    """The fields that mean something else though their values stay: 0.1 lots become 0.1 percent."""
    differing = {field.field for field in change.fields}
    for column in kind.columns:
        value = values.get(column.name)
        if column.unit_choice is None or column.name in differing or value is None:
            continue
        old_unit, new_unit = _units(column, change)
        if old_unit != new_unit:
            text = _member_text(canonical.to_json_value(value))
            risk = judge_field(change, FieldChange(column.name, value, value), kind)
            yield Field(escape_line(column.name), text, text, old_unit, new_unit, risk)


def _units(column: Column | None, change: Change) -> tuple[str, str]:
    """The units of the old and the new value."""
    if column is None:
        return "", ""
    old, new = (column.unit_in(side.values) if side else column.unit for side in (change.old, change.new))
    return old, new


def prune_effect(change: Change, kinds: Kinds) -> str:
    """What happens to the row of a resource that leaves git: `row becomes INACTIVE`; empty for other changes."""
    if change.prune is None:
        return ""
    if change.prune is Prune.OFF:
        return "row stays as it is"
    kind = kinds.by_name.get(change.resource.kind)
    if change.prune is Prune.DELETE or kind is None or not kind.can_deactivate:
        return "row is deleted"
    return f"row {'stays' if change.resource.values.get(STATUS_FIELD) == INACTIVE else 'becomes'} {INACTIVE}"


def halt_effect(change: Change) -> str:
    """What a halt keeps of the row, whatever git says: `halted: stays INACTIVE until release`; empty without one."""
    return halted_text(change.op, change.halted or {})


def halted_text(op: str, halted: Mapping[str, Value]) -> str:
    """The same of what a halt sets."""
    if not halted:
        return ""
    values = ", ".join(
        canonical.text(value) if name == STATUS_FIELD else f"{name} {canonical.text(value)}"
        for name, value in halted.items()
    )
    return escape_line(f"{HALTED_HERE}{'comes' if op == Op.CREATE else 'stays'} {values} until release")


def count_halted(plan: Plan) -> str:
    """How many of the changed resources stay off on this host; empty for none."""
    count = sum(change.halted is not None for change in plan.changes)
    if not count:
        return ""
    verb = "is halted on this host, and stays" if count == 1 else "are halted on this host, and stay"
    return f"{count:,} of these {verb} off until `reconciler release`"


def _differing_members(name: str, old: Member, new: Member) -> Iterator[tuple[str, Member, Member]]:
    present = [side for side in (old, new) if side is not Missing.MISSING]
    if all(isinstance(side, dict) and side for side in present):
        before, after = (side if isinstance(side, dict) else {} for side in (old, new))
        for key in sorted({*before, *after}):
            sides = (side.get(key, Missing.MISSING) for side in (before, after))
            yield from _differing_members(f"{name}.{key}", *sides)
    elif _member_text(old) != _member_text(new):
        yield name, old, new


def _or_missing(value: Value) -> Member:
    return Missing.MISSING if value is None else value


def _member_text(value: Member) -> str | None:
    """A value as text. A string that reads like nothing, null or blanks is in single quotes, as in YAML."""
    if value is Missing.MISSING:
        return None
    if value is None:
        return "null"
    if isinstance(value, str) and (value in ("", NOTHING, "null") or value != value.strip()):
        return "'" + escape_line(value).replace("'", "''") + "'"
    return escape_line(canonical.text(value))


def _with_unit(text: str | None, unit: str) -> str:
    if text is None:
        return NOTHING
    return f"{text} {unit}" if unit else text


UNTIL_FIXED = "no row changes until that is mended"
LEFT_OUT = "what these files declare is left out: neither changed nor deleted"
MAX_UNREAD_LISTED = 1_000
"""Of them in JSON; the summary tells how many there are."""
MAX_UNREAD_NAMED = 20
"""Files that cannot be read and are named in a sentence; each of them is in the problems as well."""


class LineStyle(Enum):
    CHANGE = auto()
    PROBLEM = auto()
    NOTE = auto()


def plan_lines(plan: Plan, kinds: Kinds) -> Iterator[tuple[LineStyle, str]]:
    """The changes, the problems and the outcome; the last line is `3 to create, 1 to update, 0 to delete.`"""
    shown = select_parts(plan, problem_line, lambda change: "\n".join(full_change_lines(change, kinds)))
    changes = [(LineStyle.CHANGE, line) for change in shown.changes for line in full_change_lines(change, kinds)]
    problems = [(LineStyle.PROBLEM, problem_line(problem)) for problem in shown.problems]
    if shown.omitted_changes:
        changes.append((LineStyle.NOTE, shown.changes_note))
    if shown.omitted_problems:
        problems.append((LineStyle.PROBLEM, omitted_note(shown.omitted_problems)))
    for section in (changes, problems):
        yield from section
        if section:
            yield LineStyle.NOTE, ""
    yield from ((LineStyle.NOTE, line) for line in outcome_lines(plan, kinds))


def render_plan(plan: Plan, kinds: Kinds) -> str:
    """`plan --format text`"""
    return _join(plan_lines(plan, kinds))


def base_note(plan: Plan) -> str:
    """Which commit the changes start from when the base is invalid; empty otherwise."""
    if plan.base is None or plan.state == plan.base:
        return ""
    valid = f"{short_sha(plan.state)}, the last valid commit before it" if plan.state else "nothing"
    return f"{short_sha(plan.base)} is invalid: the changes are those since {valid}"


def partial_note(plan: Plan) -> str:
    """`partial: 2 of 25 files cannot be read`; empty when all can."""
    unread = len(plan.partial)
    return f"partial: {unread:,} of {plural(plan.files, 'file')} cannot be read" if unread else ""


def unread_files(plan: Plan) -> tuple[str, ...]:
    """The files that cannot be read, the first of them by name."""
    named, more = plan.partial[:MAX_UNREAD_NAMED], len(plan.partial) - MAX_UNREAD_NAMED
    return (*map(escape_line, named), f"and {more:,} more") if more > 0 else tuple(map(escape_line, named))


def outcome_lines(plan: Plan, kinds: Kinds) -> Iterator[str]:
    """Base, refusal, what could not be read, unchanged resources, the direction of risk, and last the summary."""
    if note := base_note(plan):
        yield note
    if plan.refused:
        yield f"refused: {short_sha(plan.head)} has {problem_counts(plan.problems)}; {UNTIL_FIXED}"
    if plan.partial:
        yield f"{partial_note(plan)}: {', '.join(unread_files(plan))}"
        yield LEFT_OUT
    yield from rule_change_lines(plan)
    yield from measure_lines(plan)
    if plan.changes:
        yield f"{plan.unchanged:,} unchanged"
    elif not plan.refused:  # a refused plan without changes is not "no changes"
        yield f"no changes, {plan.unchanged:,} unchanged"
    if note := describe_plan_risk(plan, kinds):
        yield note
    yield plan_summary(plan)


def _join(lines: Iterator[tuple[LineStyle, str]]) -> str:
    return "\n".join(line for _, line in lines)
