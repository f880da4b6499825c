"""The Dockerfile: its manners, and that what it copies is enough to build and run from. No Docker engine is needed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from reconciler import __version__, settings
from reconciler.cli.main import COMMANDS
from tests.deploy.dockerfiles import Ignore, context, instructions
from tests.docs.markdown import ROOT, read

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
ALL = instructions(read("Dockerfile"))
FINAL = [one for one in ALL if one.stage == ALL[-1].stage]
PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
PORT = "8642"


def final(name: str) -> list[str]:
    """What follows an instruction in the stage that becomes the image."""
    return [one.text for one in FINAL if one.name == name]


def environment() -> dict[str, str]:
    return dict(re.findall(r'(\w+)="?([^"\s]+)"?', " ".join(final("ENV"))))


def tracked() -> list[PurePosixPath]:
    """What is committed or about to be."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(asked, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [PurePosixPath(name) for name in listing.split("\0") if name and (ROOT / name).is_file()]


def test_the_linter_has_nothing_against_it(tmp_path: Path) -> None:
    def lint(file: Path) -> str:
        done = subprocess.run([BIN / "hadolint", file], capture_output=True, encoding="utf-8", check=False)
        return done.stdout + done.stderr

    assert lint(ROOT / "Dockerfile") == ""
    wrong = tmp_path / "Dockerfile"
    wrong.write_text(read("Dockerfile").replace("# hadolint ignore=DL3008\n", ""), encoding="utf-8")
    assert "DL3008" in lint(wrong), "the linter looks at nothing"


def test_both_stages_stand_on_one_base_that_can_be_another() -> None:
    assert ALL[0].name == "ARG"
    base = re.fullmatch(r"BASE=python:(\d+\.\d+)-slim-\w+", ALL[0].text)
    assert base, "a slim image of one Python, which can be replaced"
    assert f"Programming Language :: Python :: {base[1]}" in PROJECT["classifiers"]
    assert [one.text for one in ALL if one.name == "FROM"] == ["${BASE} AS build", "${BASE}"]


def test_nobody_is_root_in_it() -> None:
    user, group = final("USER")[-1].split(":")
    assert int(user) >= 10_000
    assert int(group) >= 10_000
    made = " ".join(final("RUN"))
    assert f"--gid {group} reconciler" in made
    assert f"--uid {user} --gid reconciler" in made
    last = max(number for number, one in enumerate(FINAL) if one.name in {"RUN", "COPY", "ADD"})
    assert last < [one.name for one in FINAL].index("USER"), "files of its own that the daemon could change"
    assert "--chown" not in " ".join(final("COPY"))


def test_the_root_file_system_may_be_read_only() -> None:
    known = environment()
    assert known["PYTHONDONTWRITEBYTECODE"] == "1"
    assert json.loads(final("VOLUME")[0]) == [known["RECONCILER_STATE_DIR"]]
    assert f"--mode 0700 --owner reconciler --group reconciler {known['RECONCILER_STATE_DIR']}" in final("RUN")[-1]
    assert known["TMPDIR"] == "/tmp"


