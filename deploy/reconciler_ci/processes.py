"""Running git and reconciler."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler_ci.errors import CannotRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TIMEOUT = 1800
"""Seconds that one program may take."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a program that ran has left: its exit code and what it wrote."""

    code: int
    out: str
    err: str


def run(
    command: Sequence[str], cwd: Path, *, environment: Mapping[str, str | None] | None = None, given: str | None = None
) -> Done:
    """Run a program to its end, with `given` on its standard input. Raises `CannotRun` when it does not start or end.

    `environment` is put over this process's; None takes a variable away. Bytes that are no UTF-8 come and go unchanged.
    """
    variables = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={name: value for name, value in variables.items() if value is not None},
            input=(given or "").encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise CannotRun(f"{command[0]} cannot be started: {error.strerror}", "install it and put it on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise CannotRun(f"{command[0]} {command[1]} did not end within {TIMEOUT // 60} minutes") from error
    return Done(done.returncode, _text(done.stdout), _text(done.stderr))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
