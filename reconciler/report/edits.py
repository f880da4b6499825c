"""What an edit of files does, as an answer and as text."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from reconciler import answers, reviews
from reconciler.model.change import Op
from reconciler.report.commits import short_sha
from reconciler.report.escape import escape_line
from reconciler.report.plans import (
    LineStyle,
    build_plan,
    changed_fields,
    full_change_lines,
    partial_note,
    plan_summary,
    select_parts,
)
from reconciler.report.problems import build_problem, omitted_note, problem_json, problem_line, select_problems
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.editing.edited import Declared, EditedTree
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan

PLAIN, SPECIAL = re.compile(r"[\w./-]+"), re.compile(r"[\\\"$`!%^]")
MAX_NAMED = 3
MAX_SUBJECT = 72
"""Characters of a commit's first line, as git log and forges show it."""


class EditedResource(answers.Answer, frozen=True):
    """A resource that was edited, and where it is declared."""

    kind: str
    name: str
    path: str
    line: int


class Edited(answers.Answer, frozen=True):
    """What an edit does: the files that differ, and what a commit of the working tree would change from `base` on.

    Where nothing is planned, `base` and `summary` are null: the files are wrong or say so already, or are in no
    repository.
    """

    resources: tuple[EditedResource, ...]
    files: tuple[str, ...]
    written: bool
    base: answers.Sha | None
    changes: tuple[answers.Change, ...]
    summary: reviews.PlanSummary | None
    problems: tuple[answers.Problem, ...]


def build_edited(edited: EditedTree, found: tuple[Plan, Kinds] | None, *, written: bool) -> Edited:
    """`set --format json`"""
    planned = build_plan(*found) if found else None
    return Edited(
        resources=tuple(_build_resource(one) for one in edited.resources),
        files=tuple(file.path for file in edited.files),
        written=written,
        base=planned.base if planned else None,
        changes=planned.changes if planned else (),
        summary=planned.summary if planned else None,
        problems=planned.problems if planned else _fit_problems(edited.problems),
    )


def _fit_problems(problems: Sequence[Problem]) -> tuple[answers.Problem, ...]:
    return tuple(map(build_problem, select_problems(problems, problem_json)[0]))


def _build_resource(one: Declared) -> EditedResource:
    return EditedResource(kind=one.key.kind, name=one.key.name, path=one.path, line=one.line)


def edited_plan_lines(plan: Plan, kinds: Kinds) -> Iterator[tuple[LineStyle, str]]:
    """The changes, the problems, and the counts: as `plan` prints them, of a commit that is not made yet."""
    shown = select_parts(plan, problem_line, lambda change: "\n".join(full_change_lines(change, kinds)))
    for change in shown.changes:
        yield from ((LineStyle.CHANGE, line) for line in full_change_lines(change, kinds))
    if shown.omitted_changes:
        yield LineStyle.NOTE, shown.changes_note
    if shown.changes and shown.problems:
        yield LineStyle.NOTE, ""
    yield from ((LineStyle.PROBLEM, problem_line(problem)) for problem in shown.problems)
    if shown.omitted_problems:
        yield LineStyle.PROBLEM, omitted_note(shown.omitted_problems)
    if note := partial_note(plan):
        yield LineStyle.NOTE, note
    if shown.changes or shown.problems:
        yield LineStyle.NOTE, ""
    yield LineStyle.NOTE, plan_summary(plan)


def edited_problem_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """What is wrong with the edited files."""
    shown, omitted = select_problems(problems, problem_line)
    yield from map(problem_line, shown)
    if omitted:
        yield omitted_note(omitted)


def commit_command(edited: EditedTree, changes: Sequence[Change], kinds: Kinds) -> str:
    """The git command that makes a commit of an edit."""
    words = (_subject(edited, changes, kinds), *(file.path for file in edited.files))
    subject, *paths = map(_quote, words)
    return f"git commit -m {subject} -- {' '.join(paths)}"


def _quote(word: str) -> str:
    """A word as every shell takes it, those of Windows too, as long as nothing in it means something to one of them."""
    if SPECIAL.search(word):
        return shlex.quote(word)
    return word if PLAIN.fullmatch(word) else f'"{word}"'


def _subject(edited: EditedTree, changes: Sequence[Change], kinds: Kinds) -> str:
    """A commit's first line that says what the edit does: `op-demo: leverage 100 → 50`."""
    paths = {file.path for file in edited.files}
    keys = {one.key for one in edited.resources if one.path in paths}
    told = [change for change in changes if change.op is Op.UPDATE and change.resource.key in keys]
    fields = [field for change in told for field in changed_fields(change, kinds)]
    who = list_words(sorted(key.name for key in keys), MAX_NAMED)
    for words in ([f"{field.name} {field.transition}" for field in fields], [field.name for field in fields]):
        subject = f"{who}: {', '.join(dict.fromkeys(words))}"
        if words and len(subject) <= MAX_SUBJECT:
            return escape_line(subject)
    return escape_line(f"Edit {who}"[:MAX_SUBJECT])


def refused_note(plan: Plan | None) -> str:
    """Why an edit was not written: without a plan it is not valid."""
    if plan is None:
        return "nothing was written: the files would not be valid"
    rules = sorted({problem.code for problem in plan.problems if problem.is_error})
    return (
        f"nothing was written: {list_words(rules, MAX_NAMED)} would refuse the commit; --force writes it all the same"
    )


def compared_note(plan: Plan, why: str) -> str:
    """What the changes start from, where that is not what is live; empty where it is."""
    base = f"the commit checked out, {short_sha(plan.base)}" if plan.base else "nothing: there is no commit yet"
    return f"compared with {base} ({escape_line(why)})" if why else ""
