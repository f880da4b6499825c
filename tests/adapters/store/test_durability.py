"""A step happened or it did not, whenever the process is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("name", ["apply", "replace", "migrate"])
def test_killed_between_any_two_calls(tmp_path: Path, name: str) -> None:
    command = [sys.executable, "-m", "tests.adapters.store.dying", str(tmp_path), name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    *cut_short, (survived, new) = [json.loads(line) for line in done.stdout.splitlines()]
    assert survived
    assert new[0] == 2
    assert len(cut_short) > 10
    old = cut_short[0][1]
    assert old[0] == 1
    assert old[1] == [["Gadget", "g", 1.0, True], ["Widget", "a", 30.0, True], ["Widget", "b", 30.0, True]]
    assert [found for _, found in cut_short] == [old] * len(cut_short)
