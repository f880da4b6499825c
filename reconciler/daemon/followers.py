"""Followers: copies of the live rows elsewhere, each brought up to date on a thread of its own.

A follower hears of every commit that goes live, and nothing waits for it. What it missed, while it was out of reach or
while no daemon ran, it finds by comparing what it holds with what is live. To add one, write a class and name it in
`daemon/assembly.py`.
"""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from msgspec import Struct

from reconciler.backoff import IN_USE_RETRY, Backoff
from reconciler.errors import InUse, NeedsHuman, ReconcilerError
from reconciler.model.host import ConditionSeverity
from reconciler.model.log import Level
from reconciler.slices import let_go
from reconciler.status import FollowerStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.adapters.duckdb.sharing import SharedStore
    from reconciler.canonical import Value
    from reconciler.daemon.conditions import Conditions
    from reconciler.daemon.hostconfig import HostConfig
    from reconciler.model.commit import Applied
    from reconciler.ports import Log
    from reconciler.reconcile.sync import AppliedStep
    from reconciler.settings import Settings

CHECK_INTERVAL = 1.0
"""Seconds between two comparisons of the commit that a follower holds with the one that is live."""
PIECE_PAUSE = 0.005
"""Seconds between two pieces of a comparison of all that it holds: others want the processor and its server, too."""
STOP_TIMEOUT = 8.0
"""Seconds that a follower's thread has to end."""


class FollowerContext(Struct, frozen=True):
    """What a follower may use of its host. `record` writes a host event; it returns at once."""

    settings: Settings
    state_folder: Path
    store: SharedStore
    log: Log
    record: Callable[[str, Mapping[str, Value]], None]


class Follower(ABC):
    """A copy of the live rows. All methods but `state` and `configure` are called on the follower's own thread.

    An error, of any of them, ends the connection. It is shown as a condition until `connect` and `catch_up` succeed;
    they are tried again after a pause that doubles between the two of `retry_seconds`, and soon after `InUse`.
    """

    name: ClassVar[str]
    """The name of its thread, and of its line in `status`."""
    condition: ClassVar[str]
    """What its failures are about, in `status` and in the log."""
    retry_seconds: ClassVar[tuple[float, float]] = (1.0, 60.0)
    has_own_section: ClassVar[bool] = False
    """Whether `status` shows it elsewhere than among the followers."""

    def connect(self) -> AbstractContextManager[object]:
        """Open what it writes to, and close it in the end."""
        return nullcontext()

    @abstractmethod
    def catch_up(self, applied: Applied | None) -> None:
        """Compare what it holds with the applied commit, and become that where it differs; None before the first sync.

        Called once connected, and about once a second, whether or not something goes live meanwhile.
        """

    @abstractmethod
    def apply(self, step: AppliedStep) -> None:
        """A commit went live."""

    def compare(self) -> Iterator[None]:
        """Compare all that it holds with the live rows, and put right what something else did to it.

        One short piece at a time: commits come between, and `catch_up`. Called once connected, and at each drift scan.
        """
        return iter(())

    def close(self) -> None:  # noqa: B027  most have nothing to close
        """The daemon stops."""

    def state(self) -> str:
        """What `status` says of it while all is well. For any thread."""
        return ""

    def configure(self, config: HostConfig) -> None:  # noqa: B027  most have nothing to configure
        """The host config is another one. For any thread; `catch_up` or `apply` is called soon."""


MakeFollower: TypeAlias = "Callable[[FollowerContext], Follower | None]"
"""Makes a follower, or none where the settings do without; a follower's class is one."""


class FollowerThread:
    """Runs a follower. A context manager around its thread; `applied` gives the commit that is live."""

    def __init__(
        self, follower: Follower, applied: Callable[[], Applied | None], conditions: Conditions, log: Log
    ) -> None:
        self.follower = follower
        self._applied, self._conditions, self._log = applied, conditions, log
        self._backoff = Backoff(*follower.retry_seconds)
        self._steps: queue.SimpleQueue[AppliedStep | None] = queue.SimpleQueue()
        self._connected = False
        self._compare_due = threading.Event()
        self._comparison: Iterator[None] | None = None
        self._caught_up = 0.0
        self._state, self._message = "Starting", ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=follower.name, daemon=True)

    def __enter__(self) -> FollowerThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._steps.put(None)
        self._thread.join(STOP_TIMEOUT)

    def hear(self, step: AppliedStep) -> None:
        """A commit went live, and `applied` says so. For any thread; returns at once."""
        if self._connected:  # what it does not hear of, it finds when it catches up
            self._steps.put(step)

    def compare(self) -> None:
        """Compare all that it holds with the live rows, soon. For any thread; returns at once."""
        self._compare_due.set()
        self._steps.put(None)

    def configure(self, config: HostConfig) -> None:
        """The host config is another one. For any thread; returns at once."""
        self.follower.configure(config)
        self._steps.put(None)

    def status(self) -> FollowerStatus:
        """How it fares. For any thread."""
        return FollowerStatus(self.follower.name, self._state, self._message or self.follower.state())

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001  the thread must outlive it
                self._show(error)
                self._stopping.wait(IN_USE_RETRY if isinstance(error, InUse) else self._backoff.next())
        self.follower.close()

    def _follow(self) -> None:
        """Connect, catch up, and follow for as long as all is well."""
        with self.follower.connect():
            self._drop_steps()
            self._connected = True  # before it looks what is live: no commit is missed in between
            try:
                self._catch_up()
                self._compare_due.set()
                self._show(None)
                self._backoff.reset()
                while not self._stopping.is_set():
                    self._follow_once()
            finally:
                self._connected, self._comparison = False, None

    def _drop_steps(self) -> None:
        while not self._steps.empty():
            self._steps.get()

    def _follow_once(self) -> None:
        if self._comparison is None and self._compare_due.is_set():
            self._compare_due.clear()
            self._comparison = self.follower.compare()
        try:
            step = self._steps.get(timeout=CHECK_INTERVAL if self._comparison is None else PIECE_PAUSE)
        except queue.Empty:
            step = None
        if step is not None:
            self.follower.apply(step)
            left, step = list(step.rows), None
            let_go(left)
            if self._is_check_due():  # what it could not take, it has to find although more and more is coming
                self._catch_up()
        elif not self._stopping.is_set():
            self._work_on()

    def _work_on(self) -> None:
        """Nothing went live: catch up, or compare the next piece until that is due again."""
        if self._comparison is None or self._is_check_due():
            self._catch_up()
        if self._comparison is not None and next(self._comparison, self) is self:
            self._comparison = None

    def _is_check_due(self) -> bool:
        return time.monotonic() - self._caught_up > CHECK_INTERVAL

    def _catch_up(self) -> None:
        self.follower.catch_up(self._applied())
        self._caught_up = time.monotonic()

    def _show(self, error: Exception | None) -> None:
        about = self.follower.condition
        if error is None:
            self._state, self._message = "Following", ""
            self._conditions.clear(about)
            return
        severity = ConditionSeverity.STALLED if isinstance(error, NeedsHuman) else ConditionSeverity.RETRYING
        reason, hint = type(error).__name__, getattr(error, "hint", "")
        if not isinstance(error, ReconcilerError):
            self._log.event("Bug", str(error), level=Level.ERROR, error=error)
            reason, hint = "UnexpectedError", "a bug: see the log"
        self._state, self._message = str(severity), str(error)
        self._conditions.set(about, severity, reason, str(error), hint)
