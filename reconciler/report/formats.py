"""The formats of `validate` and `plan`, and those of them that only CI systems read.

Each text ends without a line end. The `kinds` of a plan are those of its head.

- GitHub: "Workflow commands for GitHub Actions" (docs.github.com), and `command.ts` in actions/toolkit for the escapes.
  GitHub shows the first ten errors and the first ten warnings of a step, and fifty annotations of a job.
- JUnit: junit-10.xsd of the Jenkins xUnit plugin. A test case for each file, and in a plan for each change. GitLab and
  Jenkins show only the first `failure` of a case, so it holds all errors of a file. Warnings do not fail a case and are
  in `system-out`.
- SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0). Changes are not findings, so the log of a plan has its problems
  only. `helpUri` has to be absolute (section 3.49.12; GitHub refuses the whole upload otherwise), and the documentation
  has no fixed address: the link to docs/problems.md is in the help text of the rule.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from textwrap import indent
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from reconciler import __version__, answers
from reconciler.model.change import Op
from reconciler.model.problem import Severity
from reconciler.report import comment, markdown, plans
from reconciler.report.escape import dump_json, escape_block, escape_line
from reconciler.report.plans import (
    CHANGES_ROOM,
    SIGNS,
    build_plan,
    change_title,
    count_halted,
    full_change_lines,
    halt_effect,
    outcome_lines,
    partial_note,
    prune_effect,
    select_parts,
    unread_files,
)
from reconciler.report.problems import (
    DOCS_PAGE,
    MAX_OUTPUT,
    build_checked,
    checked_counts,
    describe_code,
    docs_anchor,
    known_column,
    omitted_note,
    plural,
    problem_counts,
    problem_line,
    problem_text,
    render_checked,
    select_problems,
    take_turns,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan
    from reconciler.reconcile.check import CheckResult


MAX_NAMED = 50
"""Deletions that the notice of a plan lists by name."""
MAX_ANNOTATIONS = 10
"""Errors, and warnings, that GitHub shows of a step."""

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def workflow_command(name: str, properties: Mapping[str, str | int | None], message: str) -> str:
    """A workflow command; properties that are None are left out."""
    parameters = ",".join(
        f"{key}={str(value).translate(_PROPERTY)}" for key, value in properties.items() if value is not None
    )
    return f"::{name} {parameters}::{message.translate(_DATA)}"


def render_checked_github(checked: CheckResult) -> str:
    """`validate --format github`: an annotation for each problem, and a notice with the counts."""
    notice = f"{checked_counts(checked)}: {problem_counts(checked.problems)}"
    return _render_annotations("validate", checked.problems, [notice])


def render_plan_github(plan: Plan, kinds: Kinds) -> str:
    """`plan --format github`: an annotation for each problem, and a notice with the deletions and the outcome."""
    return _render_annotations(
        "plan",
        plan.problems,
        [*_deletion_lines(plan, kinds), *filter(None, [count_halted(plan)]), *outcome_lines(plan, kinds)],
    )


def _render_annotations(title: str, problems: Sequence[Problem], notice: Sequence[str]) -> str:
    by_turns = [problems[number] for number in take_turns(problems)]
    errors = [problem for problem in by_turns if problem.is_error]
    warnings = by_turns[len(errors) :]
    most = [*sorted(errors[:MAX_ANNOTATIONS]), *sorted(warnings[:MAX_ANNOTATIONS])]
    shown, _ = select_problems(problems if len(most) == len(problems) else most, _annotation)
    left = {"more error": len(errors), "more warning": len(warnings)}
    for problem in shown:
        left["more error" if problem.is_error else "more warning"] -= 1
    counts = " and ".join(plural(count, words) for words, count in left.items() if count)
    note = f"{counts} without an annotation: GitHub shows {MAX_ANNOTATIONS} of each; the format text has all"
    lines = [note, *notice] if counts else notice
    return "\n".join([*map(_annotation, shown), workflow_command("notice", {"title": title}, "\n".join(lines))])


def _annotation(problem: Problem) -> str:
    properties: dict[str, str | int | None] = {
        "file": problem.path,
        "line": problem.line,
        "col": known_column(problem),
        "title": escape_line(problem.code),
    }
    return workflow_command(problem.severity, properties, escape_block(problem_text(problem)))


def _deletion_lines(plan: Plan, kinds: Kinds) -> Iterator[str]:
    deletions = [change for change in plan.changes if change.op is Op.DELETE]
    for change in deletions[:MAX_NAMED]:
        yield f"{SIGNS[change.op]} {change_title(change)} ({prune_effect(change, kinds)})"
    if len(deletions) > MAX_NAMED:
        yield f"and {len(deletions) - MAX_NAMED:,} more to delete"


_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


class Case(NamedTuple):
    """A test case; errors make it fail."""

    group: str
    name: str
    errors: Sequence[Problem]
    output: Sequence[str]


def render_checked_junit(checked: CheckResult) -> str:
    """`validate --format junit`"""
    return _render_document([("validate", list(_file_cases("validate", checked.entries, checked.problems)))])


def render_plan_junit(plan: Plan, kinds: Kinds) -> str:
    """`plan --format junit`: the changes, deletions first, and the files with problems."""
    shown = select_parts(plan, _problem_in_case, lambda change: _render_case(_change_case(change, kinds)))
    changes = [_change_case(change, kinds) for change in shown.changes]
    if shown.omitted_changes:
        changes.append(Case("plan", "left out", (), [shown.changes_note]))
    room = MAX_OUTPUT - (CHANGES_ROOM if plan.changes else 0)
    files = list(_file_cases("plan", (), plan.problems, room))
    partial = [Case("plan", partial_note(plan), (), unread_files(plan))] if plan.partial else []
    return _render_document([("plan: changes", changes), ("plan: files", [*partial, *files])])


def _problem_in_case(problem: Problem) -> str:
    """A problem at its longest: alone in its case."""
    return _render_case(Case("validate", escape_line(problem.path), [problem], ()))


def _count_fitting(paths: Sequence[str], room: int) -> int:
    """How many of the first paths there is room for, each in a case of its own."""
    for count, path in enumerate(paths):
        room -= len(_render_case(Case("validate", escape_line(path), (), ())).encode("utf-8", "replace")) + 1
        if room < 0:
            return count
    return len(paths)


def _file_cases(
    group: str, paths: Iterable[str], problems: Sequence[Problem], room: int = MAX_OUTPUT
) -> Iterator[Case]:
    by_path: dict[str, list[Problem]] = {path: [] for path in paths}
    shown, omitted = select_problems(problems, _problem_in_case, room=room)
    room -= sum(len(_problem_in_case(problem).encode("utf-8", "replace")) for problem in shown)
    for problem in shown:
        by_path.setdefault(problem.path, []).append(problem)
    good = [path for path, in_file in by_path.items() if not in_file]
    named = good[: _count_fitting(good, room)]
    unnamed = len(good) - len(named)
    if omitted or unnamed:
        by_path = {path: in_file for path, in_file in by_path.items() if in_file} | {path: [] for path in named}
        rest = f"{plural(unnamed, 'more file')} without problems here"
        yield Case(group, "left out", (), [rest, *([omitted_note(omitted)] if omitted else ())])
    for path, in_file in sorted(by_path.items()):
        errors = [problem for problem in in_file if problem.severity is Severity.ERROR]
        warnings = [problem_line(problem) for problem in in_file if problem.severity is Severity.WARNING]
        yield Case(group, escape_line(path), errors, warnings)


def _change_case(change: Change, kinds: Kinds) -> Case:
    effect = prune_effect(change, kinds) or halt_effect(change)
    name = f"{change.op} {change_title(change)}" + (f" ({effect})" if effect else "")
    return Case(f"plan.{change.op}", name, (), list(full_change_lines(change, kinds)))


def _render_document(suites: Iterable[tuple[str, Sequence[Case]]]) -> str:
    parts = [_render_suite(name, cases) for name, cases in suites if cases]
    return "\n".join(
        ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="reconciler">', *parts, "</testsuites>"]
    )


def _render_suite(name: str, cases: Sequence[Case]) -> str:
    failures = sum(bool(case.errors) for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0" skipped="0"'
    return "\n".join([f'  <testsuite name="{name}" {counts}>', *map(_render_case, cases), "  </testsuite>"])


def _render_case(case: Case) -> str:
    tag = f'<testcase classname="{_escape_xml(escape_line(case.group))}" name="{_escape_xml(case.name)}"'
    content = [*_failure_lines(case.errors), *_output_lines(case.output)]
    return "\n".join([f"    {tag}>", *content, "    </testcase>"]) if content else f"    {tag}/>"


def _failure_lines(errors: Sequence[Problem]) -> Iterator[str]:
    if errors:
        first = errors[0]
        more = f" (and {len(errors) - 1:,} more)" if len(errors) > 1 else ""
        code, message = _escape_xml(escape_line(first.code)), _escape_xml(escape_line(first.message) + more)
        text = _escape_lines(map(problem_line, errors))
        yield f'      <failure type="{code}" message="{message}">{text}</failure>'


def _output_lines(lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"      <system-out>{_escape_lines(lines)}</system-out>"


def _escape_lines(lines: Iterable[str]) -> str:
    return "\n".join(map(_escape_xml, lines))


def _escape_xml(text: str) -> str:
    return text.translate(_ENTITIES)


SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning"}
FINGERPRINT = "problem/v1"
MAX_RESULTS = 5_000
"""GitHub takes no more results of one run (its documentation of SARIF support for code scanning)."""
MAX_UNCOUNTED_RULES = 100
"""Rules for which there is room beside the results. There may be as many as there are policies."""

_LINES = re.compile(r"(\blines? |:)\d+(?:(?:, | and )\d+)*")
"""Line numbers in messages: they change when lines are added above."""


def render_checked_sarif(checked: CheckResult) -> str:
    """`validate --format sarif`"""
    return dump_json(_build_log("validate", checked.problems))


def render_plan_sarif(plan: Plan, kinds: Kinds) -> str:
    """`plan --format sarif`"""
    log = _build_log("plan", plan.problems)
    if plan.partial:
        text = f"{partial_note(plan)}: {', '.join(unread_files(plan))}"
        notification = {"level": "error", "message": {"text": text}}
        (run,) = log["runs"]
        invocation = run.get("invocations", [{"toolExecutionNotifications": []}])[0]
        notifications = [notification, *invocation["toolExecutionNotifications"]]
        run["invocations"] = [{"executionSuccessful": False, "toolExecutionNotifications": notifications}]
    return dump_json(log)


def _build_log(command: str, every: Sequence[Problem]) -> dict[str, Any]:
    few = len({problem.code for problem in every}) <= MAX_UNCOUNTED_RULES
    problems, omitted = select_problems(every, _result_text if few else _result_and_rule_text, MAX_RESULTS)
    codes = {code: index for index, code in enumerate(sorted({problem.code for problem in problems}))}
    driver = {
        "name": "reconciler",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_build_rule(code, problems) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        # A category of its own for each command, or the second upload would replace the first.
        "automationDetails": {"id": f"reconciler/{command}/"},
        "columnKind": "unicodeCodePoints",
        "results": list(_build_results(problems, codes)),
        **_omitted_properties(omitted),
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _omitted_properties(omitted: int) -> dict[str, Any]:
    """Says in two places what was left out: for programs, and for people, to whom viewers show notifications."""
    if not omitted:
        return {}
    note = omitted_note(omitted)
    notification = {"level": "warning", "message": {"text": note}}
    invocation = {"executionSuccessful": True, "toolExecutionNotifications": [notification]}
    return {"properties": {"omitted": omitted, "note": note}, "invocations": [invocation]}


def _result_and_rule_text(problem: Problem) -> str:
    return _result_text(problem) + indent(dump_json(_build_rule(problem.code, [problem])), " " * 12)


def _result_text(problem: Problem) -> str:
    (result,) = _build_results([problem], {problem.code: 0})
    return indent(dump_json(result), " " * 8)


def _build_rule(code: str, problems: Iterable[Problem]) -> dict[str, Any]:
    worst = min((problem.severity for problem in problems if problem.code == code), key=list(LEVELS).index)
    description, link = escape_line(describe_code(code)), DOCS_PAGE + docs_anchor(code)
    return {
        "id": escape_line(code),
        "shortDescription": {"text": description},
        "fullDescription": {"text": description},
        "defaultConfiguration": {"level": LEVELS[worst]},
        "help": {"text": f"{description}. See {link}", "markdown": f"See [{DOCS_PAGE}]({link})"},
    }


def _build_results(problems: Iterable[Problem], codes: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for problem in problems:
        fingerprint = _fingerprint(problem)
        seen[fingerprint] += 1
        yield {
            "ruleId": escape_line(problem.code),
            "ruleIndex": codes[problem.code],
            "level": LEVELS[problem.severity],
            "message": {"text": escape_block(problem_text(problem))},
            "locations": [_build_location(problem)],
            "partialFingerprints": {FINGERPRINT: f"{fingerprint}:{seen[fingerprint]}"},
        }


def _build_location(problem: Problem) -> dict[str, Any]:
    column = known_column(problem)
    region = {"startLine": problem.line} if column is None else {"startLine": problem.line, "startColumn": column}
    uri = quote(problem.path, errors="replace")
    location = {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}, "region": region}
    if not problem.pointer:
        return {"physicalLocation": location}
    return {"physicalLocation": location, "logicalLocations": [{"fullyQualifiedName": escape_line(problem.pointer)}]}


def _fingerprint(problem: Problem) -> str:
    """Stays the same when lines are added above the finding."""
    message = _LINES.sub(r"\1", problem.message)
    parts = "\0".join((problem.code, problem.path, problem.pointer, message))
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:32]


def render_checked_json(checked: CheckResult) -> str:
    """`validate --format json`"""
    return dump_json(build_checked(checked))


def render_plan_json(plan: Plan, kinds: Kinds) -> str:
    """`plan --format json`"""
    return dump_json(answers.to_json(build_plan(plan, kinds)))


PROBLEM_FORMATS: Mapping[str, Callable[[CheckResult], str]] = {
    "text": render_checked,
    "json": render_checked_json,
    "markdown": markdown.render_checked,
    "github": render_checked_github,
    "sarif": render_checked_sarif,
    "junit": render_checked_junit,
}
PLAN_FORMATS: Mapping[str, Callable[[Plan, Kinds], str]] = {
    "text": plans.render_plan,
    "json": render_plan_json,
    "markdown": comment.render_plan,
    "github": render_plan_github,
    "sarif": render_plan_sarif,
    "junit": render_plan_junit,
}
