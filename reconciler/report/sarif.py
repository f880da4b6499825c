"""SARIF 2.1.0, as code scanning reads it (docs.oasis-open.org/sarif/sarif/v2.1.0).

What a plan changes is no finding, so a plan's log holds its problems only. `helpUri` has to be absolute (section
3.49.12; GitHub refuses a whole upload for one that is not), and this project has no address of its own to give: the
link to docs/problems.md stands in the rule's help text.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reconciler import __version__
from reconciler.model.problem import Severity
from reconciler.report import problems
from reconciler.report.escape import json_text, visible, visible_lines
from reconciler.report.problems import PAGE, anchor, meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.problem import Problem
    from reconciler.plan import Plan
    from reconciler.reconcile.check import Checked

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning"}
FINGERPRINT = "problem/v1"

_LINES = re.compile(r"(\blines? |:)\d+(?:(?:, | and )\d+)*")
"""Line numbers in messages: they move with the text around them."""


def checked(found: Checked) -> str:
    """`validate --format sarif`."""
    return json_text(_log("validate", found.problems))


def plan(found: Plan, kinds: Kinds) -> str:
    """`plan --format sarif`."""
    return json_text(_log("plan", found.problems))


def _log(command: str, found: Sequence[Problem]) -> dict[str, Any]:
    codes = {code: index for index, code in enumerate(sorted({problem.code for problem in found}))}
    driver = {
        "name": "reconciler",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(code, found) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        # A category of its own for each command, or the second upload would replace the first.
        "automationDetails": {"id": f"reconciler/{command}/"},
        "columnKind": "unicodeCodePoints",
        "results": list(_results(found, codes)),
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, found: Iterable[Problem]) -> dict[str, Any]:
    worst = min((problem.severity for problem in found if problem.code == code), key=list(LEVELS).index)
    told, link = visible(meaning(code)), PAGE + anchor(code)
    return {
        "id": visible(code),
        "shortDescription": {"text": told},
        "fullDescription": {"text": told},
        "defaultConfiguration": {"level": LEVELS[worst]},
        "help": {"text": f"{told}. See {link}", "markdown": f"See [{PAGE}]({link})"},
    }


def _results(found: Iterable[Problem], codes: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for problem in found:
        print_ = _fingerprint(problem)
        seen[print_] += 1
        yield {
            "ruleId": visible(problem.code),
            "ruleIndex": codes[problem.code],
            "level": LEVELS[problem.severity],
            "message": {"text": visible_lines(problems.told(problem))},
            "locations": [_location(problem)],
            "partialFingerprints": {FINGERPRINT: f"{print_}:{seen[print_]}"},
        }


def _location(problem: Problem) -> dict[str, Any]:
    column = problems.column(problem)
    region = {"startLine": problem.line} if column is None else {"startLine": problem.line, "startColumn": column}
    uri = quote(problem.path, errors="replace")
    place = {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}, "region": region}
    if not problem.pointer:
        return {"physicalLocation": place}
    return {"physicalLocation": place, "logicalLocations": [{"fullyQualifiedName": visible(problem.pointer)}]}


def _fingerprint(problem: Problem) -> str:
    """The same for the same finding after lines were put above it."""
    message = _LINES.sub(r"\1", problem.message)
    parts = "\0".join((problem.code, problem.path, problem.pointer, message))
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:32]
