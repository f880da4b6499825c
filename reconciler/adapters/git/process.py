"""One running git: how it is started, requests in, answers out, and a deadline on every wait.

Neither the repository nor the caller's environment decides what git runs or answers. System and global configuration
stay in force, because `safe.directory` is only heard there; whatever in any configuration could start a program or
change an answer is overridden on the command line, which wins over all files. Sources: git(1), git-config(1), and the
list of variables in `git rev-parse --local-env-vars`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PIPE_BUFFER = 1 << 18
"""Bytes read from git at once."""

VARIABLES = {
    "GIT_ALLOW_PROTOCOL": "none",  # no transport goes by that name: nothing is ever fetched
    "GIT_NO_LAZY_FETCH": "1",  # git 2.45 and later do not even try, in a partial clone
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ATTR_NOSYSTEM": "1",
    "LANGUAGE": "C",
    "LC_ALL": "C",
}

OVERRIDES = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.attributesFile": os.devnull,
    "core.alternateRefsCommand": "",
    "core.sshCommand": "",
    "core.askPass": "",
    "credential.helper": "",
    "protocol.allow": "never",
    "diff.external": "",
    "diff.ignoreSubmodules": "none",
    "diff.renames": "false",
    "diff.relative": "false",
    "log.showSignature": "false",
    "safe.bareRepository": "all",  # it was named: nothing here is found by looking around
    "gc.auto": "0",
    "maintenance.auto": "false",
}

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
EXECUTABLE = "GIT_PYTHON_GIT_EXECUTABLE"
"""GitPython's variable for a git that is not on PATH."""


def environment() -> dict[str, str]:
    """This process's environment for git: every `GIT_*` variable taken out, then the few of our own."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("GIT_")}
    return {**inherited, **VARIABLES}


def start(
    arguments: Sequence[str],
    *,
    cwd: Path,
    git_dir: Path | None,
    stderr: IO[bytes],
    variables: Mapping[str, str] = NO_VARIABLES,
    config: Mapping[str, str] = MappingProxyType(OVERRIDES),
) -> subprocess.Popen[bytes]:
    """Start git with pipes for input and output. Raises `NeedsHuman` when git is not installed.

    GitPython's own `execute` would hand on the whole environment, and a pipe for errors that nobody empties.
    """
    overrides = [part for name, value in config.items() for part in ("-c", f"{name}={value}")]
    place = [f"--git-dir={git_dir}"] if git_dir else []
    own_group: dict[str, Any] = {} if sys.platform == "win32" else {"process_group": 0}  # ^C is for us to handle
    try:
        process: subprocess.Popen[bytes] = find_popen()(
            [os.environ.get(EXECUTABLE) or "git", "--no-pager", *overrides, *place, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=PIPE_BUFFER,
            cwd=cwd,
            env={**environment(), **variables},
            **own_group,
        )
    except FileNotFoundError as error:
        raise NeedsHuman(
            f"git cannot be started in {cwd}", hint="install git, put it on PATH, and see that the folder exists"
        ) from error
    return process


def find_popen() -> Callable[..., subprocess.Popen[bytes]]:
    """What starts a process. On Windows GitPython's way: there, a `git.exe` in the repository would be found first.

    Importing GitPython takes 80 ms and starts a git: only Windows pays for it.
    """
    if sys.platform == "win32":
        from git.cmd import safer_popen

        return safer_popen
    return subprocess.Popen


SILENCE = 120.0
"""Seconds that git may stay silent while somebody waits. A disk that spins up or a busy share stays far below."""

GRACE = 2.0
"""Seconds that git has to end by itself once its pipes are closed."""


class Process:
    """A git command with pipes, for one user at a time. End of file where more was due means: see `failure()`."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        git_dir: Path | None,
        variables: Mapping[str, str] = NO_VARIABLES,
        config: Mapping[str, str] = MappingProxyType(OVERRIDES),
    ) -> None:
        self._name, self._place = f"git {arguments[0]}", git_dir or cwd
        with contextlib.ExitStack() as undo:
            # A file, not a pipe: nobody has to empty it while git runs
            self._errors = undo.enter_context(tempfile.TemporaryFile())
            self._popen = start(
                arguments, cwd=cwd, git_dir=git_dir, stderr=self._errors, variables=variables, config=config
            )
            undo.pop_all()
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._stdin, self._stdout = self._popen.stdin, self._popen.stdout
        self._unsent = False
        self._overdue: float | None = None
        self.waiting_since: float | None = None
        self.received = 0
        """Bytes that were read from it."""

    def send(self, request: bytes) -> None:
        """Pass on a request, at the latest when an answer is read; a git that has ended is noticed then."""
        self._unsent = True
        self.waiting_since = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(request)
        self.waiting_since = None

    def line(self, size: int = -1) -> bytes:
        """The next line with its end, or so many bytes of it; empty at the end of file."""
        self._flush()
        self.waiting_since = time.monotonic()
        line = self._stdout.readline(size)
        self.waiting_since = None
        self.received += len(line)
        return line

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes, or all that is left; fewer at the end of file."""
        self._flush()
        self.waiting_since = time.monotonic()
        content = self._stdout.read(size)
        self.waiting_since = None
        self.received += len(content)
        return content

    def _flush(self) -> None:
        """Requests go out together: a system call for each would take as long as reading the answers."""
        if not self._unsent:
            return
        self._unsent = False
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
        return explain_failure(self.complaints(), code, self._place, asked)

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


def git_version() -> str:
    """What `git --version` says. Raises `NeedsHuman` when there is no git."""
    process = Process(("--version",), cwd=Path(), git_dir=None)
    try:
        return process.read().decode(errors="replace").strip()
    finally:
        process.close()


PREFIXES = ("fatal: ", "error: ")
LACKING = ("promisor remote", "lazy fetch", "could not fetch", "missing blob", "not allowed")
EXHAUSTED = ("Cannot allocate memory", "Too many open files", "Out of memory", "Resource temporarily unavailable")


def find_complaint(stderr: str) -> str:
    """The line that says why: the first that starts with `fatal:`, else with `error:`, else the last one."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for prefix in PREFIXES:
        messages = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
        if messages:
            return messages[0]
    return lines[-1] if lines else "git ended without a word"


