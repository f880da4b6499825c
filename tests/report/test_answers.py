"""What is built is of the declared types: its JSON is read back as the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given

from reconciler import answers, reviews
from reconciler.report.plans import build_plan
from reconciler.report.problems import build_problem, parse_problem
from tests.report.rich import RICH_KINDS
from tests.report.texts import PLANS, PROBLEMS

if TYPE_CHECKING:
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan


@given(PLANS)
def test_a_plan_is_read_back(plan: Plan) -> None:
    built = build_plan(plan, RICH_KINDS)
    assert answers.from_json(json.loads(json.dumps(answers.to_json(built))), reviews.Plan) == built


@given(PROBLEMS)
def test_a_problem_is_parsed_back(problem: Problem) -> None:
    assert parse_problem(build_problem(problem)) == problem
