"""Texts, problems and plans for laws: with all that a terminal, a page or a parser could take for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from reconciler.model.change import FileEntry, Prune
from reconciler.model.problem import Problem, Severity
from reconciler.plan import Plan, sort_changes
from reconciler.reconcile.check import CheckResult
from reconciler.values import replace
from tests.report.rich import create, delete, update
from tests.support.kinds import KINDS, widget

if TYPE_CHECKING:
    from reconciler.canonical import Value
    from reconciler.model.change import Resource

MARKUP = "|`<>\\&@#*_[](){}~$!:/%,;=\"'-+. aA1\n\r\t\x00\x1b\x9b\u202e\u2066\u200b\u2028\ud800\ufffe\U000e0041é€😀"
ODD = [
    "",
    "www.evil.example",
    "mailto:a@b.example",
    "</details>",
    "--></code>",
    "]]>",
    "\\|",
    "`|`",
    "\n::error::no",
    "100%0A%3A%25",
]
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.text(MARKUP, max_size=40),
    st.sampled_from(ODD),
)
CODES = st.one_of(st.sampled_from(("wrong-type", "policy/weight-limit", "guard/prune-limit")), TEXTS)
PROBLEMS = st.builds(
    Problem,
    path=TEXTS.filter(bool),
    line=st.integers(1, 10**6),
    column=st.integers(0, 10**4),
    code=CODES,
    pointer=TEXTS,
    message=TEXTS,
    hint=TEXTS,
    severity=st.sampled_from(Severity),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-2, 2), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=3,
)


def _widget(name: str, path: str, note: str, parts: Value, weight: float) -> Resource:
    """A widget that no schema would let through."""
    values = {**PLAIN.values, "note": note, "parts": parts, "weight": weight}
    return replace(PLAIN, name=name, path=path, values=values)


def _plan(**fields: Any) -> Plan:
    """Made by a function: a struct resolves its annotations when Hypothesis asks for its parameters."""
    return Plan(**fields)


def _check_result(**fields: Any) -> CheckResult:
    return CheckResult(**fields)


PLAIN = widget("plain")
WIDGETS = st.builds(_widget, TEXTS, TEXTS.filter(bool), TEXTS, VALUES, st.floats(0.1, 9))
CHANGES = st.one_of(
    st.builds(create, WIDGETS),
    st.builds(update, WIDGETS, WIDGETS),
    st.builds(delete, WIDGETS, st.sampled_from(Prune)),
)
SHAS = st.integers(0, 9).map(lambda digit: str(digit) * 40)
PLANS = st.builds(
    _plan,
    base=st.one_of(st.none(), SHAS),
    head=SHAS,
    changes=st.lists(CHANGES, max_size=3).map(sort_changes),
    problems=st.lists(PROBLEMS, max_size=3).map(lambda found: tuple(sorted(found))),
    unchanged=st.integers(0, 10**6),
    state=st.one_of(st.none(), SHAS),
)
CHECKS = st.builds(
    _check_result,
    problems=st.lists(PROBLEMS, max_size=3).map(lambda found: tuple(sorted(found))),
    entries=st.dictionaries(TEXTS.filter(bool), st.just(FileEntry()), max_size=3),
    kinds=st.just(KINDS),
)
