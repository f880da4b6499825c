"""Histories of others, recorded whole: `SOAK_HISTORIES` names their git directories as PATH names folders.

What is in them is no configuration of ours, so most commits are invalid: recorded all the same, each once, in bounded
memory. Figures of a run are on stdout (`pytest -s -m soak`).
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PLACES = [Path(place) for place in os.environ.get("SOAK_HISTORIES", "").split(os.pathsep) if place]
pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(3_600),
    pytest.mark.skipif(not PLACES, reason="SOAK_HISTORIES names no git directory"),
    pytest.mark.skipif(sys.platform == "win32", reason="the peak of a process's memory is asked as on POSIX"),
]
MEGABYTES = 1_500
COLUMNS = "commit_sha, height, mainline, arrayStringConcat(parents, ' ') AS parents, orphaned"


def git(place: Path, *arguments: str) -> list[str]:
    """The lines that git prints."""
    done = subprocess.run(["git", *arguments, "HEAD"], cwd=place, capture_output=True, check=True, encoding="utf-8")
    return done.stdout.splitlines()


def reconciler(place: Path, state: Path, *arguments: str) -> tuple[int, str, int]:
    """Exit code, stdout, and the peak of memory in megabytes."""
    command = [sys.executable, "-m", "reconciler", "--repo", str(place), "--state", str(state), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8")
    assert process.stdout is not None
    with process.stdout as stream:
        said = stream.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, said, usage.ru_maxrss // 1024


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_every_commit_is_recorded_once_as_git_has_it(place: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    code, said, peak = reconciler(place, tmp_path / "state", "sync")
    seconds = time.monotonic() - began
    assert code in (0, 1), said
    parents = {sha: above for sha, *above in map(str.split, git(place, "rev-list", "--topo-order", "--parents"))}
    heights: dict[str, int] = {}
    for sha in reversed(parents):
        heights[sha] = 1 + (heights[parents[sha][0]] if parents[sha] else 0)
    mainline = set(git(place, "rev-list", "--first-parent"))
    query = f"SELECT {COLUMNS} FROM config_versions ORDER BY commit_sha"
    code, rows, _ = reconciler(place, tmp_path / "state", "sql", "--history", query, "-n", "100000", "--format", "csv")
    assert code == 0
    found = {row["commit_sha"]: row for row in csv.DictReader(io.StringIO(rows))}
    sys.stdout.write(f"{place}: {len(found):,} of {len(parents):,} commits, {seconds:.0f} s, {peak:,} MB\n")
    assert found.keys() == parents.keys()
    assert len(rows.splitlines()) == 1 + len(parents)
    wrong = [
        sha
        for sha, row in found.items()
        if (int(row["height"]), row["mainline"] == "true", row["parents"].split(), row["orphaned"])
        != (heights[sha], sha in mainline, parents[sha], "false")
    ]
    assert wrong == []
    assert peak < MEGABYTES