def test_byte_code_of_the_standard_library_is_in_it(tmp_path: Path) -> None:
    """Run as it is written, on a copy of some modules that imports find."""
    command = next(text for text in final("RUN") if "compileall" in text)
    assert re.search(r"\bPIP_NO_COMPILE\b|--no-compile\b", read("Dockerfile")) is None, "pip compiles what it installs"
    library = tmp_path / "lib" / "python3"
    for name in ("os.py", "json/__init__.py", "site-packages/other.py", "test/broken.py"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text("not Python" if "broken" in name else "", encoding="utf-8")
    with_python = tmp_path / "bin" / "python"
    with_python.parent.mkdir()
    with_python.write_text(
        f'#!/bin/sh\ncase "$1" in -c) echo "{library}" ;; *) exec "{sys.executable}" "$@" ;; esac\n', encoding="utf-8"
    )
    with_python.chmod(0o755)
    subprocess.run(["sh", "-c", command], env={"PATH": f"{with_python.parent}:/usr/bin:/bin"}, check=True)
    found = {str(file.relative_to(library).parent.parent) for file in library.rglob("*.pyc")}
    assert found == {".", "json"}


def test_it_runs_the_daemon_and_stops_it_politely() -> None:
    assert json.loads(final("ENTRYPOINT")[0]) == ["reconciler"]
    command = json.loads(final("CMD")[0])
    assert command[0] in COMMANDS
    assert final("STOPSIGNAL") == ["SIGTERM"]
    assert final("EXPOSE") == [PORT]
    assert settings.BY_NAME["http.listen"].default.endswith(f":{PORT}")


def test_variables_are_settings() -> None:
    variables = {setting.variable for setting in settings.SETTINGS}
    assert {name for name in environment() if name.startswith(settings.PREFIX)} <= variables


def test_labels_are_those_of_the_project() -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', final("LABEL")[0]))
    assert labels["title"] == PROJECT["name"]
    assert labels["description"] == PROJECT["description"]
    assert labels["licenses"] == PROJECT["license"]
    assert {labels["version"], labels["revision"]} == {"${VERSION}", "${REVISION}"}


def test_git_and_ssh_come_along() -> None:
    installed = next(text for text in final("RUN") if "apt-get install" in text)
    assert {"git", "openssh-client", "ca-certificates"} <= set(installed.split())
    assert "--no-install-recommends" in installed
    assert installed.endswith("rm -rf /var/lib/apt/lists/*")


def test_nothing_secret_is_built_in() -> None:
    for one in ALL:
        if one.name in {"ARG", "ENV"}:
            assert not re.search(r"password|token|secret|credential|key", one.text, re.IGNORECASE)
    ignore = Ignore(read(".dockerignore"))
    out = (".git/config", ".env", "deploy/compose/secrets/history-url", "deploy/compose/.env", "reconciler.toml", "id")
    for path in (*out, "reconciler/.env", "state.duckdb", "tests/conftest.py", "reconciler/__pycache__/errors.pyc"):
        assert not ignore.lets_in(PurePosixPath(path)), path


@pytest.mark.slow
def test_what_is_let_in_is_enough_to_build_and_run(tmp_path: Path) -> None:
    """The wheel out of the build's context is that of the checkout, and works where nothing else of it is."""
    sources, wheels, place = tmp_path / "src", tmp_path / "wheels", tmp_path / "place"
    files = tracked()
    let_in = context(ROOT, files, sources)
    for one in ALL:
        if one.name == "COPY" and "--from" not in one.text and not one.text.endswith(". ."):
            assert one.text.split()[-2] in let_in
    run([BIN / "hatchling", "build", "--target", "wheel", "--directory", wheels], cwd=sources)
    wheel = next(wheels.iterdir())
    assert wheel.name.startswith(f"reconciler-{__version__}-")
    shutil.unpack_archive(wheel, place, "zip")
    shipped = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    whole = {str(file) for file in files if file.parts[0] == "reconciler"}
    data = {
        f"reconciler/_data/{file}" for file in files if file.parts[0] in {"schemas", "scaffold", "config-repo-example"}
    }
    assert whole | data <= shipped
    told = [sys.executable, "-m", "reconciler"]
    alone = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    assert run([*told, "--version"], cwd=tmp_path, env=alone) == f"reconciler, version {__version__}\n"
    example = place / "reconciler" / "_data" / "config-repo-example"
    assert "no problems" in run([*told, "validate", "--repo", str(example)], cwd=tmp_path, env=alone)
    assert f"{place}" in run(
        [sys.executable, "-c", "import reconciler; print(reconciler.__file__)"], cwd=tmp_path, env=alone
    )
    _assert_a_newcomer_gets_along(told, alone, tmp_path / "elsewhere", wheel)


def _assert_a_newcomer_gets_along(told: list[str], alone: dict[str, str], folder: Path, wheel: Path) -> None:
    """`demo`, `init` and `validate` from the wheel, away from the checkout; the wheel that init writes is the same."""
    folder.mkdir()
    assert "Yours next" in run([*told, "demo"], cwd=folder, env=alone)
    run([*told, "init", "desk", "--template", "desk"], cwd=folder, env=alone)
    assert run([*told, "validate", "--repo", "desk"], cwd=folder, env=alone) == "8 resources in 8 files: no problems\n"
    (written,) = (folder / "desk/.reconciler/program").iterdir()
    assert written.name == wheel.name
    ours, built = contents(written), contents(wheel)
    assert ours.keys() == built.keys()
    assert {name.rpartition("/")[2] for name in ours if ours[name] != built[name]} <= {"RECORD", "WHEEL"}


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def run(command: list[str | Path], *, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Answers(BaseHTTPRequestHandler):
    """A daemon that is alive, or not."""

    status = HTTPStatus.OK

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else HTTPStatus.NOT_FOUND)
        self.end_headers()
        self.wfile.write(b"the word of the daemon")

    def log_message(self, *_: object) -> None:
        """Nothing: stderr is not for that."""


class Ill(Answers):
    status = HTTPStatus.SERVICE_UNAVAILABLE


@pytest.fixture
def state(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The state folder of a daemon that answers as the parameter does."""
    server = HTTPServer(("127.0.0.1", 0), request.param)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    announced = json.dumps({"pid": 1, "address": f"127.0.0.1:{server.server_port}", "token": "t"})
    (tmp_path / "daemon.json").write_text(announced, encoding="utf-8")
    yield tmp_path
    server.shutdown()
    thread.join()
    server.server_close()


def checked(state: Path) -> tuple[int, str]:
    """The exit code and the output of the health check."""
    assert json.loads(final("HEALTHCHECK")[0].partition("CMD ")[2]) == [final("COPY")[-1].split()[-1]]
    script = ROOT / final("COPY")[-1].split()[-2]
    known = {**os.environ, "RECONCILER_STATE_DIR": str(state), "http_proxy": "http://127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, "-IS", script], env=known, capture_output=True, encoding="utf-8", timeout=20, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("state", [Answers], indirect=True)
def test_a_daemon_that_is_alive_is_healthy(state: Path) -> None:
    assert checked(state) == (0, "200 the word of the daemon\n")


@pytest.mark.parametrize("state", [Ill], indirect=True)
def test_a_daemon_that_is_stuck_is_not(state: Path) -> None:
    assert checked(state) == (1, "503 the word of the daemon\n")


def test_no_daemon_is_not_healthy_either(tmp_path: Path) -> None:
    assert checked(tmp_path)[0] == 1
    (tmp_path / "daemon.json").write_text('{"address": "127.0.0.1:1"}', encoding="utf-8")
    assert checked(tmp_path)[0] == 1
    (tmp_path / "daemon.json").write_text('{"add', encoding="utf-8")
    assert checked(tmp_path)[0] == 1


def test_it_is_built_and_tried_by_ci() -> None:
    """`.ci/image` does, with a base of its own and in the one format that has a place for the health check."""
    script = read(".ci/image")
    assert read(".ci/run").rstrip().endswith(".ci/image")
    assert os.access(ROOT / ".ci/image", os.X_OK)
    assert "--format docker --build-arg BASE=" in script
    assert "-- healthcheck" in script
