"""What comes of a host's upkeep: drift found and put right, versions shipped, backups made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import Counter

from reconciler.metrics.work import OF_THE_REST, Outcome, durations

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from prometheus_client import CollectorRegistry


class Drifting:
    """Told of every look for drift."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._left = 0
        self._fighting: frozenset[str] = frozenset()
        self._found = Counter(
            "reconciler_drift_found", "Live rows that were found not to be as git says", registry=registry
        )
        self._healed = Counter("reconciler_drift_healed", "Live rows that were put right", registry=registry)
        self._fights = Counter(
            "reconciler_drift_fights", "Times that a row was left alone to another writer", registry=registry
        )

    def scanned(self, found: int, healed: int, fighting: Collection[str] = ()) -> None:
        """So many rows were not as git says, so many of them were put right, and these are left in a fight.

        What was left as it was counts as found when it was found first, not at every look.
        """
        self._found.inc(max(0, found - self._left))
        self._healed.inc(healed)
        self._fights.inc(len(frozenset(fighting) - self._fighting))
        self._left, self._fighting = max(0, found - healed), frozenset(fighting)


class Shipping:
    """Told by the shipping thread of every attempt. `now` gives monotonic seconds."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._complete = now()
        self._attempts = durations(
            registry,
            "ship",
            "Sending versions to the history, where there were any",
            OF_THE_REST,
        )
        self._versions = Counter("reconciler_versions_shipped", "Versions that the history took", registry=registry)

    def attempted(self, seconds: float, versions: int, outcome: Outcome, *, complete: bool) -> None:
        """An attempt has ended, and the history took so many versions; `complete` when it lacks nothing now."""
        if versions or outcome is Outcome.FAILED:
            self._attempts[outcome].observe(seconds)
        self._versions.inc(versions)
        if complete:
            self._complete = self._now()

    def since_complete(self) -> float:
        """Seconds since the history lacked nothing; since the start, where that has not been yet."""
        return self._now() - self._complete


class BackingUp:
    """Told of every backup. `now` gives monotonic seconds."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._made: float | None = None
        self._attempts = durations(registry, "backup", "Copying the store", OF_THE_REST)

    def attempted(self, seconds: float, outcome: Outcome) -> None:
        """An attempt has ended."""
        self._attempts[outcome].observe(seconds)
        if outcome is Outcome.DONE:
            self.made(0.0)

    def made(self, ago: float) -> None:
        """The newest backup was made so many seconds ago; what is from the future, as of now."""
        self._made = self._now() - max(0.0, ago)

    def age(self) -> float | None:
        """Seconds since the newest was made; None when there is none."""
        return None if self._made is None else self._now() - self._made
