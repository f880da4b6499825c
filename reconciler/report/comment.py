"""A plan as one comment on a pull request, such that a reviewer can decide by it.

The heading says what happens, the lines below it what it comes to. Then the problems with what to write instead, what
leaves git, the changes with those alike together and the largest first, and folded every field of every change.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.model.change import Op, Prune
from reconciler.policy import problem_code
from reconciler.report.commits import short_sha
from reconciler.report.groups import NUMBER, TEXT, group_updates
from reconciler.report.links import NO_LINKS, Links
from reconciler.report.markdown import (
    BAD,
    CAREFUL,
    MARKER,
    ProblemLinks,
    Section,
    byte_size,
    code_span,
    escape_markdown,
    link,
    pick_icon,
    render_comment,
    table_entry,
)
from reconciler.report.plans import (
    LEFT_OUT,
    UNTIL_FIXED,
    base_note,
    changed_fields,
    count_halted,
    partial_note,
    plan_summary,
    prune_effect,
    unread_files,
)
from reconciler.report.problems import plural, problem_counts
from reconciler.report.review import count_of_kind, find_failed, format_step, rules_sentence, sort_measurements
from reconciler.report.rulechanges import DONE, count_found, count_rule_changes, sort_rule_changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change, Resource, RowId
    from reconciler.model.review import Measurement, Reach, RuleChange, RuleEdit
    from reconciler.plan import Plan
    from reconciler.report.groups import ChangeGroup
    from reconciler.report.plans import Field

NONE = "nothing"
MAX_HEADLINE = 3
"""Kinds that the heading tells of, of what goes and of what comes."""
MAX_IN_ROW, MAX_FOLDED = 3, 200
"""Resources that a row names, and those that are folded below it."""
NAMES_ROOM, MIN_NAMES = 24_000, 500
"""Bytes for the names of all rows, of which each may take half of what is left, and what a row has at least."""
ASIDE = 0.5
"""The part of the room that what becomes of rules may take, and then what is deleted: updates have to have theirs."""
MAX_HOSTS, MAX_MEASURED = 10, 10
MAX_FAILED = 20
"""Hosts and figures that are told, and rules that a line names."""


def render_plan(plan: Plan, kinds: Kinds, links: Links = NO_LINKS) -> str:
    """`plan --format markdown`; with `links` places and names are links to lines."""
    links = links.since(plan.state or plan.base, plan.head, plan.review.gone)
    groups = group_updates(plan.changes, kinds)
    facts = "".join(f"- {fact}\n" for fact in (*_facts(plan, links), count_halted(plan)) if fact)
    head = f"{MARKER.format('plan')}\n### {_verdict(plan, groups)}\n\n{facts}"
    policies = {problem_code(policy): policy.path for policy in plan.review.policies}
    remedies = {(one.path, one.line, one.pointer): one for one in plan.review.remedies}
    sections = [
        *_rule_section(plan, links),
        *_deletion_section(plan, kinds, links),
        *_group_section(plan, groups, links),
        *_kind_sections(plan, kinds),
    ]
    told_with = ProblemLinks(links, policies, remedies)
    return render_comment(head, plan.problems, sections, told_with, f"\n<sub>{'<br>'.join(_footer(plan))}</sub>\n")


def _verdict(plan: Plan, groups: Sequence[ChangeGroup]) -> str:
    careful = bool(plan.problems or plan.review.behind) or any(change.destructive for change in plan.changes)
    careful = careful or any(change.weighs for change in plan.review.rule_changes)
    icon = pick_icon(bad=plan.refused, careful=careful)
    errors = sum(problem.is_error for problem in plan.problems)
    refused = f"refused by {plural(errors, 'problem')}" if plan.refused else ""
    happens = ", ".join((*count_rule_changes(plan), *_headline(plan, groups)))
    if plan.review.rule_changes and not plan.changes and not refused:
        happens += "; no resource changes"
    if not happens and not refused:
        happens = "Nothing changes"
    return f"{icon} {'; '.join(part for part in (happens, refused) if part)}"


def _headline(plan: Plan, groups: Sequence[ChangeGroup]) -> Iterator[str]:
    """What happens, in short: what goes and comes, the largest change, and the one of most resources."""
    told = 0
    for word, chosen in (
        ("removed", [change for change in plan.changes if change.destructive]),
        ("removed from git only", [change for change in plan.changes if change.prune is Prune.OFF]),
        ("added", [change for change in plan.changes if change.op is Op.CREATE]),
    ):
        counts = Counter(change.resource.kind for change in chosen)
        for kind, count in counts.most_common(MAX_HEADLINE):
            yield f"{escape_markdown(count_of_kind(count, kind))} {word}"
        rest = counts.total() - sum(count for _, count in counts.most_common(MAX_HEADLINE))
        if rest:
            yield f"{rest:,} more {word}"
        told += counts.total()
    widest = max(groups, key=lambda one: len(one.resources), default=None)
    changed: set[RowId] = set()
    for group in groups[:1] if widest is None or widest is groups[0] else (groups[0], widest):
        yield _tell_group(group)
        changed.update(resource.row_id for resource in group.resources)
    told += len(changed)
    if told and len(plan.changes) > told:
        yield f"{len(plan.changes) - told:,} more changed"
    elif len(plan.changes) > told:
        yield f"{plural(len(plan.changes), 'resource')} changed"


def _tell_group(group: ChangeGroup) -> str:
    """`13 widgets' weight rises by up to 37.8 %`"""
    count, field = len(group.resources), code_span(group.field)
    who = f"{escape_markdown(count_of_kind(count, group.kind))}'"
    if count == 1:
        who = f"{code_span(group.resources[0].name)}'s"
    if group.is_rename and count == 1:
        return f"{escape_markdown(group.kind.lower())} {code_span(group.old[0])} is renamed {code_span(group.new[0])}"
    if group.is_rename:
        return f"{escape_markdown(count_of_kind(count, group.kind))} are renamed"
    if group.sort == TEXT:
        return f"{who} {field} changes"
    if count > 1 and group.course:
        return f"{who} {field} {group.course}"
    return f"{who} {field} {group.way if group.sort == NUMBER else 'goes'} from {_steps(group, ' to ')}"


def _facts(plan: Plan, links: Links) -> Iterator[str]:
    if plan.refused:
        yield f"**{UNTIL_FIXED.capitalize()}.**"
    if plan.review.behind:
        yield (
            f"{CAREFUL} **The base has {plural(plan.review.behind, 'commit')} that this change lacks**, and as it "
            "stands it would undo what they did: merge the base into it, or rebase it, and look again."
        )
    if note := base_note(plan):
        yield f"{escape_markdown(note)}."
    if plan.partial:
        unread = ", ".join(map(code_span, unread_files(plan)))
        yield f"**{partial_note(plan)}**: {unread}; {LEFT_OUT}."
    if any(change.weighs for change in plan.review.rule_changes):
        yield f"{CAREFUL} **This change is also one of the rules**: what they refuse today may pass from then on"
    yield from _tell_measures(sort_measurements(plan), partial=bool(plan.partial))
    if plan.review.reach is not None and plan.changes:
        yield _tell_reach(plan.review.reach)
    if told := rules_sentence(plan):
        yield told + "".join(f"; {part}" for part in _failed_rules(plan, links))


def _tell_measures(figures: Sequence[Measurement], *, partial: bool) -> Iterator[str]:
    for measured in figures[:MAX_MEASURED]:
        moved = measured.before != measured.after
        step = escape_markdown(f"{measured.label}: {format_step(measured)}")
        note = " (this change is also one of the measure; told as it was before)" if measured.changed else ""
        unread = " (without what cannot be read)" if partial else ""
        yield f"{f'**{step}**' if moved else step}{note}{unread}"
    rest = figures[MAX_MEASURED:]
    if rest:
        moving = sum(measured.before != measured.after for measured in rest)
        how = f"{moving:,} of them change" if moving else "unchanged"
        yield f"{plural(len(rest), 'more figure')} of the desk's measures, {how}"


def _tell_reach(reach: Reach) -> str:
    least = "" if reach.complete else "at least "
    kinds = ", ".join(escape_markdown(count_of_kind(one.total, kind)) for kind, one in reach.kinds.items())
    named = ", ".join(map(code_span, reach.hosts[:MAX_HOSTS])) + (" …" if len(reach.hosts) > MAX_HOSTS else "")
    hosts = f" on {plural(len(reach.hosts), 'host')}: {named}" if reach.hosts else ""
    return f"Touches {least}{kinds}{hosts}"


def _failed_rules(plan: Plan, links: Links) -> Iterator[str]:
    found = find_failed(plan)
    for icon, is_error in ((BAD, True), (CAREFUL, False)):
        rules = [policy for policy, problem in found.items() if problem.is_error is is_error]
        if rules:
            named = [link(code_span(rule.name), links.to_line(rule.path, 1)) for rule in rules[:MAX_FAILED]]
            more = f" and {len(rules) - MAX_FAILED:,} more" if len(rules) > MAX_FAILED else ""
            yield f"{icon} {', '.join(named)}{more}"


def _footer(plan: Plan) -> Iterator[str]:
    counts = plan_summary(plan).removesuffix(".") if plan.changes else "no changes"
    warnings = f" · {problem_counts(plan.problems)}" if plan.problems else ""
    base = short_sha(plan.base) if plan.base else "nothing"
    yield f"{counts}, {plan.unchanged:,} unchanged{warnings} · {base} → {short_sha(plan.head)}"
    if plan.review.digest:
        yield f"plan {plan.review.digest}"


def _rule_section(plan: Plan, links: Links) -> Iterator[Section]:
    """What becomes of the rules, what is removed first."""
    rows = [_rule_row(change, count_found(plan, change), links) for change in sort_rule_changes(plan)]
    if rows:
        table = "\n#### Rules\n\n| | What | Which | Before → after |\n|:--|:--|:--|:--|\n"
        yield Section("rule change", table, rows, share=ASIDE)


def _rule_row(change: RuleChange, found: int, links: Links) -> str:
    address = links.to_old_line if change.op is Op.DELETE else links.to_line
    name = link(code_span(change.name), address(change.path, 1) if change.path else "")
    title = f"<br><sub>{escape_markdown(change.title)}</sub>" if change.title not in ("", change.name) else ""
    cells = [_edit_cell(edit) for edit in change.edits]
    if change.more:
        cells.append(f"and {plural(change.more, 'more difference')}")
    if change.op is Op.UPDATE and not cells:
        cells.append("only the comments that it begins with")
    if found:
        cells.append(f"**{'as it was it' if change.op is Op.DELETE else 'it'} finds {plural(found, 'problem')} here**")
    mark = CAREFUL if change.weighs else ""
    return f"| {mark} | {change.sort} {DONE[change.op]} | {name}{title} | {'<br>'.join(cells)} |\n"


def _edit_cell(edit: RuleEdit) -> str:
    old, new = (code_span(text.strip()) if text and text.strip() else NONE for text in (edit.old, edit.new))
    field = f"{code_span(edit.field)} " if edit.field else ""
    return f"{field}{old} → {new}"


def _deletion_section(plan: Plan, kinds: Kinds, links: Links) -> Iterator[Section]:
    deletions = [change for change in plan.changes if change.op is Op.DELETE]
    if deletions:
        opening = f"\n<details open><summary><b>{len(deletions):,} to delete</b></summary>\n\n"
        table = "| | Name | What becomes of it | Was declared in |\n|:--|:--|:--|:--|\n"
        rows = [_deletion_row(change, kinds, links) for change in deletions]
        yield Section("deletion", opening + table, rows, "\n</details>\n", ASIDE)


def _deletion_row(change: Change, kinds: Kinds, links: Links) -> str:
    mark = CAREFUL if change.destructive else ""
    resource = change.resource
    name = f"{escape_markdown(resource.kind)} {code_span(resource.name)}"
    where = link(code_span(_location(resource)), links.to_old_line(resource.path, resource.line))
    return f"| {mark} | {name} | {prune_effect(change, kinds)} | {where} |\n"


def _group_section(plan: Plan, groups: Sequence[ChangeGroup], links: Links) -> Iterator[Section]:
    """What changes, the largest first, then what comes: a row for all that is alike."""
    created: dict[str, list[Resource]] = {}
    for change in plan.changes:
        if change.op is Op.CREATE:
            created.setdefault(change.resource.kind, []).append(change.resource)
    told: list[tuple[str, Sequence[Resource]]] = [(_group_cells(group), group.resources) for group in groups]
    told += [(f"{escape_markdown(count_of_kind(len(new), kind))} | added | | ", new) for kind, new in created.items()]
    rows, room = [], NAMES_ROOM
    for cells, resources in told:
        names = _name_all(resources, links, max(room // 2, MIN_NAMES))
        room -= byte_size(names)
        rows.append(f"| {cells} | {names} |\n")
    if rows:
        table = "\n#### Changes\n\n| | What | Old → new | Size | Which |\n|:--|:--|:--|:--|:--|\n"
        yield Section("change group", table, rows)


def _group_cells(group: ChangeGroup) -> str:
    who = escape_markdown(count_of_kind(len(group.resources), group.kind))
    return f"{who} | {code_span(group.field)} | {_steps(group)} | {_size(group)}"


def _size(group: ChangeGroup) -> str:
    return "other unit" if group.old and group.new and group.old_unit != group.new_unit else group.size


def _steps(group: ChangeGroup, to: str = " → ") -> str:
    """`4.5…7 → 6.2 per lot`, `0.1 lots → 2 percent`"""
    old, new = (_value_range(side, is_number=group.sort == NUMBER) for side in (group.old, group.new))
    old_unit, new_unit = (f" {escape_markdown(unit)}" if unit else "" for unit in (group.old_unit, group.new_unit))
    if not group.new:
        return f"{old}{old_unit}{to}{new}"
    return f"{old}{old_unit if group.old and old_unit != new_unit else ''}{to}{new}{new_unit}"


def _value_range(values: Sequence[str], *, is_number: bool) -> str:
    if not values:
        return NONE
    if len(values) == 1:
        return code_span(values[0])
    return code_span(f"{values[0]}…{values[-1]}") if is_number else f"{len(values):,} values"


def _name_all(resources: Sequence[Resource], links: Links, room: int) -> str:
    """The names, the first of them in sight, as many as so many bytes take; each where it is declared."""
    names = [link(code_span(one.name), links.to_line(one.path, one.line)) for one in resources[:MAX_FOLDED]]
    if len(resources) <= MAX_IN_ROW + 1:
        return ", ".join(names)
    named = _count_fitting(names, room)
    beyond = f" and {len(resources) - named:,} more" if len(resources) > named else ""
    more = len(resources) - MAX_IN_ROW
    folded = f"<details><summary>and {more:,} more</summary>{', '.join(names[MAX_IN_ROW:named])}{beyond}</details>"
    return f"{', '.join(names[:MAX_IN_ROW])} {folded}"


def _count_fitting(names: Sequence[str], room: int) -> int:
    """How many of the first names so many bytes take, at least one more than are in sight."""
    for count, name in enumerate(names):
        room -= byte_size(name)
        if room < 0:
            return max(count, MAX_IN_ROW + 1)
    return len(names)


def _kind_sections(plan: Plan, kinds: Kinds) -> Iterator[Section]:
    """Every field of what changes, then of what comes."""
    for op, noun in ((Op.UPDATE, "update"), (Op.CREATE, "creation")):
        found = [change for change in plan.changes if change.op is op]
        for kind in sorted({change.resource.kind for change in found}):
            changes = [change for change in found if change.resource.kind == kind]
            summary = f"<b>{escape_markdown(kind)}</b>: {len(changes):,} to {op}, field by field"
            table = "| | Name | Field | Old | New |\n|:--|:--|:--|:--|:--|\n"
            rows = [_change_rows(change, kinds) for change in changes]
            yield Section(noun, f"\n<details><summary>{summary}</summary>\n\n{table}", rows, "\n</details>\n")


def _change_rows(change: Change, kinds: Kinds) -> str:
    first, *others = [_field_cells(field) for field in changed_fields(change, kinds)] or ["| |"]
    name = f"{code_span(change.resource.name)}<br><sub>{escape_markdown(_location(change.resource))}</sub>"
    top = f"| {change.op} | {name} | {first} |\n"
    rows = (f"| | | {cells} |\n" for cells in others)
    return table_entry(top, rows, "| | | and {} more | | |\n")


def _field_cells(field: Field) -> str:
    return " | ".join(
        (code_span(field.name), _value_cell(field.old, field.old_unit), _value_cell(field.new, field.new_unit))
    )


def _value_cell(value: str | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{code_span(value)} {escape_markdown(unit)}" if unit else code_span(value)


def _location(resource: Resource) -> str:
    return f"{resource.path}:{resource.line}"
