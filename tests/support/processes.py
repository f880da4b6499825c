"""The processes that a process has started, so that a test can say that none of them is left."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

PROC = Path("/proc")
PAUSE = 0.02


class Born(NamedTuple):
    """A process: its id, and when it began, which tells it from another one that has its id later."""

    pid: int
    began: str


def children(pid: int) -> frozenset[Born]:
    """All that a process has started, and that these have started. Linux tells; elsewhere the test is skipped."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells whose child a process is")
    parents = {born: parent for born, parent in _all() if parent}
    found: set[int] = {pid}
    while more := {born.pid for born, parent in parents.items() if parent in found} - found:
        found |= more
    return frozenset(born for born in parents if born.pid in found - {pid})


def await_end(processes: frozenset[Born], seconds: float) -> None:
    """Wait until none of them runs any more."""
    limit = time.monotonic() + seconds
    while left := processes & {born for born, _ in _all()}:
        told = [(born.pid, _words(born.pid)) for born in left]
        assert time.monotonic() < limit, f"still running after {seconds:g} s: {told}"
        time.sleep(PAUSE)


def _all() -> list[tuple[Born, int]]:
    """Every process that runs, with its parent; one that only waits to be noticed has ended."""
    found = []
    for folder in PROC.glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text(encoding="ascii", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, *others = told.rpartition(") ")[2].split()
        if state != "Z":
            found.append((Born(int(folder.name), others[17]), int(parent)))
    return found


def _words(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cmdline").read_text(encoding="utf-8", errors="replace").replace("\0", " ")
    except OSError:
        return "?"
