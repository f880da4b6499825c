"""Bars on terminals, and nothing elsewhere."""

from __future__ import annotations

import os
import re
import sys
import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import pytest

from reconciler.cli import output, progress
from reconciler.cli.main import run
from tests.support.patience import until

pty = pytest.importorskip("pty", reason="Windows has no pseudo terminals")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Screen:
    """A pseudo terminal, and what was written to it."""

    def __init__(self, written: IO[str], read: int) -> None:
        self.written, self._read = written, read
        self._seen = b""

    def text(self) -> str:
        """All of it so far, without colours and movements."""
        os.set_blocking(self._read, False)
        try:
            while block := os.read(self._read, 65_536):
                self._seen += block
        except BlockingIOError:
            pass
        return ESCAPES.sub("", self._seen.decode("utf-8", "replace"))


@contextmanager
def terminal(delay: float = 0.0) -> Iterator[Screen]:
    """Stderr is a terminal, and a bar appears soon. No fixture: pytest puts its own stderr back before a test."""
    read, write = pty.openpty()
    with os.fdopen(write, "w", encoding="utf-8") as written, pytest.MonkeyPatch.context() as patched:
        patched.setenv("TERM", "xterm-256color")
        patched.setenv("COLUMNS", "80")
        patched.setattr(progress, "BAR_DELAY", delay)
        patched.setattr(progress, "REDRAW", 0.0)
        patched.setattr(sys, "stderr", written)
        yield Screen(written, read)
    os.close(read)


def test_a_bar_counts_on_a_terminal() -> None:
    with terminal() as screen, output.progress("files") as show:
        until(lambda: "files" in screen.text(), screen.text)
        show(1_200, 5_000)
        until(lambda: "1,200 of 5,000" in screen.text(), screen.text)
    assert not any(thread.name == "progress bar" for thread in threading.enumerate())


def test_where_nobody_knows_of_how_much_it_counts_what_is_done() -> None:
    with terminal() as screen, output.progress("rows") as show:
        show(7, 0)
        until(lambda: re.search(r"rows +\S+ 7 ", screen.text()) is not None, screen.text)


def test_what_is_over_at_once_draws_nothing() -> None:
    with terminal(delay=60) as screen:
        with output.progress("files") as show:
            show(1, 2)
        assert screen.text() == ""


def test_elsewhere_nothing_is_drawn_and_no_thread_is_begun(capsys: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with output.progress("files") as show:
        show(1, 2)
        assert threading.active_count() == before
    assert capsys.readouterr() == ("", "")


@contextmanager
def _every_step_shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int, int]]]:
    steps: list[tuple[str, int, int]] = []

    @contextmanager
    def shown(label: str) -> Iterator[object]:
        yield lambda done, total: steps.append((label, done, total))

    with monkeypatch.context() as patched:
        patched.setattr(output, "progress", shown)
        yield steps


def test_commands_tell_how_far_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        (tmp_path / f"{number}.yaml").write_text("a: 1\n", encoding="utf-8")
    for command in ("validate", "fmt"):
        with _every_step_shown(monkeypatch) as steps:
            run([command, "--repo", str(tmp_path)])
        assert [total for label, _, total in steps if label == "files"] == [3, 3, 3]
