"""What programs read: workflow commands, SARIF and JUnit XML, held against their schemas and read back."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import jsonschema_rs
import pytest
import xmlschema
from hypothesis import example, given, settings

from reconciler.model.problem import NOT_LOCATED, Problem, Severity
from reconciler.report import formats
from reconciler.report.escape import escape_block, escape_line
from reconciler.report.formats import PLAN_FORMATS, PROBLEM_FORMATS
from reconciler.report.problems import (
    CODE_MEANINGS,
    DOCS_PAGE,
    POLICY_HEADING,
    describe_code,
    docs_anchor,
    problem_text,
)
from reconciler.values import replace
from tests.docs.markdown import anchors, headings, read
from tests.report.rich import CHECKED, CLEAN, EMPTY, PLAN, RICH_KINDS, delete
from tests.report.texts import CHECKS, PLANS, TEXTS
from tests.support.kinds import KINDS, gadget
from tests.support.laws import examples

if TYPE_CHECKING:
    from reconciler.plan import Plan
    from reconciler.reconcile.check import CheckResult

DATA = Path(__file__).parents[1] / "data"
SCHEMA = (DATA / "sarif-2.1.0.schema.json").read_text(encoding="utf-8")
SARIF = json.loads(SCHEMA)
# The official schema has a pattern that is none in ECMA 262, for languages, which no report names.
QUICK = jsonschema_rs.Draft4Validator(json.loads(SCHEMA.replace("{2}]?$", "{2}$")), validate_formats=True)
COMMAND = re.compile(r"::(?P<name>[a-z]+) (?P<properties>.*?)::(?P<message>.*)")


@cache
def _junit_schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(DATA / "junit-10.xsd"))


def _command(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner reads it (actions/runner, ActionCommand.cs)."""
    found = COMMAND.fullmatch(line)
    assert found, line
    properties = dict(part.split("=", 1) for part in found["properties"].split(","))
    unescaped = {key: _unescaped(value) for key, value in properties.items()}
    return found["name"], unescaped, _unescaped(found["message"], "")


def _unescaped(text: str, more: str = ":,") -> str:
    for character in ("\r", "\n", *more, "%"):
        text = text.replace(f"%{ord(character):02X}", character)
    return text


@example("100%0A", "a")
@example("a", "100%3A%2C%25")
@given(TEXTS, TEXTS.filter(bool))
def test_a_workflow_command_comes_back_as_it_was(message: str, value: str) -> None:
    line = formats.workflow_command("error", {"file": value, "line": 3, "col": None}, message)
    assert "\n" not in line
    assert "\r" not in line
    assert _command(line) == ("error", {"file": value, "line": "3"}, message)


@settings(max_examples=examples(25))
@given(CHECKS)
def test_each_problem_is_an_annotation_on_its_line(found: CheckResult) -> None:
    *lines, notice = map(_command, PROBLEM_FORMATS["github"](found).split("\n"))
    assert notice[:2] == ("notice", {"title": "validate"})
    errors = [problem for problem in found.problems if problem.is_error]
    warnings = [problem for problem in found.problems if not problem.is_error]
    annotated = [*errors[:10], *warnings[:10]]
    shown = found.problems if len(annotated) == len(found.problems) else annotated
    assert len(lines) == len(shown)
    for (name, properties, message), problem in zip(lines, shown, strict=True):
        assert name == problem.severity
        assert (properties["file"], properties["line"]) == (problem.path, str(problem.line))
        assert properties.get("col") == (None if problem.column == NOT_LOCATED else str(problem.column))
        assert message == escape_block(problem_text(problem))


def test_the_notice_of_a_plan_names_what_goes_first() -> None:
    _, _, message = _command(PLAN_FORMATS["github"](PLAN, RICH_KINDS).split("\n")[-1])
    lines = message.split("\n")
    assert lines[0] == "- Gadget without-status (row is deleted)"
    assert lines[-1] == "1 to create, 3 to update, 5 to delete."
    many = replace(PLAN, changes=tuple(delete(gadget(f"g{number}")) for number in range(60)))
    assert "\nand 10 more to delete\n" in _command(PLAN_FORMATS["github"](many, RICH_KINDS).split("\n")[-1])[2]


def _sarif(text: str) -> dict[str, Any]:
    log = json.loads(text)
    QUICK.validate(log)
    return log["runs"][0]


