"""The process that policies and queries run in, from the outside: start it, ask it, end it in time."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from reconciler.adapters.sandbox.protocol import STOP_FACTOR
from reconciler.errors import NeedsHuman, RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.adapters.sandbox.protocol import Advance, Answer, Batch, FillTable, Load, QueryAnswer, QueryRequest

CHILD = "reconciler.adapters.sandbox.child"
INHERITED = ("SYSTEMROOT", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH")
"""All that a Python needs of its environment; passwords that stand in the rest are nothing for policies."""
LOAD_SECONDS = 60.0
"""Seconds for starting and for loading tables."""
END_SECONDS = 5.0
if sys.platform != "win32":
    KILLED = frozenset(-number for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT))
else:
    KILLED = frozenset[int]()
"""Exit codes of a process that somebody ended, or the system for lack of memory. On Windows they tell nothing."""


class Process:
    """One such process. It is started at once and has to be closed."""

    def __init__(self) -> None:
        self._is_overdue = False
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

    def hold(self, request: Load | Advance) -> None:
        """Hold these rows. Raises `RetryLater` when there is no room for them, or the process ended over it."""
        (answer,) = self._answers_in_time(request, LOAD_SECONDS)
        if answer is None or "error" in answer:
            why = answer["error"].partition("\n")[0] if answer else self._last_words()
            raise RetryLater(
                f"policies could not be run: their tables could not be loaded: {why}",
                hint="see that there is a gigabyte of free memory",
            )

    def fill(self, request: FillTable) -> None:
        """Hold these rows as well. Raises `RetryLater` when there is no room for them, or the process ended over it."""
        (answer,) = self._answers_in_time(request, LOAD_SECONDS)
        if answer is None or "error" in answer:
            why = answer["error"].partition("\n")[0] if answer else self._last_words()
            message = f"the query was not run: the rows of {request.table} could not be copied for it: {why}"
            raise RetryLater(message, hint="see that there is a gigabyte of free memory")

    def look(self, request: QueryRequest) -> QueryAnswer | None:
        """What somebody's query finds; None when the process ended over it."""
        (answer,) = self._answers(request, request.seconds * STOP_FACTOR + END_SECONDS)
        return None if answer is None else cast("QueryAnswer", answer)

    @property
    def has_ended(self) -> bool:
        """Whether somebody or something ended it."""
        return self._process.poll() is not None

    @property
    def was_killed(self) -> bool:
        """Whether it ended, and nothing that it did itself ends it like this."""
        return self._process.wait(END_SECONDS) in KILLED

    def ask(self, batch: Batch, seconds: float) -> Iterator[Answer | None]:
        """The answer to each policy, as they come; None, and no more, when the process ended over one.

        Raises `RetryLater` after so many seconds: what takes too much CPU time has ended before.
        """
        return self._answers_in_time(batch, seconds, len(batch.asks))

    def close(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        self._process.wait(END_SECONDS)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with suppress(OSError):  # what it did not take any more is still to be flushed
                stream.close()

    def _answers_in_time(
        self, request: Load | Advance | Batch | FillTable, seconds: float, count: int = 1
    ) -> Iterator[Answer | None]:
        """So many answers. Raises `RetryLater` when they take longer: the machine does not get on."""
        for answer in self._answers(request, seconds, count):
            if answer is None and self._is_overdue:
                raise RetryLater(
                    "the process that policies and queries run in was given too little CPU time by the machine",
                    hint="see what else takes its processors, and try again",
                )
            yield answer

    def _answers(
        self, request: Load | Advance | Batch | FillTable | QueryRequest, seconds: float, count: int = 1
    ) -> Iterator[Answer | None]:
        """So many answers, all of them within so many seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with Deadline(self._process.kill, seconds) as deadline:
            with suppress(OSError):  # it has ended: then there is no answer either
                pickle.dump(request, self._process.stdin, pickle.HIGHEST_PROTOCOL)
                self._process.stdin.flush()
            for _ in range(count):
                line = self._process.stdout.readline()
                if not line.endswith(b"\n"):
                    self._is_overdue = deadline.passed
                    yield None
                    return
                yield _answer(json.loads(line))

    def _last_words(self) -> str:
        assert self._process.stderr is not None
        self._process.kill()
        lines = self._process.stderr.read().decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "the process ended without a word")


def _answer(value: Any) -> Answer:
    answer: Answer = value
    return answer


def _environment() -> dict[str, str]:
    """The same modules as here, and not those of the working directory: that is a repository of somebody's."""
    paths = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | {"PYTHONPATH": paths}


class Deadline:
    """A context manager. Unless it is left in time, `end` is called, in a thread of its own."""

    def __init__(self, end: Callable[[], None], seconds: float) -> None:
        self._end = end
        self._seconds = seconds
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="policy-process-deadline", daemon=True)
        self.passed = False

    def __enter__(self) -> Deadline:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()

    def _watch(self) -> None:
        if not self._left.wait(self._seconds):
            self.passed = True
            self._end()
