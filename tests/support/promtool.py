"""promtool, Prometheus' own checker: without it tests are skipped, but not where REQUIRE_PROMTOOL_TESTS=1 says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def promtool(*arguments: str | Path, given: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run it on files, or on what it is given; a skip, or a failure, when there is none."""
    program = shutil.which("promtool")
    if program is None:
        if os.environ.get("REQUIRE_PROMTOOL_TESTS") == "1":
            pytest.fail("REQUIRE_PROMTOOL_TESTS=1, and there is no promtool")
        pytest.skip("there is no promtool: Debian's package prometheus has it")
    return subprocess.run(
        [program, *arguments], input=given, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
