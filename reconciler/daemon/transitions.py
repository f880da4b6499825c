"""What is worth telling of troubles: that one began, that it is another one now, that it is over. Pure.

A trouble is known by its object, its reason and its commit. However often it is met, it is told once; what it is about
has recovered when somebody says so, and that is told once, with how long it lasted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from reconciler.model.level import Level

if TYPE_CHECKING:
    from collections.abc import Mapping


class News(StrEnum):
    """What is told."""

    TROUBLE = "Trouble"
    RECOVERED = "Recovered"


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the log. `lasted` is seconds since the object's first trouble; of a new one 0."""

    news: News
    level: Level
    object: str
    reason: str
    commit: str | None
    lasted: float


@dataclass(frozen=True, slots=True)
class Outage:
    """The troubles of one object since it was last well. `told` are the reasons given at `commit`, the newest last."""

    since: float
    commit: str | None
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transitions:
    """The outages under way, by object. Moments are seconds of a clock that never jumps, such as `time.monotonic`."""

    outages: Mapping[str, Outage] = field(default_factory=dict)

    def troubled(
        self, about: str, reason: str, commit: str | None, now: float, level: Level = Level.WARN
    ) -> tuple[Transitions, Notice | None]:
        """An object has a trouble: what is known from now on, and what to tell; None when it was told already.

        Reasons that take turns (a timeout, then a refusal, then a timeout) are told once each.
        """
        before = self.outages.get(about)
        same_commit = before is not None and before.commit == commit
        told = before.told if before is not None and same_commit else ()
        if reason in told:
            return self, None
        since = before.since if before is not None else now
        after = Transitions({**self.outages, about: Outage(since, commit, (*told, reason))})
        return after, Notice(News.TROUBLE, level, about, reason, commit, max(0.0, now - since))

    def well(self, about: str, now: float) -> tuple[Transitions, Notice | None]:
        """An object is well: what is known from now on, and what to tell; None when it was well already."""
        outage = self.outages.get(about)
        if outage is None:
            return self, None
        left = {name: one for name, one in self.outages.items() if name != about}
        lasted = max(0.0, now - outage.since)
        return Transitions(left), Notice(News.RECOVERED, Level.INFO, about, outage.told[-1], outage.commit, lasted)
