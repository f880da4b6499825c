"""The process that policies run in, from the outside: start it, ask it, end it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.errors import NeedsHuman, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.duckdb.sandbox.messages import Answer, Ask, Load

CHILD = "reconciler.adapters.duckdb.sandbox.child"
INHERITED = ("SYSTEMROOT", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH")
"""All that a Python needs of its environment; passwords that stand in the rest are nothing for policies."""
TO_LOAD = 60.0
"""Seconds for starting and for loading tables."""
TO_ANSWER = 2.0
"""How much longer than a policy may take, as a factor, until a process that should have ended itself is ended."""
TO_END = 5.0


class Process:
    """One such process. It is started at once and has to be closed."""

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
            )
        except OSError as error:
            raise NeedsHuman(
                f"cannot start the process that policies run in: {error.strerror}",
                hint=f"see that {sys.executable} may be run",
            ) from error

    def load(self, request: Load) -> None:
        """Hold these rows. Raises `RetryLater` when there is no room for them, or the process ended over it."""
        answer = self._asked(pickle.dumps(request, pickle.HIGHEST_PROTOCOL), TO_LOAD)
        if answer is None or "error" in answer:
            why = answer["error"].partition("\n")[0] if answer else self._last_words()
            raise RetryLater(
                f"policies could not be run: their tables could not be loaded: {why}",
                hint="see that there is a gigabyte of free memory",
            )

    @property
    def has_ended(self) -> bool:
        """Whether somebody or something ended it."""
        return self._process.poll() is not None

    def ask(self, request: Ask) -> Answer | None:
        """The answer to a policy; None when the process ended over it, and is of no more use."""
        return self._asked(pickle.dumps(request, pickle.HIGHEST_PROTOCOL), request.seconds * TO_ANSWER)

    def close(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        self._process.wait(TO_END)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with suppress(OSError):  # what it did not take any more is still to be flushed
                stream.close()

    def _asked(self, request: bytes, seconds: float) -> Answer | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._deadline(seconds):
            with suppress(OSError):  # it has ended: then there is no answer either
                self._process.stdin.write(request)
                self._process.stdin.flush()
            line = self._process.stdout.readline()
        return _answer(json.loads(line)) if line.endswith(b"\n") else None

    def _last_words(self) -> str:
        assert self._process.stderr is not None
        self._process.kill()
        said = self._process.stderr.read().decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(said) if line.strip()), "the process ended without a word")

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._process.kill)
        timer.name = "policy-process-deadline"
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _answer(value: Any) -> Answer:
    answer: Answer = value
    return answer


def _environment() -> dict[str, str]:
    """The same modules as here, and not those of the working directory: that is a repository of somebody's."""
    paths = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | {"PYTHONPATH": paths}
