"""More problems than anybody reads: all are counted, the worst are shown, and no format becomes long."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from reconciler import answers, reviews
from reconciler.cli.problems import note_problems
from reconciler.model.change import Change, Op, Prune, Resource, Stamp
from reconciler.model.commit import Applied, Attempt
from reconciler.model.problem import Problem, Severity
from reconciler.model.rows import Drift, Drifts, DriftType
from reconciler.plan import Plan
from reconciler.reconcile.check import CheckResult
from reconciler.reconcile.sync import SyncResult
from reconciler.report.formats import PLAN_FORMATS, PROBLEM_FORMATS
from reconciler.report.history import build_diff, diff_lines, has_changes
from reconciler.report.plans import plan_change_lines
from reconciler.report.problems import kept_errors
from reconciler.report.sync import Sync, build_drift, build_sync, drift_lines, sync_lines
from reconciler.snapshot.tree import NO_ENTRY
from reconciler.tables.problems import shorten_problems
from reconciler.values import replace
from tests.support.cases import some
from tests.support.kinds import START
from tests.support.world import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable

MEGABYTE = 1_000_000
COUNT = 20_000
ODD = "users/\x1b[31m<&\"'>\u202e ü 漢/"
"""A path that every format has to write longer than it is."""


def make_problems(path: str = "users/") -> tuple[Problem, ...]:
    return tuple(
        Problem(
            path=f"{path}{number:06}.yaml",
            line=number + 1,
            column=3,
            code="unknown-field",
            pointer="/spec/x",
            message=f"unknown field (did you mean y{number}?)",
            hint="write y",
            severity=Severity.ERROR if number % 10 == 9 else Severity.WARNING,
        )
        for number in range(COUNT)
    )


MANY = make_problems()
CHECKED = CheckResult(MANY, {problem.path: NO_ENTRY for problem in MANY}, SHIPPED.kinds)
PLAN = Plan(None, "a" * 40, (), MANY)
GITHUB = r"([\d,]+) more errors and ([\d,]+) more warnings without an annotation"
OMITTED = {
    "github": GITHUB,
    "json": r'"omitted": ([\d]+)',
    "text": r"([\d,]+) more problems",
    "sarif": r'"omitted": ([\d]+)',
}


@pytest.mark.parametrize("form", PROBLEM_FORMATS)
def test_a_check_is_less_than_a_megabyte(form: str) -> None:
    text = PROBLEM_FORMATS[form](CHECKED)
    assert len(text.encode()) < MEGABYTE
    errors_shown = len(set(re.findall(r"\d{5}9\.yaml", text)))
    assert errors_shown >= (10 if form == "github" else 50)
    assert re.search(OMITTED.get(form, r"([\d,]+) more problems?"), text) or form == "markdown"


@pytest.mark.parametrize("form", PLAN_FORMATS)
def test_a_plan_is_less_than_a_megabyte(form: str) -> None:
    text = PLAN_FORMATS[form](PLAN, SHIPPED.kinds)
    assert len(text.encode()) < MEGABYTE
    assert re.search(OMITTED.get(form, r"([\d,]+) more problems?"), text) or form == "markdown"


def make_changes(count: int, op: Op = Op.CREATE) -> tuple[Change, ...]:
    values = {"note": "<&\"'> ü " * 20}
    key = [f"{number:06}" for number in range(count)]
    resources = [Resource("User", name, name, values, {}, {}, {}, f"{ODD}{name}.yaml", 1, name) for name in key]
    if op is Op.DELETE:
        return tuple(Change(op, one, None, Prune.DELETE) for one in resources)
    return tuple(Change(op, None, one) for one in resources)


@pytest.mark.parametrize("form", PLAN_FORMATS)
@pytest.mark.parametrize("problems", some({"bad": MANY, "good": ()}, 1))
def test_a_plan_of_many_changes_is_less_than_a_megabyte(form: str, problems: tuple[Problem, ...]) -> None:
    changes = (*make_changes(50, Op.DELETE), *make_changes(6_000))
    text = PLAN_FORMATS[form](Plan(None, "a" * 40, changes, problems), SHIPPED.kinds)
    assert len(text.encode()) < MEGABYTE
    if form in ("text", "junit"):
        assert re.search(r"[\d,]+ more changes not shown", text)
        assert text.count("000049") >= 2  # all that goes is there
    if form == "json":
        found = json.loads(text)
        told = len(found["changes"]) + len(found["problems"])
        assert told + found["summary"]["omitted"] == len(changes) + len(problems)
        assert [one["op"] for one in found["changes"][:51]] == ["delete"] * 50 + ["create"]
        assert found["summary"]["create"] == 6_000
    if problems:
        assert len(set(re.findall(r"\d{5}9\.yaml", text))) >= 10


@cache
def large() -> Plan:
    return Plan(None, "a" * 40, (*make_changes(50, Op.DELETE), *make_changes(COUNT)), MANY)


DRIFTS = Drifts(
    tuple(Drift("User", str(number), ODD, DriftType.EXTRA, {"note": ODD * 50}, None) for number in range(1_000)),
    {"User": COUNT},
)


def print_answer(answer: answers.Answer) -> str:
    """As commands do it."""
    return json.dumps(answers.to_json(answer), indent=2, ensure_ascii=False)


def synced() -> Sync:
    attempt = Attempt(Stamp("a" * 40, START), START, refused=True, problems=MANY)
    applied = Applied(Stamp("b" * 40, START), 1, "d" * 64, START)
    return build_sync(SyncResult("a" * 40, applied, attempt, large(), None), SHIPPED.kinds)


def compared() -> reviews.Diff:
    return build_diff(replace(large(), problems=()), SHIPPED.kinds)


OUTPUTS: dict[str, Callable[[], str]] = {
    "sync text": lambda: "\n".join(sync_lines(synced())),
    "sync json": lambda: print_answer(synced()),
    "diff text": lambda: "\n".join(line for _, line in diff_lines(compared())),
    "diff json": lambda: print_answer(compared()),
    "drift text": lambda: "\n".join(drift_lines(build_drift(DRIFTS))),
    "drift json": lambda: print_answer(build_drift(DRIFTS)),
    "import text": lambda: "\n".join(plan_change_lines(large(), SHIPPED.kinds)),
}
LEFT = {
    "sync text": r"\+ 20,000 User\n",
    "sync json": r'"omitted": [\d]{5}',
    "diff json": r'"omitted": [\d]{5}',
    "drift text": r"and [\d,]{6} more",
    "drift json": r'"User": 20000',
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_what_changed_is_told_in_less_than_a_megabyte(output: str) -> None:
    text = OUTPUTS[output]()
    assert len(text.encode()) < MEGABYTE
    assert re.search(LEFT.get(output, r"[\d,]{5,} more changes not shown"), text)
    if "drift" not in output:
        assert "- " in text or '"op": "delete"' in text
        assert "50 to delete" in text or '"delete": 50' in text or "50 deleted" in text or output == "import text"


def test_a_change_too_long_for_the_answer_counts() -> None:
    resource = Resource("User", "x", "x", {"note": "y" * MEGABYTE}, {}, {}, {}, "x.yaml", 1, "x")
    found = build_diff(Plan(None, "a" * 40, (Change(Op.CREATE, None, resource),), ()), SHIPPED.kinds)
    assert (found.changes, found.summary.omitted, has_changes(found)) == ((), 1, True)
    assert "1 more change not shown; those that are come first" in [line for _, line in diff_lines(found)]


@pytest.mark.parametrize("form", some([*PROBLEM_FORMATS], 2))
def test_paths_that_grow_when_they_are_written(form: str) -> None:
    problems = make_problems(ODD)
    checked = CheckResult(problems, {problem.path: NO_ENTRY for problem in problems}, SHIPPED.kinds)
    assert len(PROBLEM_FORMATS[form](checked).encode()) < MEGABYTE


def test_github_is_given_as_many_annotations_as_it_shows() -> None:
    *lines, notice = PROBLEM_FORMATS["github"](CHECKED).split("\n")
    assert [line.partition(" ")[0] for line in lines] == ["::error"] * 10 + ["::warning"] * 10
    assert "::1,990 more errors and 17,990 more warnings without an annotation" in notice
    few = CheckResult(MANY[:12], CHECKED.entries, SHIPPED.kinds)  # one error, eleven warnings
    *lines, notice = PLAN_FORMATS["github"](Plan(None, "a" * 40, (), few.problems), SHIPPED.kinds).split("\n")
    assert len(lines) == 11
    assert "::1 more warning without an annotation" in notice


def one_bad_file() -> CheckResult:
    """A file with ten thousand errors, before one with a single error."""
    bad = [replace(problem, path="a.yaml", severity=Severity.ERROR) for problem in MANY[:10_000]]
    return CheckResult((*bad, replace(MANY[9], path="b.yaml")), {"a.yaml": NO_ENTRY, "b.yaml": NO_ENTRY}, SHIPPED.kinds)


@pytest.mark.parametrize("form", PROBLEM_FORMATS)
@pytest.mark.parametrize("of", ["validate", "plan"])
def test_a_file_leaves_room_for_others(form: str, of: str) -> None:
    checked = one_bad_file()
    plan = Plan(None, "a" * 40, (), checked.problems)
    text = PROBLEM_FORMATS[form](checked) if of == "validate" else PLAN_FORMATS[form](plan, SHIPPED.kinds)
    assert "b.yaml" in text
    assert len(re.findall(r"did you mean y\d", text)) <= 1_003
    assert re.search(r"9,000 more problems|9,99\d more errors|9000|9,\d{3} more problems", text)


def test_of_one_file_a_part_is_shown_in_order() -> None:
    found = json.loads(PROBLEM_FORMATS["json"](one_bad_file()))
    lines = [(one["path"], one["line"]) for one in found["problems"]]
    assert lines == [*(("a.yaml", number) for number in range(1, 1_001)), ("b.yaml", 10)]
    assert found["summary"]["errors"] == 10_001
    assert found["summary"]["omitted"] == 9_000
    long = [replace(problem, pointer="/x" * 5_000) for problem in one_bad_file().problems]
    text = PROBLEM_FORMATS["text"](CheckResult(long, {}, SHIPPED.kinds))
    assert len(text.encode()) < 300_000
    assert "b.yaml:10:3" in text


def test_sarif_says_for_people_too_what_it_left_out() -> None:
    (run,) = json.loads(PROBLEM_FORMATS["sarif"](CHECKED))["runs"]
    ((notification,),) = [one["toolExecutionNotifications"] for one in run["invocations"]]
    assert run["properties"]["note"] == notification["message"]["text"]
    assert run["properties"]["omitted"] == COUNT - len(run["results"])


def test_sarif_of_more_policies_than_anybody_has_is_less_than_a_megabyte() -> None:
    problems = [replace(problem, code=f"policy/rule-{number:06}") for number, problem in enumerate(MANY)]
    text = PROBLEM_FORMATS["sarif"](CheckResult(problems, CHECKED.entries, SHIPPED.kinds))
    assert len(text.encode()) < MEGABYTE
    assert len(json.loads(text)["runs"][0]["results"]) > 500


def test_what_a_command_prints_beside_its_result_is_less_than_a_megabyte(capsys: pytest.CaptureFixture[str]) -> None:
    note_problems(MANY)
    told = capsys.readouterr().err
    assert len(told.encode()) < MEGABYTE
    assert re.search(r"[\d,]+ more problems not shown", told)


def test_a_refusal_does_not_take_what_was_kept_for_all() -> None:
    assert kept_errors([problem for problem in MANY[:20] if problem.is_error]) == "2 errors"
    assert kept_errors(shorten_problems(MANY)) == "more than 100 errors"


def test_json_counts_all_and_shows_errors_first() -> None:
    found = json.loads(PROBLEM_FORMATS["json"](CHECKED))
    summary, shown = found["summary"], found["problems"]
    assert (summary["errors"], summary["warnings"]) == (COUNT // 10, COUNT - COUNT // 10)
    assert summary["omitted"] == COUNT - len(shown)
    severities = [problem["severity"] for problem in shown]
    assert severities == sorted(severities)


def test_sarif_has_no_more_results_than_are_taken() -> None:
    short = tuple(Problem(f"{number % 9}", 1, 1, "secret", "", "") for number in range(6_000))
    (run,) = json.loads(PROBLEM_FORMATS["sarif"](CheckResult(short, {}, SHIPPED.kinds)))["runs"]
    assert len(run["results"]) + run["properties"]["omitted"] == 6_000
    assert len(run["results"]) <= 5_000


def test_a_few_problems_stay_as_they_are() -> None:
    few = MANY[:90]
    found = json.loads(PROBLEM_FORMATS["json"](CheckResult(few, {}, SHIPPED.kinds)))
    assert [problem["path"] for problem in found["problems"]] == [problem.path for problem in few]
    assert "omitted" not in found["summary"]
    assert shorten_problems(few) == few


def test_what_is_kept_names_the_rest() -> None:
    kept = shorten_problems(MANY)
    assert len(kept) == 101
    assert all(problem.is_error for problem in kept)
    assert kept[-1].message == "there are 1,900 more errors and 18,000 more warnings"
    assert shorten_problems(kept) == kept
    assert len(shorten_problems([MANY[0]] * 3)) == 3
