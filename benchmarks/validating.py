"""How long validating a working tree takes, as a whole process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, process, repository, run, user_files

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = Path(__file__).parents[1] / "schemas" / "user.schema.json"
AJV = Path(__file__).parent / "ajv" / "node_modules" / ".bin" / "ajv"
"""Made by `npm ci --prefix benchmarks/ajv`."""
FILES = 10_000
WATCHED = 100_000


def beside_peers(folder: Path) -> Iterator[Figure]:
    """The same files with ajv-cli and check-jsonschema, which know one schema and nothing between files.

    All take turns, so that whatever else the machine does slows each of them.
    """
    repo = repository(folder, user_files(FILES))
    repo.checkout()
    files = [str(file) for file in sorted(repo.path.rglob("*.yaml"))]
    ours, ajv, check_jsonschema = [], [], []
    for _ in range(3):
        ours += [run(repo.path, folder / "state", "validate") for _ in range(2)]
        if AJV.exists():
            options = ("--spec=draft2020", "-c", "ajv-formats", "--strict=false", "-s", str(SCHEMA))
            ajv.append(process(str(AJV), "validate", *options, "-d", f"{repo.path}/users/**/*.yaml"))
        check_jsonschema.append(process(sys.executable, "-m", "check_jsonschema", "--schemafile", str(SCHEMA), *files))
    took = median(ours)
    yield Figure(f"validate {FILES:,} files", f"{took:.2f} s")
    for name, theirs, target in (("ajv-cli", ajv, "1.5 x"), ("check-jsonschema", check_jsonschema, "20 x")):
        if theirs:
            peer = median(theirs)
            times = f"{peer / took:.2f} x as fast"
            yield Figure(f"  beside {name}", f"{took:.2f} s", target, f"{peer:.2f} s", times)
        else:
            yield Figure(f"  beside {name}", f"{took:.2f} s", target, "not installed")


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
