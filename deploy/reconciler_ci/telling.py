"""Words and Markdown about what reconciler found, beyond what it says itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler_ci.comments import marked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler_ci.review import PolicyTests

LONGEST = 65_536
"""Characters that GitHub takes for a comment."""
NAMED = 5
"""Failed tests that a comment names."""
_ODD = re.compile(r"[^\w./ -]")


def failures(tests: PolicyTests) -> Iterator[str]:
    """A line for each test that failed, or for what kept them from running."""
    for test in tests.failed:
        yield f"{_name(test)}: {_why(test)}"
    errors = [problem for problem in tests.told["problems"] if problem["severity"] == "error"]
    if errors and not tests.failed:
        first = errors[0]
        yield f"{first['path']}:{first['line']}: {first['message']}"


def markdown(told: str, tests: PolicyTests, path: str) -> str:
    """The comment: what reconciler wrote, and below it which of the policies' tests failed."""
    body = marked(told, path).rstrip("\n")
    if not tests.failed:
        return f"{body}\n"
    head = f"{body}\n\n❌ **{len(tests.failed)} of {tests.number} tests of policies failed**"
    names = ", ".join(f"`{_ODD.sub('?', _name(test))[:80]}`" for test in tests.failed[:NAMED])
    more = f" and {len(tests.failed) - NAMED} more" if len(tests.failed) > NAMED else ""
    whole = f"{head}: {names}{more}\n"
    return whole if len(whole) <= LONGEST else f"{head}, see the job's log\n"


def tells_change(plan: str) -> bool:
    """Whether a plan's comment tells of any change: one of the rules alone changes no row, and is one all the same."""
    title = next((line for line in plan.split("\n") if line.startswith("### ")), "")
    return not title.endswith(" Nothing changes")


def _name(test: dict[str, Any]) -> str:
    return f"{test['policy']}/{test['name']}"


def _why(test: dict[str, Any]) -> str:
    if test["problems"]:
        return str(test["problems"][0]["message"])
    if test["violations"]:
        return f"a violation where none was to be found: {test['violations'][0]['message']}"
    return "no violation, and one was to be found"
