"""A function called in a fresh Python process: it shares nothing with this one, and its CPU time is bounded.

The process is a new interpreter, never a fork, which would inherit the engines and threads of this one. It gets
function and arguments pickled through a pipe.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import RetryLater, TooLarge

if sys.platform != "win32":
    import resource

    CPU_SIGNAL: int | None = -signal.SIGXCPU
else:
    CPU_SIGNAL = None

if TYPE_CHECKING:
    from collections.abc import Callable

CPU_SECONDS = 60
"""CPU time that a call may take. Wall time would depend on what else the machine does."""
WALL_SECONDS = 280.0
"""Seconds after which a process is given up that took less CPU time than that: the machine does not get on."""
WATCH_INTERVAL = 0.5
CPU_EXCEEDED = 86
"""The exit code of a process that took too much CPU time, where the system does not end it (`CPU_SIGNAL`)."""
PRIVATE = "RECONCILER_"
"""Prefix of the variables that the process is not given: they may hold passwords, and it has no use for any."""


class _Failed(NamedTuple):
    """The answer of a process in which the function raised an exception: what it was."""

    error: str


def call_fresh(function: Callable[..., Any], *arguments: object) -> Any:
    """Call a function of a module in a fresh process; what it returns.

    Raises `TooLarge` when it takes too much CPU time, and `RetryLater` for whatever is the machine's fault: an
    exception that the function does not turn into an answer, a process that was killed.
    """
    request = pickle.dumps((function, arguments), pickle.HIGHEST_PROTOCOL)
    command = [sys.executable, "-P", "-c", f"from {__name__} import main; main()"]
    try:
        ended = subprocess.run(
            command, input=request, capture_output=True, env=_environment(), timeout=WALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _no_answer(f"it was not done after {WALL_SECONDS:.0f} s") from error
    except OSError as error:
        raise _no_answer(error.strerror or str(error)) from error
    if ended.returncode in (CPU_EXCEEDED, CPU_SIGNAL):
        raise TooLarge(f"it takes more than {CPU_SECONDS} s of CPU time")
    if ended.returncode != 0:
        lines = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _no_answer(lines[-1] if lines else f"it ended with code {ended.returncode}")
    answer = pickle.loads(ended.stdout)  # noqa: S301  it comes from code of ours
    if isinstance(answer, _Failed):
        raise _no_answer(answer.error)
    return answer


def _no_answer(why: str) -> RetryLater:
    return RetryLater(f"a process that tries again what failed gave no answer: {why}", hint="it is tried again")


def _environment() -> dict[str, str]:
    """The same modules as here, and not those of the working directory: that is a repository of somebody's."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(PRIVATE)}
    return inherited | {"PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)}


def _bound_cpu_time() -> None:
    """End this process when it has taken too much: by the system, and where that cannot, by a thread."""
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    else:
        threading.Thread(target=_watch_cpu_time, name="cpu-time", daemon=True).start()


def _watch_cpu_time() -> None:
    while time.process_time() < CPU_SECONDS:
        time.sleep(WATCH_INTERVAL)
    os._exit(CPU_EXCEEDED)


def main() -> None:
    """The fresh process: read a call, answer it. What is printed meanwhile goes to the error stream."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    function, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301  it comes from code of ours
    _bound_cpu_time()
    try:
        answer = function(*arguments)
    except Exception as error:  # noqa: BLE001  told to the process that waits, which raises it
        answer = _Failed(f"{type(error).__name__}: {error}")
    with answers:
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
