"""Run every benchmark, or those named on the command line, each in a temporary folder, and print a table in Markdown.

With `--runs 3` each is run three times, and each figure of a row is there.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import (
    decode,
    drift,
    following,
    living,
    memory,
    noticing,
    past,
    planning,
    policies,
    publishing,
    reading,
    sessions,
    starting,
    syncing,
    validating,
)

if TYPE_CHECKING:
    from benchmarks.measure import Figure

ALL = {
    "start": starting.commands,
    "live": living.commits,
    "live-policies": living.with_policies,
    "first-sync": syncing.first_sync,
    "one-file": syncing.one_file_after_many,
    "history": syncing.long_history,
    "validate": validating.beside_peers,
    "watch": validating.watch,
    "plan": planning.one_file_among_many,
    "read": reading.during_an_apply,
    "memory": memory.commits,
    "decode": decode.files,
    "policies": policies.one_row,
    "notice": noticing.commits,
    "publish": publishing.one_row,
    "drift": drift.drift,
    "sessions": sessions.operations,
    "look-up": sessions.look_ups,
    "past": past.questions,
    "follow": following.streams,
}
COLUMNS = ("work", "figure", "beside", "times", "to reach")
WIDTHS = (74, 16, 28, 14, 10)


def main() -> None:
    """Print one row for each measurement."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and print a table.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}; all of them by default")
    parser.add_argument("--runs", type=int, default=1, help="how many times each is run")
    given = parser.parse_args()
    if unknown := {*given.names} - ALL.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    print(f"{describe_machine()}\n\n{_row(COLUMNS)}\n{_row(tuple('-' * width for width in WIDTHS))}", flush=True)
    for name in given.names or ALL:
        for figures in zip(*(_run(name) for _ in range(given.runs)), strict=True):
            print(_row(_cells(figures)), flush=True)


def describe_machine() -> str:
    """What the figures were measured on, and when."""
    git = subprocess.run(["git", "version"], check=True, capture_output=True, text=True).stdout.split()[2]
    parts = (
        datetime.now(UTC).date().isoformat(),
        f"{os.cpu_count()} cores of {_line('cpuinfo', 'model name')}, memory {_line('meminfo', 'MemTotal')}",
        f"{platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}, DuckDB {version('duckdb')}, git {git}",
    )
    return "; ".join(parts)


def _line(file: str, name: str) -> str:
    """What a file of /proc tells of the machine (proc(5))."""
    place = Path("/proc") / file
    lines = place.read_text(encoding="utf-8").splitlines() if place.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "unknown")


def _run(name: str) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        return list(ALL[name](Path(folder)))


def _cells(figures: tuple[Figure, ...]) -> tuple[str, ...]:
    """One row of as many runs as there were; what is the same in each is told once."""
    first = figures[0]
    told = ([one.measured for one in figures], [one.beside for one in figures], [one.times for one in figures])
    return (first.work, *(" / ".join(dict.fromkeys(cell)) for cell in told), first.target)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True))} |"


if __name__ == "__main__":
    main()