@settings(max_examples=examples(25))
@given(CHECKS)
def test_sarif_is_valid_whatever_is_in_it(found: CheckResult) -> None:
    run = _sarif(PROBLEM_FORMATS["sarif"](found))
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(run["results"]) == len(found.problems)
    for result, problem in zip(run["results"], found.problems, strict=True):
        assert rules[result["ruleIndex"]] == result["ruleId"] == escape_line(problem.code)
        place, *logical = result["locations"][0].values()
        assert logical == ([[{"fullyQualifiedName": escape_line(problem.pointer)}]] if problem.pointer else [])
        assert unquote(place["artifactLocation"]["uri"]) == problem.path.encode("utf-8", "replace").decode()
        assert place["region"]["startLine"] == problem.line
        assert place["region"].get("startColumn", NOT_LOCATED) == problem.column
    prints = [result["partialFingerprints"]["problem/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)


@settings(max_examples=examples(20))
@given(PLANS)
def test_sarif_of_a_plan_holds_its_problems(found: Plan) -> None:
    assert len(_sarif(PLAN_FORMATS["sarif"](found, KINDS))["results"]) == len(found.problems)


@pytest.mark.parametrize("text", [PROBLEM_FORMATS["sarif"](CHECKED), PLAN_FORMATS["sarif"](EMPTY, KINDS)])
def test_sarif_is_valid_for_the_reference_validator_too(text: str) -> None:
    jsonschema.Draft4Validator(SARIF).validate(json.loads(text))


def test_the_schema_refuses_what_uploads_refuse() -> None:
    log = json.loads(PROBLEM_FORMATS["sarif"](CHECKED))
    log["runs"][0]["tool"]["driver"]["rules"][0]["helpUri"] = f"{DOCS_PAGE}#wrong-type"
    assert not QUICK.is_valid(log)


def _prints(*problems: Problem) -> list[str]:
    run = _sarif(PROBLEM_FORMATS["sarif"](replace(CHECKED, problems=problems)))
    return [result["partialFingerprints"]["problem/v1"] for result in run["results"]]


def test_a_fingerprint_outlives_lines_that_move() -> None:
    before = Problem("a.yaml", 15, 3, "duplicate-key", "/spec/x", "x is there twice, on lines 14 and 15; b.yaml:3 too")
    after = replace(before, line=17, message="x is there twice, on lines 16 and 17; b.yaml:4 too")
    assert _prints(before) == _prints(after)
    assert _prints(before) != _prints(replace(before, pointer="/spec/y"))
    assert _prints(before) != _prints(replace(before, message="y is there twice"))
    first, second = _prints(before, replace(before, line=40))
    assert first != second


def test_the_two_commands_do_not_replace_each_others_uploads() -> None:
    categories = {
        _sarif(text)["automationDetails"]["id"]
        for text in (PROBLEM_FORMATS["sarif"](CLEAN), PLAN_FORMATS["sarif"](EMPTY, KINDS))
    }
    assert categories == {"reconciler/validate/", "reconciler/plan/"}


def test_every_code_has_a_meaning() -> None:
    """The headings of the page are the codes of the sources: tests/docs says so."""
    codes = set(headings(read(DOCS_PAGE))) - {"Problems", POLICY_HEADING}
    assert sorted(codes - CODE_MEANINGS.keys()) == []
    assert describe_code("policy/lot-step") == "The policy lot-step is violated"
    assert describe_code("guard/some-thing") == "Guard: some thing"


def test_every_code_has_its_place_on_the_page() -> None:
    page = read(DOCS_PAGE)
    assert {docs_anchor(code)[1:] for code in headings(page)} == anchors(page)
    assert (docs_anchor("guard/prune-limit"), docs_anchor("policy/lot-step")) == ("#guardprune-limit", "#policyname")


def _junit(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text.encode())
    _junit_schema().validate(root)
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases)) != "0"
        assert suite.get("failures") == str(sum(case.find("failure") is not None for case in cases))
        assert all(len(case.findall("failure")) <= 1 for case in cases)
    return root


@settings(max_examples=examples(25))
@given(CHECKS)
def test_junit_has_a_case_for_each_file(found: CheckResult) -> None:
    root = _junit(PROBLEM_FORMATS["junit"](found))
    failed = {problem.path for problem in found.problems if problem.is_error}
    paths = sorted({*found.entries, *(problem.path for problem in found.problems)})
    cases = [(case.get("name"), case.find("failure") is not None) for case in root.iter("testcase")]
    assert cases == [(escape_line(path), path in failed) for path in paths]


@settings(max_examples=examples(25))
@given(PLANS)
def test_junit_has_a_case_for_each_change_and_fails_for_errors_only(found: Plan) -> None:
    root = _junit(PLAN_FORMATS["junit"](found, KINDS))
    groups = [str(case.get("classname")) for case in root.iter("testcase")]
    assert [group for group in groups if group != "plan"] == [f"plan.{change.op}" for change in found.changes]
    assert len(list(root.iter("failure"))) == len({one.path for one in found.problems if one.is_error})


def test_junit_tells_all_errors_of_a_file_and_its_warnings_beside() -> None:
    problems = (
        Problem("a.yaml", 1, 1, "secret", "", "first < & >"),
        Problem("a.yaml", 2, 1, "wrong-type", "", "second"),
        Problem("a.yaml", 3, 1, "x", "", "third", severity=Severity.WARNING),
    )
    case = next(_junit(formats.render_checked_junit(replace(CLEAN, problems=problems, entries={}))).iter("testcase"))
    failure, output = case
    assert failure.attrib == {"type": "secret", "message": "first < & > (and 1 more)"}
    assert failure.text == "a.yaml:1:1: error [secret]: first < & >\na.yaml:2:1: error [wrong-type]: second"
    assert output.text == "a.yaml:3:1: warning [x]: third"
