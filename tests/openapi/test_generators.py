"""The document of a running daemon in generators of clients, and what they generate at work.

`npm ci --prefix tests/openapi` installs those of TypeScript. Without it their tests are skipped, unless
REQUIRE_OPENAPI_TESTS is 1.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from reconciler.service.endpoints import ENDPOINTS
from tests.support.daemons import running
from tests.support.gitrepo import GitRepo
from tests.support.patience import DEADLINE
from tests.web.desk import example_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
NODE_PROGRAMS = HERE / "node_modules" / ".bin"
PROXIES = {"NO_PROXY": "*", "no_proxy": "*"}
TYPESCRIPT = {
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "target": "ES2022",
        "lib": ["ES2022", "DOM", "DOM.Iterable"],
        "module": "ESNext",
        "moduleResolution": "bundler",
        "types": [],
    },
    "include": ["client"],
}
IMPORT_ALL = """
import importlib, pkgutil
import desk_client
for module in pkgutil.walk_packages(desk_client.__path__, "desk_client."):
    print(module.name)
    importlib.import_module(module.name)
"""
"""Importing what a program needs would not find a module that cannot be imported."""


@dataclass(frozen=True)
class Served:
    """A daemon, its document in a file, and the commit that is live."""

    daemon: RunningDaemon
    file: Path
    commit: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all tests of this file."""
    folder = tmp_path_factory.mktemp("openapi")
    repo = GitRepo.create(folder / "desk")
    commit = repo.commit(example_files(), "Begin")
    with running(repo.path, folder / "state") as daemon:
        daemon.await_live(commit)
        file = folder / "openapi.json"
        with urlopen(f"http://{daemon.client().address}/openapi.json", timeout=DEADLINE) as answer:
            file.write_bytes(answer.read())
        yield Served(daemon, file, commit)


def _run(folder: Path, *command: str | Path, **environment: str) -> str:
    """Run a command in a folder; what it printed. It has to end well."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=2 * DEADLINE,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _node_program(name: str) -> str:
    """A program of an npm package."""
    found = shutil.which(name, path=str(NODE_PROGRAMS))
    missing = "node is not installed" if shutil.which("node") is None else "run `npm ci --prefix tests/openapi`"
    if found is None or shutil.which("node") is None:
        assert os.environ.get("REQUIRE_OPENAPI_TESTS") != "1", missing
        pytest.skip(missing)
    return found


def _compile(folder: Path) -> None:
    """Let TypeScript check the types of everything that was generated."""
    (folder / "tsconfig.json").write_text(json.dumps(TYPESCRIPT), encoding="utf-8")
    listed = _run(folder, _node_program("tsc"), "--project", "tsconfig.json", "--listFilesOnly").splitlines()
    assert any("client" in Path(file).parts for file in listed), listed
    assert _run(folder, _node_program("tsc"), "--project", "tsconfig.json") == ""


@pytest.mark.timeout(600)
def test_a_python_client_is_generated_and_talks_to_the_daemon(served: Served, tmp_path: Path) -> None:
    scripts = sysconfig.get_path("scripts")
    said = _run(
        tmp_path,
        Path(scripts) / "openapi-python-client",
        *("generate", "--path", served.file, "--output-path", "desk_client", "--meta", "none", "--fail-on-warning"),
        PATH=os.pathsep.join((scripts, os.environ["PATH"])),  # it formats with ruff
    )
    assert said.splitlines() == ["Generating desk_client"], "nothing of the document is dropped"
    operations = {file.stem for file in tmp_path.glob("desk_client/api/*/*.py")} - {"__init__"}
    assert len(operations) == len(ENDPOINTS)

    python = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", **PROXIES}
    imported = _run(tmp_path, sys.executable, "-W", "error", "-c", IMPORT_ALL, **python)
    assert "desk_client.models.status" in imported.splitlines()
    client = served.daemon.client()
    program = (sys.executable, "-W", "error", HERE / "program.py", client.address, client.token)
    status = client.status()
    assert json.loads(_run(tmp_path, *program, **python)) == {
        "repository": status["repository"],
        "is_synced": True,
        "applied": served.commit,
        "page": ["User", 1, True],
        "risk": 0.75,
        "result": ["a", [[1]]],
        "refused": "usage",
    }


@pytest.mark.timeout(600)
def test_hey_api_generates_a_client(served: Served, tmp_path: Path) -> None:
    generator = _node_program("openapi-ts")
    _run(tmp_path, generator, "--input", served.file, "--output", "client", "--no-log-file")
    assert "getStatus" in (tmp_path / "client" / "sdk.gen.ts").read_text(encoding="utf-8")
    _compile(tmp_path)


@pytest.mark.timeout(600)
def test_openapi_typescript_generates_types(served: Served, tmp_path: Path) -> None:
    generator = _node_program("openapi-typescript")
    _run(tmp_path, generator, served.file, "--output", "client/schema.ts")
    assert '"/v1/status"' in (tmp_path / "client" / "schema.ts").read_text(encoding="utf-8")
    _compile(tmp_path)


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((HERE / "package-lock.json").read_bytes())
    assert not any("resolved" in package for package in lock["packages"].values())
    wanted = json.loads((HERE / "package.json").read_bytes())["devDependencies"]
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted
