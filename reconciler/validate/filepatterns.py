"""Patterns of files as in `.gitignore`, on the engine without backtracking.

pathspec says what a pattern means, as a regular expression. Python's `re` would take minutes for `*a*a*a*a*b` and a
path of a hundred characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.kinds.engine import compile_schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jsonschema_rs import Draft202012Validator

_FOLDER = "(?P<ps_d>/)"
"""pathspec's mark of what is matched because a folder around it is."""
_FILE_OR_FOLDER = f"(?:{_FOLDER}|$)"


class _Line(Struct, frozen=True):
    """One pattern: what matches a path itself and what matches a folder around it, each None where nothing can."""

    selects: bool
    file: Draft202012Validator | None
    folder: Draft202012Validator | None


class FilePatterns:
    """Compiled patterns. Raises `ValueError` for a line that is none."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = [line for line in map(_compile, lines) if line is not None]

    def match(self, path: str) -> bool:
        """Whether a path is selected: by the last pattern that matches it, else the last one that matches a folder."""
        by_folder = False
        decided = False
        for line in reversed(self._lines):
            if line.file is not None and line.file.is_valid(path):
                return line.selects
            if not decided and line.folder is not None and line.folder.is_valid(path):
                by_folder, decided = line.selects, True
        return by_folder


def _compile(text: str) -> _Line | None:
    """A pattern; None for a comment and what can match nothing."""
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern  # most repositories have no patterns

    regex, selects = GitIgnoreSpecPattern.pattern_to_regex(text)
    if regex is None or selects is None:
        return None
    if _FOLDER not in regex:
        return _Line(selects, _compile_regex(regex), None)
    folder = _compile_regex(regex.replace(_FILE_OR_FOLDER, "/").replace(_FOLDER, "/"))
    file = _compile_regex(regex.replace(_FILE_OR_FOLDER, "$")) if _FILE_OR_FOLDER in regex else None
    return _Line(selects, file, folder)


def _compile_regex(regex: str) -> Draft202012Validator:
    return compile_schema({"pattern": regex})
