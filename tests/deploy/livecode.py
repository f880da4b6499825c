"""The part of a module that can run on Windows: all of it, less the branches that the platform decides against.

A test such as `sys.platform != "win32" and …` is worked out as far as the platform settles it. What follows a branch
that Windows takes and never leaves by its end (`if sys.platform == "win32": return …`) is not run there either.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EXITS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
ON_WINDOWS = {"sys.platform": "win32", "os.name": "nt"}


def live(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it that Windows may come to."""
    yield node
    match node:
        case ast.If() | ast.IfExp():
            yield from live(node.test)
            taken = verdict(node.test)
            yield from _parts(node.body) if taken is not False else ()
            yield from _parts(node.orelse) if taken is not True else ()
        case ast.BoolOp():
            for value in node.values:
                yield from live(value)
                if verdict(value) is isinstance(node.op, ast.Or):
                    return
        case _:
            for _, field in ast.iter_fields(node):
                yield from _parts(field)


def verdict(test: ast.expr) -> bool | None:
    """What a test comes to on Windows; None where it is not the platform that settles it."""
    match test:
        case ast.UnaryOp(op=ast.Not()):
            inner = verdict(test.operand)
            return None if inner is None else not inner
        case ast.BoolOp():
            settling = isinstance(test.op, ast.Or)
            found = [verdict(value) for value in test.values]
            if settling in found:
                return settling
            return None if None in found else not settling
        case ast.Compare(ops=[ast.Eq() | ast.NotEq() as op], comparators=[ast.Constant(value=str(text))]):
            here = ON_WINDOWS.get(ast.unparse(test.left))
            return None if here is None else (here == text) is isinstance(op, ast.Eq)
    return None


def _parts(field: object) -> Iterator[ast.AST]:
    if isinstance(field, ast.AST):
        yield from live(field)
    for part in field if isinstance(field, list) else ():
        if isinstance(part, ast.AST):
            yield from live(part)
            if isinstance(part, ast.If) and _never_passes(part):
                return


def _never_passes(branch: ast.If) -> bool:
    """Whether Windows takes one side for certain, and leaves from there."""
    taken = verdict(branch.test)
    side = branch.body if taken else branch.orelse
    return taken is not None and bool(side) and isinstance(side[-1], EXITS)
