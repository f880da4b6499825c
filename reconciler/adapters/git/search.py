"""Lines of many files at once, as `git grep` finds them: no file is read into this process."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.adapters.git.trees import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.adapters.git.plumbing import Plumbing

OPTIONS = (
    *("grep", "--extended-regexp", "--text", "--null", "-H", "--no-line-number", "--no-column", "--threads=1"),
    *("--full-name", "--no-color", "--no-textconv", "--no-recurse-submodules", "--no-heading", "--no-break"),
)
"""One thread: more of them wait for each other at every object, and take half as long again."""
SUFFIXES = ("yaml", "yml")
WILD = re.compile(r"[\\*?\[\]]")


def grep(plumbing: Plumbing, commit: str, folder: str, patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Path and text of each line that matches a pattern, in the YAML files below a folder; bytes that are not UTF-8
    come as lone surrogates.

    The output of git is `commit:path`, NUL, line, line break: a path may hold anything but NUL, a line no line break.
    """
    asked = [part for pattern in patterns for part in ("-e", pattern)]
    below = "".join(f"{WILD.sub(_escaped, name)}/" for name in folder.split("/") if name)
    found = plumbing.output(*OPTIONS, *asked, commit, "--", *(f":(top,glob){below}**/*.{end}" for end in SUFFIXES))
    for path, line in re.findall(rf"{commit}:([^\0]*)\0([^\n]*)\n?", found or ""):
        yield path_text(path.encode("utf-8", "surrogateescape")), line


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}"
