"""docs/local.md as it is read: each command of the page, in order, on one machine. And `run --port`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.daemonfile import find_daemon
from tests.docs.markdown import blocks, read
from tests.support.gitrepo import environment
from tests.support.patience import DEADLINE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
BEGIN, RUN, STATUS, CHANGE, LOOK = (block.body.strip() for block in blocks(read("docs/local.md"), "sh"))
BIN = Path(sys.executable).parent
KNOWN = {**environment(), "PATH": os.pathsep.join((str(BIN), os.environ["PATH"]))}


def sh(script: str, folder: Path) -> str:
    """What somebody types, in a new terminal that begins in a folder."""
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=folder, env=KNOWN, capture_output=True, encoding="utf-8", timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Path]:
    """The folder with all three, and the daemon that the page starts."""
    sh(BEGIN, tmp_path)
    assert RUN.endswith("reconciler run")
    said = tmp_path / "said"
    with said.open("wb") as stream:
        script = f"{RUN.removesuffix('reconciler run')}exec reconciler run --port 0"
        daemon = subprocess.Popen(["sh", "-c", script], cwd=tmp_path, env=KNOWN, stdout=stream, stderr=stream)
    try:
        until(lambda: find_daemon(tmp_path / "desk.host/state") is not None, said.read_text)
        yield tmp_path
    finally:
        daemon.terminate()
        assert daemon.wait(DEADLINE) == 0, said.read_text()
    address = find_in(said.read_text(), "listening on http://127.0.0.1:")
    assert int(address) not in {0, 8642}


def find_in(text: str, before: str) -> str:
    (line,) = (line for line in text.splitlines() if line.startswith(before))
    return line.removeprefix(before)


def test_the_page_is_a_session(begun: Path) -> None:
    until(lambda: "Synced" in sh(STATUS, begun), lambda: "")
    sh(CHANGE, begun)
    get = LOOK.splitlines()[1]
    until(lambda: "2 trades" in sh(f"cd desk.host\n{get}", begun), lambda: sh(LOOK, begun))
    assert "Two trades at once are enough" in sh(LOOK, begun)
    assert (begun / "desk.host/state/history.duckdb").is_file()
    assert not [path for path in (begun / "desk.git").iterdir() if path.name == "reconciler"]
