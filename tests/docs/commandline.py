"""`reconciler` in this process, as a terminal would run it: in a folder, with an environment, by the real clock.

Starting Python and importing the engines takes longer than most commands. That the console script starts is shown by
the tour, which is a process of its own.
"""

from __future__ import annotations

import io
import os
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest.mock import patch

from reconciler.adapters.machine import SystemClock
from reconciler.cli.main import run
from tests.support.world import one_engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NOW = SystemClock.now
"""The real clock, which tests stop."""
WIDTH = {"COLUMNS": "80"}
"""As wide as an output that is no terminal's."""


@dataclass(frozen=True)
class Said:
    """What a command did; `both` is what a terminal shows."""

    code: int
    out: str
    err: str
    both: str


class _Tee(io.StringIO):
    def __init__(self, other: io.StringIO) -> None:
        super().__init__()
        self._other = other

    def write(self, text: str) -> int:
        self._other.write(text)
        return super().write(text)


def reconciler(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Said:
    """Run one command. All commands share a policy engine."""
    both = io.StringIO()
    out, err = _Tee(both), _Tee(both)
    with (
        chdir(folder),
        patch.dict(os.environ, {**environment, **WIDTH}, clear=True),
        patch.object(SystemClock, "now", NOW),
        one_engine(),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = run(arguments)
    return Said(code, out.getvalue(), err.getvalue(), both.getvalue())
