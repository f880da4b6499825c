"""What Docker reads, read as Docker does: a Dockerfile's instructions, and what .dockerignore lets into a build.

Sources: the Dockerfile reference (continuation lines, comments), and the rules of .dockerignore there: each line is a
pattern from the root, what holds for a folder holds for all in it, and the last line that matches decides.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path, PurePosixPath

WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class Instruction:
    """One instruction of a stage: `RUN`, what follows it on one line, and the number of the stage from 0."""

    name: str
    text: str
    stage: int


def instructions(dockerfile: str) -> list[Instruction]:
    """All of them in order; those before the first FROM are of the stage -1."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    found: list[Instruction] = []
    stage = -1
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, text = line.strip().partition(" ")
        if name:
            stage += name == "FROM"
            found.append(Instruction(name, text.strip(), stage))
    return found


class Ignore:
    """The patterns of a .dockerignore."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        self._patterns = [(_pattern(line.removeprefix("!")), line.startswith("!")) for line in lines]

    def lets_in(self, path: PurePosixPath) -> bool:
        """Whether a file is part of the build's context."""
        names = [str(one) for one in (path, *path.parents[:-1])]  # not the root itself
        let_in = True
        for pattern, keeps in self._patterns:
            if any(pattern.fullmatch(name) for name in names):
                let_in = keeps
        return let_in


def context(root: Path, files: Iterable[PurePosixPath], to: Path) -> list[str]:
    """Copy what a build gets to see of these files of `root`; their paths in order."""
    ignore = Ignore((root / ".dockerignore").read_text(encoding="utf-8"))
    copied = sorted(str(file) for file in files if ignore.lets_in(file))
    for file in copied:
        (to / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / file, to / file)
    return copied


def _pattern(line: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", line.strip("/"))
    return re.compile("".join(WILD.get(part) or re.escape(part) for part in parts))
