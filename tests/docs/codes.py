"""The problem codes that the sources can produce, read off their syntax trees.

A code enters a problem in one of these ways; anything else the reading does not understand fails the test:
the argument `code` of `Problem(…)` or `Finding(…)`, or the first of the three texts that a function returns.
Where the argument is a name, it is that of a constant in some module.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAGES = ("decode", "validate", "kinds", "snapshot", "reconcile", "plan", "guards", "policy", "tables")
POSITIONS = {"Problem": 3, "Finding": 1}
OF_A_POLICY = "policy/NAME"
MADE = {"problem_code(policy)": OF_A_POLICY, "problem_code(verdict.policy)": OF_A_POLICY}
"""Codes that are made of a file's name."""
PASSED_ON = frozenset({"code", "finding.code"})
"""A code that came in as a variable: it was counted where it was made."""

SHAPE = re.compile(r"((guard/)?[a-z]+(-[a-z]+)*|policy/NAME)")


@cache
def source_codes() -> frozenset[str]:
    """Every code."""
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in _files()}
    shared = {name: value for tree in trees.values() for name, value in _constants(tree)}
    codes: set[str] = set()
    for file, tree in trees.items():
        constants = {**shared, **dict(_constants(tree))}
        for node in _expressions(tree):
            text = ast.unparse(node)
            if text not in PASSED_ON:
                found = node.value if isinstance(node, ast.Constant) else {**constants, **MADE}.get(text)
                assert isinstance(found, str), f"{file.name}:{node.lineno}: which code is {text}?"
                assert SHAPE.fullmatch(found), f"{file.name}:{node.lineno}: {found} is not the shape of a code"
                codes.add(found)
    return frozenset(codes)


def _files() -> list[Path]:
    folder = ROOT / "reconciler"
    return sorted(file for stage in STAGES for file in [*folder.glob(f"{stage}.py"), *(folder / stage).rglob("*.py")])


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(value))):
                yield name, value


def _expressions(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in POSITIONS:
                yield _argument(node, POSITIONS[name])
            case ast.FunctionDef(returns=ast.expr() as kind) if ast.unparse(kind) == "tuple[str, str, str]":
                yield from _firsts(node)


def _firsts(function: ast.FunctionDef) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        match node:
            case ast.Return(value=ast.Tuple(elts=[first, *_])):
                yield first


def _argument(call: ast.Call, position: int) -> ast.expr:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    return named[0] if named else call.args[position]
