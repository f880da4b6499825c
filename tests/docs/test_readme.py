"""README.md is a session, and what it says of `make` is so."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.docs.markdown import EXAMPLE, blocks, read
from tests.docs.session import TOUR, Terminal, environment, matches, normal
from tests.support.daemons import until

README = read("README.md")

NOT_RUN = frozenset(
    {
        "make run",  # its output is compared with that of the command it runs, below
        "make test",  # would run this test
        "python -m venv .venv",
        '.venv/bin/pip install ".[embedded]"',
        r'.venv\Scripts\pip install ".[embedded]"',
    }
)


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the tour prints, by the console script."""
    folder = tmp_path_factory.mktemp("tour")
    done = subprocess.run(
        TOUR.split(),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory, tour: str) -> Terminal:
    checkout = tmp_path_factory.mktemp("readme") / "checkout"
    shutil.copytree(EXAMPLE, checkout / "config-repo-example")
    return Terminal(checkout, tour, NOT_RUN)


@pytest.mark.slow
def test_the_session_of_the_readme(terminal: Terminal) -> None:
    for block in blocks(README):
        terminal.follow(block)
        told, real = normal("\n".join(terminal.told)), normal("\n".join(terminal.real))
        if block.language != "python":  # its output is the block after it
            assert matches(told, real), "\n".join(["told:", *told, "", "real:", *real])
    terminal.finish()
    assert sum(line.startswith("$ reconciler sync") for line in terminal.real) >= 3
    assert terminal.skipped == NOT_RUN, "a command of the list is not in the README any more"


@pytest.mark.slow
def test_make_run_shows_what_is_told(tmp_path: Path) -> None:
    """The daemon of `make run`; what it says to type in another terminal is typed there."""
    told = next(block.body for block in blocks(README, "console") if block.body.startswith("$ make run\n"))
    command = next(line for line in read("Makefile").splitlines() if "reconciler run" in line).partition("/")[2]
    assert f"\nrun: setup\n\t@$(BIN)/{command}\n" in read("Makefile")
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "reconciler").symlink_to(Path(sys.executable).with_name("reconciler"))
    said = _followed([f".venv/bin/{command.split()[0]}", *command.split()[1:]], tmp_path)
    place = re.compile(r"=\S+/\.run/config|(?<=127\.0\.0\.1:)\d+")
    real = normal(place.sub("", said))
    assert real.pop().endswith(" INFO  Stopping")
    assert sorted(real) == sorted(normal(place.sub("", told.partition("\n")[2])))


def _followed(command: list[str], folder: Path) -> str:
    """What a daemon on the example says, until what it told to type has gone live."""
    alone = {"RECONCILER_HTTP_LISTEN": "127.0.0.1:0", "RECONCILER_HISTORY_URL": "none", "RECONCILER_REDIS_URL": "none"}
    without = [one for one in os.environ["PATH"].split(os.pathsep) if not (Path(one) / "reconciler").exists()]
    around = {**environment(folder), **alone, "PATH": os.pathsep.join(without)}
    said = folder / "said"
    with said.open("wb") as stream:
        daemon = subprocess.Popen(command, cwd=folder, env=around, stderr=stream)
    try:
        until(lambda: said.read_text(encoding="utf-8").count(" Applied ") == 1, said.read_text)
        change, look = (line for line in said.read_text(encoding="utf-8").splitlines() if line.startswith("  "))
        subprocess.run(["bash", "-c", change], cwd=folder, env=around, capture_output=True, timeout=60, check=True)
        until(lambda: said.read_text(encoding="utf-8").count(" Applied ") == 2, said.read_text)
        shown = subprocess.run(
            ["bash", "-c", look], cwd=folder, env=around, capture_output=True, timeout=60, check=True
        )
        assert b"risk_per_trade_percent    0.5 percent\n" in shown.stdout
    finally:
        daemon.send_signal(signal.SIGINT)
        code = daemon.wait(60)
    assert code == 130
    return said.read_text(encoding="utf-8")


def recipe(target: str) -> list[str]:
    """The lines of a target of the Makefile that are run."""
    found = re.search(rf"^{target}:(?: .*)?\n((?:\t.*\n)+)", read("Makefile"), re.MULTILINE)
    assert found, target
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in found[1].splitlines()]


def test_make_test_runs_what_is_told() -> None:
    told = next(block.body for block in blocks(README, "console") if block.body.startswith("$ make test\n"))
    commands = [line for line in told.splitlines() if line.startswith(".venv/bin/")]
    *ruff, both_types, contracts = recipe("lint")
    assert both_types.endswith(" types types-of-windows")
    assert [*ruff, *recipe("types"), *recipe("types-of-windows"), contracts, *recipe("test")] == commands
    contracts = read("pyproject.toml").count("[[tool.importlinter.contracts]]")
    assert f"\nContracts: {contracts} kept, 0 broken.\n" in told


@pytest.mark.parametrize(
    ("told", "real", "same"),
    [
        ("live: 3cab8fd6\nhead: 3cab8fd6", "live: 11111111\nhead: 11111111", True),
        ("live: 3cab8fd6\nhead: 3cab8fd6", "live: 11111111\nhead: 22222222", False),
        ("a\n…\nc", "a\nb\nb\nc", True),
        ("a\n…\nc", "a\nb", False),
        ("a", "a\nb", False),
        ("user_id d7df3d7e-89aa-53ee", "user_id d7df3d7f-89aa-53ee", False),
        ("since 2026-11-22T17:04:50Z", "since 2027-01-01T00:00:00.5Z", True),
    ],
)
def test_how_outputs_are_compared(told: str, real: str, same: bool) -> None:
    assert matches(normal(told), normal(real)) is same


def test_the_moving_picture_shows_what_the_session_prints() -> None:
    """docs/refused.svg: each of its lines is one of the session's, or two of them are one that was too long."""
    picture = ElementTree.fromstring(read("docs/refused.svg"))
    lines = ["".join(one.itertext()) for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert len(lines) > 8
    session = "\n".join(block.body for block in blocks(README, "console"))
    shown = [line for line in lines if not line.startswith("#")]
    folded = [" ".join(pair) for pair in pairwise(shown)]
    told = set(session.splitlines())
    unknown = [at for at, line in enumerate(shown) if line not in told]
    assert len(unknown) == 2
    assert folded[unknown[0]] in told
