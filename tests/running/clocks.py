"""A clock for daemons of a test that somebody sets while they run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

SHIFTED = """import os
import time
from datetime import timedelta
from pathlib import Path

from reconciler.adapters.machine import SystemClock

now = SystemClock.now
seconds, nanoseconds = time.time, time.time_ns


def shift():
    return float(Path(os.environ["TEST_SHIFT"]).read_text())


SystemClock.now = lambda self: now(self) + timedelta(seconds=shift())
time.time = lambda: seconds() + shift()
time.time_ns = lambda: nanoseconds() + int(shift() * 1_000_000_000)
"""


def movable_clock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """What sets the clock of all daemons that are started from now on, by so many seconds from the right time."""
    shift, site = folder / "shift", folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SHIFTED, encoding="utf-8")
    monkeypatch.setenv("TEST_SHIFT", str(shift))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")])))

    def jump(seconds: float) -> None:
        beside = shift.with_name("shift.new")
        beside.write_text(str(seconds), encoding="utf-8")
        beside.replace(shift)

    jump(0)
    return jump
