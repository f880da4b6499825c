"""How git is started, so that neither the repository nor the caller's environment decides what it runs or answers.

System and global configuration stay in force, because `safe.directory` is only heard there; whatever in any
configuration could start a program or change an answer is overridden on the command line, which wins over all files.
Sources: git(1), git-config(1), and the list of variables in `git rev-parse --local-env-vars`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any

from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

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
    "gc.auto": "0",
    "maintenance.auto": "false",
}

EXECUTABLE = "GIT_PYTHON_GIT_EXECUTABLE"
"""GitPython's variable for a git that is not on PATH."""


def environment() -> dict[str, str]:
    """This process's environment for git: every `GIT_*` variable taken out, then the few of our own."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("GIT_")}
    return {**inherited, **VARIABLES}


def start(arguments: Sequence[str], *, cwd: Path, git_dir: Path | None, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start git with pipes for input and output. Raises `NeedsHuman` when git is not installed.

    GitPython's own `execute` would hand on the whole environment, and a pipe for errors that nobody empties.
    """
    overrides = [part for name, value in OVERRIDES.items() for part in ("-c", f"{name}={value}")]
    place = [f"--git-dir={git_dir}"] if git_dir else []
    own_group: dict[str, Any] = {} if sys.platform == "win32" else {"process_group": 0}  # ^C is for us to handle
    try:
        process: subprocess.Popen[bytes] = popen()(
            [os.environ.get(EXECUTABLE) or "git", "--no-pager", *overrides, *place, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=PIPE_BUFFER,
            cwd=cwd,
            env=environment(),
            **own_group,
        )
    except FileNotFoundError as error:
        raise NeedsHuman(
            f"git cannot be started in {cwd}", hint="install git, put it on PATH, and see that the folder exists"
        ) from error
    return process


def popen() -> Callable[..., subprocess.Popen[bytes]]:
    """What starts a process. On Windows GitPython's way: there, a `git.exe` in the repository would be found first.

    Importing GitPython takes 80 ms and starts a git: only Windows pays for it.
    """
    if sys.platform == "win32":
        from git.cmd import safer_popen

        return safer_popen
    return subprocess.Popen
