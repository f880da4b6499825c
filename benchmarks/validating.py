"""How long validating a working tree takes, as a whole process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, process, repository, run, typical, user_files

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = Path(__file__).parents[1] / "schemas" / "user.schema.json"
FILES = 10_000
WATCHED = 100_000


def start(folder: Path) -> Iterator[Figure]:
    """What a single file costs: the start of the program."""
    repo = repository(folder, user_files(1))
    repo.checkout()
    yield Figure("validate one file", f"{typical(repo.path, folder / 'state', 'validate'):.2f} s", "0.25 s")


def many_files(folder: Path) -> Iterator[Figure]:
    """A large working tree."""
    repo = repository(folder, user_files(FILES))
    repo.checkout()
    seconds = typical(repo.path, folder / "state", "validate", times=3)
    yield Figure(f"validate {FILES:,} files", f"{seconds:.2f} s", "-")


def beside_check_jsonschema(folder: Path) -> Iterator[Figure]:
    """The same files with check-jsonschema, which knows one schema and nothing between files.

    The two take turns, so that whatever else the machine does slows both.
    """
    repo = repository(folder, user_files(FILES))
    repo.checkout()
    files = [str(file) for file in sorted(repo.path.rglob("*.yaml"))]
    ours, theirs = [], []
    for _ in range(3):
        ours += [run(repo.path, folder / "state", "validate") for _ in range(2)]
        theirs.append(process(sys.executable, "-m", "check_jsonschema", "--schemafile", str(SCHEMA), *files))
    yield Figure(f"validate {FILES:,} files", f"{median(ours):.2f} s", "-")
    yield Figure("  the same with check-jsonschema", f"{median(theirs):.2f} s", "-")
    yield Figure("  times as fast", f"{median(theirs) / median(ours):.1f}", "8")


def watch(folder: Path) -> Iterator[Figure]:
    """From an edit of one file to the line that counts, the pause included in which more edits may come."""
    repo = repository(folder, user_files(WATCHED))
    repo.checkout()
    file = repo.path / "users" / "000" / "u000007.yaml"
    text = file.read_text(encoding="utf-8")
    command = [sys.executable, "-m", "reconciler", "validate", "--watch", "--quiet"]
    seconds = []
    with subprocess.Popen(command, cwd=repo.path, stdout=subprocess.PIPE) as watching:
        assert watching.stdout is not None
        watching.stdout.readline()
        for number in range(9):
            time.sleep(0.5)
            began = time.perf_counter()
            file.write_text(text.replace("max_open_trades: 4", f"max_open_trades: {number + 1}"), encoding="utf-8")
            watching.stdout.readline()
            seconds.append(time.perf_counter() - began)
        watching.terminate()
    yield Figure(f"an edit answered, {WATCHED:,} files under watch", f"{median(seconds) * 1000:.0f} ms", "200 ms")
