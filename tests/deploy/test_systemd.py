"""deploy/systemd, by systemd's own tools: without them it is skipped, but not where REQUIRE_SYSTEMD_TESTS=1 says so."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from reconciler import settings
from reconciler.cli.main import COMMANDS
from tests.docs.markdown import ROOT, read

UNIT = "deploy/systemd/reconciler.service"
PROGRAM = "/opt/reconciler/bin/reconciler"
MOST_EXPOSED = 20
"""Of 100, as `systemd-analyze security` counts: 15 with systemd 252, and what later ones look at besides."""


class Unit(configparser.ConfigParser):
    """A unit file, as far as each name stands there once."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unit() -> Unit:
    parsed = Unit(strict=False, interpolation=None)
    parsed.read_string(read(UNIT))
    return parsed


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze; a skip, or a failure, when there is none."""
    program = shutil.which("systemd-analyze")
    if program is None:
        said = "systemd-analyze is not there (apt-get install systemd)"
        if os.environ.get("REQUIRE_SYSTEMD_TESTS") == "1":
            pytest.fail(said)
        pytest.skip(said)
    command = [program, *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit with the program of this environment in the place of the installed one."""
    file = tmp_path / "reconciler.service"
    text = read(UNIT)
    assert text.count(f"{PROGRAM} ") == 1
    file.write_text(text.replace(PROGRAM, str(Path(sys.executable).parent / "reconciler")), encoding="utf-8")
    return file


def test_systemd_has_nothing_against_it(installed: Path) -> None:
    done = analyze("verify", "--man=no", installed)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    installed.write_text(
        installed.read_text(encoding="utf-8").replace("ProtectHome=", "ProtectHouse="), encoding="utf-8"
    )
    assert "ProtectHouse" in analyze("verify", "--man=no", installed).stderr, "systemd looks at nothing"


def test_it_is_hardly_exposed(installed: Path) -> None:
    done = analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSED}", "--no-pager", installed)
    assert done.returncode == 0, done.stdout
    weaker = installed.read_text(encoding="utf-8").replace("SystemCallFilter=", "# ")
    installed.write_text(weaker, encoding="utf-8")
    assert analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSED}", "--no-pager", installed).returncode != 0


def test_it_runs_the_daemon_with_the_settings_that_are_installed() -> None:
    program, command, option, file = unit()["Service"]["ExecStart"].split()
    assert (program, option, file) == (PROGRAM, "--config", "/etc/reconciler/reconciler.toml")
    assert command in COMMANDS


def test_it_ends_as_the_daemon_does() -> None:
    service = unit()["Service"]
    assert service["KillSignal"] == "SIGTERM"
    assert service["KillMode"] == "mixed", "its children are its own to end"
    assert int(service["TimeoutStopSec"].removesuffix("s")) > 5
    assert service["Restart"] == "on-failure"
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"


def test_the_state_folder_is_its_own() -> None:
    service = unit()["Service"]
    user = read("deploy/systemd/reconciler.sysusers.conf").splitlines()[-1].split()
    assert user[:2] == ["u", service["User"]]
    assert user[-1] == f"/var/lib/{service['StateDirectory']}" == example()["state"]["dir"]
    assert service["StateDirectoryMode"] == "0700"


def test_secrets_are_credentials() -> None:
    name, folder = unit()["Service"]["LoadCredential"].split(":")
    assert folder == "/etc/reconciler/secrets"
    given = {f"{section}.{key}": value for section, table in example().items() for key, value in table.items()}
    assert set(given) <= set(settings.BY_NAME)
    for setting, value in given.items():
        is_file = value.startswith(f"file:/run/credentials/reconciler.service/{name}_")
        assert is_file == settings.BY_NAME[setting].secret, setting
    page = read("docs/deploy.md")
    for value in given.values():
        if value.startswith("file:"):
            assert f"{folder}/{value.rpartition(f'{name}_')[2]}" in page


def test_no_secret_stands_in_the_unit() -> None:
    assert not re.search(r"(password|token|://)", read(UNIT), re.IGNORECASE)


def test_ci_insists() -> None:
    assert "REQUIRE_SYSTEMD_TESTS=1" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def example() -> dict[str, dict[str, str]]:
    return tomllib.loads(read("deploy/systemd/reconciler.toml"))