def explain_failure(stderr: str, code: int, place: Path, asked: str = "") -> ReconcilerError:
    """The error for a git that ended with `code`; `asked` names the object or revision that was being read."""
    message = find_complaint(stderr)
    about = f" at {asked}" if asked else ""
    if "dubious ownership" in stderr:
        return NeedsHuman(
            f"the repository {place} belongs to another user, and git refuses to read it",
            hint=f"if you trust it: git config --global --add safe.directory '{place.as_posix()}'",
        )
    if "not a git repository" in stderr:
        return not_a_repository(place)
    if any(words in stderr for words in LACKING):
        return missing_object(place, asked)
    if code < 0 or any(words in stderr for words in EXHAUSTED):
        return RetryLater(f"git was stopped in {place}{about}: {message}", hint="see whether memory or disk ran out")
    return NeedsHuman(f"git cannot read the repository {place}{about}: {message}", hint=repair_hint(place))


def not_a_repository(place: Path) -> UsageError:
    """There is no repository around a path."""
    return UsageError(f"{place} is not in a git repository", hint="name one with --repo PATH, or make one: git init")


def missing_object(place: Path, name: str) -> NeedsHuman:
    """An object that should be there is not: a partial clone, or a damaged repository."""
    return NeedsHuman(
        f"the repository {place} lacks the object {name or 'that was asked for'}",
        hint=f"a partial clone (--filter) is not enough: clone again in full; otherwise {repair_hint(place)}",
    )


def repair_hint(place: Path) -> str:
    """What to do about a damaged repository."""
    return f"run `git -C '{place.as_posix()}' fsck --full`, and clone again when it finds damage"
