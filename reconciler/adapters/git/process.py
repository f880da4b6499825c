"""One running git: requests in, answers out, and a deadline on every wait."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
import time
from typing import TYPE_CHECKING

from reconciler.adapters.git import failures
from reconciler.adapters.git.isolation import start
from reconciler.errors import ReconcilerError, RetryLater

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SILENCE = 120.0
"""Seconds that git may stay silent while somebody waits. A disk that spins up or a busy share stays far below."""

GRACE = 2.0
"""Seconds that git has to end by itself once its pipes are closed."""


class Process:
    """A git command with pipes, for one user at a time. End of file where more was due means: see `failure()`."""

    def __init__(self, arguments: Sequence[str], *, cwd: Path, git_dir: Path | None) -> None:
        self._name, self._place = f"git {arguments[0]}", git_dir or cwd
        with contextlib.ExitStack() as undo:
            # A file, not a pipe: nobody has to empty it while git runs
            self._errors = undo.enter_context(tempfile.TemporaryFile())
            self._popen = start(arguments, cwd=cwd, git_dir=git_dir, stderr=self._errors)
            undo.pop_all()
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._stdin, self._stdout = self._popen.stdin, self._popen.stdout
        self._overdue: float | None = None
        self.waiting_since: float | None = None

    def send(self, request: bytes) -> None:
        """Pass on a request, at the latest when an answer is read; a git that has ended is noticed then."""
        self.waiting_since = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(request)
        self.waiting_since = None

    def line(self) -> bytes:
        """The next line with its end; empty at the end of file."""
        self._flush()
        self.waiting_since = time.monotonic()
        line = self._stdout.readline()
        self.waiting_since = None
        return line

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes, or all that is left; fewer at the end of file."""
        self._flush()
        self.waiting_since = time.monotonic()
        content = self._stdout.read(size)
        self.waiting_since = None
        return content

    def _flush(self) -> None:
        """Requests go out together: a system call for each would take as long as reading the answers."""
        self.waiting_since = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            self._stdin.flush()
        self.waiting_since = None

    def finish(self) -> int:
        """Close the input and wait for the exit code."""
        self.waiting_since = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        code = self._popen.wait()
        self.waiting_since = None
        return code

    def failure(self, asked: str = "") -> ReconcilerError:
        """Why git ended; `asked` names what was being read."""
        code = self.finish()
        if self._overdue is not None:
            return RetryLater(
                f"{self._name} was silent for {self._overdue:.0f} seconds in {self._place} and was stopped",
                hint="see whether the disk or network share that holds the repository hangs",
            )
        return failures.failure(self.complaints(), code, self._place, asked)

    def complaints(self) -> str:
        """What git wrote to its error stream."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    @property
    def running(self) -> bool:
        """Whether git has not ended."""
        return self._popen.poll() is None

    def stop_if_silent(self, limit: float) -> None:
        """Kill git when somebody has waited for longer than `limit` seconds."""
        since = self.waiting_since
        if since is not None and time.monotonic() - since > limit:
            self._overdue = limit
            self._popen.kill()

    def close(self) -> None:
        """End git and give back every handle; safe to call twice."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        self._stdout.close()
        try:
            self._popen.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._errors.close()


class Watchdog:
    """A thread that ends every process of its own that stays silent for too long; it starts with the first one."""

    def __init__(self, silence: float = SILENCE) -> None:
        self._silence = silence
        self._watched: set[Process] = set()
        self._guard = threading.Lock()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, process: Process) -> None:
        """Look after a process until `forget`."""
        with self._guard:
            self._watched.add(process)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="git-watchdog", daemon=True)
                self._thread.start()

    def forget(self, process: Process) -> None:
        """Look after it no longer."""
        with self._guard:
            self._watched.discard(process)

    def close(self) -> None:
        """End the thread."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._silence / 10):
            with self._guard:
                for process in self._watched:
                    process.stop_if_silent(self._silence)
