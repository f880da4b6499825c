"""Formatting each case of the YAML test suite changes neither values nor comments, as ruamel.yaml reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from reconciler.format.format import format_file
from tests.format.orders import ORDER
from tests.yamlsuite.suite import load_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

FORMATTED, CHANGED = 208, 60
"""Cases that are formatted, and those of them that are not canonical as they are: at least so many."""


def test_values_and_comments_are_the_same_and_twice_is_once() -> None:
    wrong: list[str] = []
    formatted = changed = 0
    for case in load_cases():
        before = case.text.encode()
        done = format_file("case.yaml", before, ORDER)
        if done.problems:
            assert done.after == before
            continue
        formatted += 1
        changed += done.differs
        again = format_file("case.yaml", done.after, ORDER)
        if again.differs or _read(case.text) not in {None, _read(done.after.decode())}:
            wrong.append(f"{case.name}: {case.text!r} became {done.after!r}, then {again.after!r}")
    assert wrong == []
    assert formatted >= FORMATTED
    assert changed >= CHANGED


def _read(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Values, keys in any order, and comments; None where ruamel.yaml does not read the text."""
    reader = YAML(typ="safe", pure=True)
    try:
        values = [value for value in reader.load_all(text) if value is not None]
        comments = [comment for token in YAML().scan(text) for comment in _comments(getattr(token, "comment", None))]
    except (YAMLError, TypeError, ValueError, AttributeError):  # a list as a key, among others
        return None
    lines = (line.strip() for comment in comments for line in comment.splitlines())
    return _as_text(values), tuple(sorted(line for line in lines if line))


def _as_text(value: Any) -> str:
    """A value with the types of its scalars, and mappings by their keys."""
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{_as_text(key)}: {_as_text(item)}' for key, item in value.items()))}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_as_text, value))}]"
    return repr(value)


def _comments(found: Any) -> Iterator[str]:
    """The texts of a token's comment, however ruamel.yaml keeps them."""
    if isinstance(found, (list, tuple)):
        for part in found:
            yield from _comments(part)
    elif found is not None:
        yield str(getattr(found, "value", found))
