"""What small pieces of work cost, in instructions: a busy machine moves no count. A fifth more than the baseline fails.

Valgrind counts them, without what git does. A baseline holds for one Python, one kind of processor and the versions in
`constraints.txt`: `pytest -n 0 -m slow tests/cli/test_instructions.py --update-golden` writes it, and drops older ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import configs
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
BASELINES = ROOT / "tests" / "golden" / "instructions.json"
TOLERANCE = 1.2
FILES = 300
PROGRAM = "import sys; sys.argv[0] = 'reconciler'; from reconciler.cli.main import main; main()"
WORK = {
    "show the help": ("--help",),
    f"validate {FILES} files": ("validate",),
    f"plan one change among {FILES} files": ("plan", "--base", "HEAD~1"),
}
CODES = {"plan": 2}
COUNT = re.compile(r"Collected : (\d+)")


def lock() -> str:
    """The locked versions, by a digest."""
    return hashlib.sha256((ROOT / "constraints.txt").read_bytes()).hexdigest()[:12]


def machine() -> str:
    """What runs the instructions."""
    return f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"


def read_baselines() -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = json.loads(BASELINES.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    """Many plain files in a commit, and one of them changed in the next."""
    made = GitRepo.create(tmp_path_factory.mktemp("counted") / "config")
    made.commit({f"users/u{number}.yaml": configs.user(f"u{number}") for number in range(FILES)})
    made.commit({"users/u0.yaml": configs.user("u0", risk=0.75)})
    return made


def variables(cache: Path) -> Mapping[str, str]:
    """What is the same in every run; byte code is in a folder of our own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(cache),
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONPYCACHEPREFIX": str(cache),
        "PYTHONPATH": str(ROOT),
    }


def count(arguments: tuple[str, ...], folder: Path, cache: Path) -> int:
    """The instructions of a command that was run before, so that its byte code is there and none is written."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        said = "valgrind is not there (apt-get install valgrind)"
        if os.environ.get("REQUIRE_VALGRIND_TESTS") == "1":
            pytest.fail(said)
        pytest.skip(said)
    command, environment = (sys.executable, "-c", PROGRAM, *arguments), variables(cache)
    for before, more in (
        ((), {}),
        ((valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"), {"PYTHONDONTWRITEBYTECODE": "1"}),
    ):
        done = subprocess.run(
            (*before, *command), cwd=folder, env={**environment, **more}, capture_output=True, text=True, check=False
        )
        assert done.returncode == CODES.get(arguments[0], 0), done.stderr
    found = COUNT.search(done.stderr)
    assert found, done.stderr
    return int(found[1])


@pytest.mark.parametrize("work", WORK)
def test_no_work_takes_a_fifth_more_instructions(
    work: str, repo: GitRepo, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    counted = count(WORK[work], repo.path, tmp_path)
    baselines = read_baselines()
    if request.config.getoption("--update-golden"):
        kept = {lock(): baselines.get(lock(), {})}
        kept[lock()].setdefault(machine(), {})[work] = counted
        BASELINES.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return
    known = baselines.get(lock(), {}).get(machine(), {}).get(work)
    if known is None:
        pytest.skip(f"no baseline for {machine()} with constraints {lock()}: counted {counted:,}; --update-golden")
    assert counted <= known * TOLERANCE, f"{counted / known:.2f} times the baseline: {counted:,} instead of {known:,}"


def test_ci_insists() -> None:
    assert "REQUIRE_VALGRIND_TESTS=1" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
