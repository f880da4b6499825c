"""SARIF 2.1.0, as code scanning reads it (docs.oasis-open.org/sarif/sarif/v2.1.0).

Changes are not findings, so the log of a plan has its problems only. `helpUri` has to be absolute (section 3.49.12;
GitHub refuses the whole upload otherwise), and the documentation has no fixed address: the link to docs/problems.md is
in the help text of the rule.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reconciler import __version__
from reconciler.model.problem import Severity
from reconciler.report.escape import dump_json, escape_block, escape_line
from reconciler.report.problems import DOCS_PAGE, describe_code, docs_anchor, known_column, problem_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan
    from reconciler.reconcile.check import CheckResult

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning"}
FINGERPRINT = "problem/v1"

_LINES = re.compile(r"(\blines? |:)\d+(?:(?:, | and )\d+)*")
"""Line numbers in messages: they change when lines are added above."""


def render_checked(checked: CheckResult) -> str:
    """`validate --format sarif`"""
    return dump_json(_build_log("validate", checked.problems))


def render_plan(plan: Plan, kinds: Kinds) -> str:
    """`plan --format sarif`"""
    return dump_json(_build_log("plan", plan.problems))


def _build_log(command: str, problems: Sequence[Problem]) -> dict[str, Any]:
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
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


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
