"""The Windows service, as far as it shows without Windows: what the manager would be told, and the loop it runs."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.windows.plan import HOST_MODULE, Grant, Installation, plan_service
from reconciler.cli import windowsservice
from reconciler.cli.commands.service import NAME, find_installation
from reconciler.cli.main import run
from reconciler.settings import load
from reconciler.values import replace
from tests.docs.markdown import ROOT
from tests.support.gitrepo import GitRepo
from tests.support.patience import DEADLINE, until

if TYPE_CHECKING:
    from pathlib import Path

VENV = r"C:\Program Files\reconciler\venv"
BASE = r"C:\Program Files\Python312"
FOUND = Installation(
    python=rf"{VENV}\Scripts\python.exe",
    base_python=rf"{BASE}\python.exe",
    program_folders=(VENV, BASE),
    settings=r"D:\Ann's desk.host\reconciler.toml",
    state=r"D:\Ann's desk.host\state",
    repository=r"D:\Ann's desk.git",
)
PLAN = plan_service("reconciler", FOUND)


def test_the_process_is_the_one_that_the_manager_starts() -> None:
    """The python of a venv would start another one; what it would tell that one is in the environment."""
    assert PLAN.command == (FOUND.base_python, "-P", "-m", HOST_MODULE, "reconciler", FOUND.settings)
    file = r"D:\Ann's desk.host\reconciler.toml"
    assert PLAN.command_line == f'"{FOUND.base_python}" -P -m {HOST_MODULE} reconciler "{file}"'
    assert PLAN.environment == (f"__PYVENV_LAUNCHER__={FOUND.python}",)
    assert (ROOT / f"{HOST_MODULE.replace('.', '/')}.py").is_file()


def test_without_a_venv_nothing_has_to_be_told() -> None:
    plain = plan_service("reconciler", replace(FOUND, python=rf"{BASE}\PYTHON.exe"))
    assert plain.environment == ()


def test_it_has_an_account_of_its_own_with_few_rights() -> None:
    assert PLAN.account == r"NT SERVICE\reconciler"
    assert PLAN.grants == (
        Grant(VENV, "RX"),
        Grant(BASE, "RX"),
        Grant(r"D:\Ann's desk.host", "RX"),
        Grant(r"D:\Ann's desk.git", "RX"),
        Grant(r"D:\Ann's desk.host\state", "M"),
    )
    first, *_, last = PLAN.programs
    assert first == ("icacls.exe", VENV, "/grant", r"NT SERVICE\reconciler:(OI)(CI)RX", "/Q")
    assert last[:5] == ("git.exe", "config", "--system", "--replace-all", "safe.directory")
    assert last[5:] == ("D:/Ann's desk.git", r"^D:/Ann\'s desk\.git$")


def test_a_repository_elsewhere_needs_no_rights() -> None:
    elsewhere = plan_service("reconciler", replace(FOUND, repository=""))
    assert {one.folder for one in elsewhere.grants} == {VENV, BASE, r"D:\Ann's desk.host", FOUND.state}
    assert all(program[0] == "icacls.exe" for program in elsewhere.programs)


def test_it_is_started_again_when_it_fails() -> None:
    assert PLAN.restart_delays[0] == 10_000
    assert list(PLAN.restart_delays) == sorted(PLAN.restart_delays)


def test_two_services_differ_in_all_that_is_theirs() -> None:
    other = plan_service("lab", FOUND)
    assert (other.name, other.title, other.account) == ("lab", "reconciler (lab)", r"NT SERVICE\lab")
    assert other.command[4] == "lab"


def test_names() -> None:
    assert all(NAME.fullmatch(name) for name in ("reconciler", "desk-2", "a.b_c"))
    assert not any(NAME.fullmatch(name) for name in ("", "a b", "a/b", "a\\b", "-a", "a" * 81, "ü"))


@pytest.mark.parametrize("words", [("install",), ("remove",), ("install", "--name", "lab")])
def test_on_another_system_it_says_what_to_use(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert run(("service", *words)) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "on Windows only" in told.err
    assert "systemd" in told.err


def test_where_things_are(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "desk")
    file = tmp_path / "reconciler.toml"
    file.write_text(f"repository.url = '{repo.path}'\nstate.dir = '{tmp_path / 'state'}'\n", encoding="utf-8")
    found = find_installation(file, load(file, {}))
    assert (found.settings, found.state) == (str(file), str(tmp_path / "state"))
    assert found.repository == str(repo.path)
    assert found.python != found.base_python, "tests run in a venv"
    assert len(found.program_folders) == 2


def test_a_long_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windowsservice, "MAX_LOG", 3)
    for text in ("one\n", "two\n", "x"):
        with windowsservice.open_log(tmp_path / "state") as log:
            log.write(text)
    assert (tmp_path / "state/service.log").read_text(encoding="utf-8") == "x"
    assert (tmp_path / "state/service.log.1").read_text(encoding="utf-8") == "two\n"


@pytest.mark.slow
def test_it_works_until_it_is_asked_to_end(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "desk")
    repo.commit({"README.md": "x"})
    file = tmp_path / "reconciler.toml"
    text = f"repository.url = '{repo.path}'\nstate.dir = '{tmp_path / 'state'}'\nhttp.listen = '127.0.0.1:0'\n"
    file.write_text(f"{text}redis.url = 'none'\nhistory.url = 'none'\n", encoding="utf-8")
    log, asked = io.StringIO(), threading.Event()
    gave_up: list[bool] = []
    arguments = ("reconciler", file, log, asked, lambda: gave_up.append(True))
    thread = threading.Thread(target=windowsservice.serve, args=arguments, name="service")
    thread.start()
    try:
        until(lambda: "Applied" in log.getvalue(), log.getvalue)
    finally:
        asked.set()
        thread.join(DEADLINE)
    assert not thread.is_alive()
    assert gave_up == []
