"""What the operating system says about this process."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.processes import measure_usage

if TYPE_CHECKING:
    from pathlib import Path


OPENED = 100


def test_time_goes_by() -> None:
    before = measure_usage().cpu
    sum(range(300_000))
    assert measure_usage().cpu > before


@pytest.mark.skipif(sys.platform not in {"linux", "win32"}, reason="elsewhere only time is told")
def test_memory_and_files_are_counted(tmp_path: Path) -> None:
    before = measure_usage()
    assert before.memory is not None
    assert before.open_files is not None
    held = bytearray(b"x" * 50_000_000)
    with ExitStack() as stack:
        for number in range(OPENED):
            stack.enter_context((tmp_path / str(number)).open("w", encoding="utf-8"))
        after = measure_usage()
    assert (after.memory or 0) - before.memory > 40_000_000, len(held)
    opened = (after.open_files or 0) - before.open_files
    assert abs(opened - OPENED) < OPENED / 2  # engines of other tests have threads that open files, too


@pytest.mark.skipif(sys.platform != "linux", reason="there is no such limit")
def test_the_limit_of_files_is_known() -> None:
    assert 0 < (measure_usage().open_files or 0) < (measure_usage().most_files or 0)
