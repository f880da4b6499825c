"""`validate --watch` as people run it: a process, edits of files, ^C."""

from __future__ import annotations

import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

from reconciler.adapters.bundled import find_example_repository
from reconciler.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="^C cannot be sent to one process there")

PATIENCE = 30.0
"""Seconds until a line has to come, on a machine that is busy with other tests."""
LEVERAGE = "accounts/cv-eurusd.yaml"


class Watching:
    """A running `validate --watch` on a folder."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reconciler", "validate", "--watch", *arguments],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        self._reader.join(PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))

    def block(self) -> list[str]:
        """The next lines, up to the one that counts."""
        lines: list[str] = []
        deadline = time.monotonic() + PATIENCE
        while not lines or " resources in " not in lines[-1]:
            try:
                lines.append(self._lines.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                pytest.fail(f"nothing more came after {lines}")
        return lines

    def until(self, last: str) -> list[str]:
        """The block that ends in a line; a change may be told in two."""
        deadline = time.monotonic() + PATIENCE
        while (lines := self.block())[-1] != last:
            assert time.monotonic() < deadline, lines
        return lines

    def interrupt(self) -> tuple[int, str]:
        """^C: the exit code, and what was said besides the results."""
        self._process.send_signal(signal.SIGINT)
        assert self._process.stderr is not None
        self._process.wait(PATIENCE)
        return self._process.returncode, self._process.stderr.read()


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    shutil.copytree(find_example_repository(), tmp_path / "desk")
    return tmp_path / "desk"


@pytest.fixture(autouse=True)
def hears_interrupts() -> Iterator[None]:
    """A shell's background jobs ignore ^C, and what they start ignores it too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8", newline="\n")


FINE = "28 resources in 28 files: no problems"


@pytest.mark.slow
def test_each_edit_is_answered_and_interrupting_ends_it_quietly(desk: Path) -> None:
    with Watching(desk) as watching:
        assert watching.block() == [FINE]
        edit(desk / LEVERAGE, "leverage: 30", "leverage: 1:30")
        problem = watching.until("27 resources in 28 files: 1 error, 0 warnings")[0]
        assert problem.startswith(f"{LEVERAGE}:17:13: error [ambiguous-scalar] /spec/leverage: ")
        edit(desk / LEVERAGE, "leverage: 1:30", "leverage: 30")
        assert watching.until(FINE) == [FINE]
        (desk / "schemas" / "broker.schema.json").unlink()
        assert "[unknown-kind]" in watching.until("25 resources in 28 files: 3 errors, 0 warnings")[0]
        (desk / "reconciler.yaml").write_text(
            "apiVersion: reconciler/v1\nkind: Repository\nspec: {include: [systems/]}\n", encoding="utf-8"
        )
        watching.until("2 resources in 2 files: no problems")
        code, said = watching.interrupt()
    assert code == 130
    assert f" {LEVERAGE}\n" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_with_paths_only_these_are_told(desk: Path) -> None:
    with Watching(desk, "accounts", "--quiet") as watching:
        assert watching.block() == ["8 resources in 8 files: no problems"]
        (desk / "users" / "fx-majors-01.yaml").unlink()
        lines = watching.until("8 resources in 8 files: 2 errors, 0 warnings")
        assert all(line.startswith("accounts/") for line in lines[:-1])
        code, said = watching.interrupt()
    assert (code, said.strip()) == (130, "")


@pytest.mark.slow
def test_it_goes_on_in_text_only(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--watch", "--format", "json", "--repo", str(desk)]) == 3
    assert "hint: leave out --format" in capsys.readouterr().err


def test_what_keeps_the_first_check_from_working_ends_it(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--watch", "--repo", str(desk), "--path", "nowhere"]) == 3
    assert "is not a folder" in capsys.readouterr().err
