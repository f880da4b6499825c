"""What the operating system says about this process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.process import usage

if TYPE_CHECKING:
    from pathlib import Path


def test_time_goes_by() -> None:
    before = usage().cpu
    sum(range(300_000))
    assert usage().cpu > before


@pytest.mark.skipif(sys.platform not in {"linux", "win32"}, reason="elsewhere only time is told")
def test_memory_and_files_are_counted(tmp_path: Path) -> None:
    before = usage()
    assert before.memory is not None
    assert before.open_files is not None
    held = bytearray(b"x" * 50_000_000)
    with (tmp_path / "a").open("w", encoding="utf-8"), (tmp_path / "b").open("w", encoding="utf-8"):
        after = usage()
    assert (after.memory or 0) - before.memory > 40_000_000, len(held)
    assert (after.open_files or 0) - before.open_files == 2


@pytest.mark.skipif(sys.platform != "linux", reason="there is no such limit")
def test_the_limit_of_files_is_known() -> None:
    assert 0 < (usage().open_files or 0) < (usage().most_files or 0)
