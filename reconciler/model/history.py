"""The history as it is read back from the ledger: versions, host events, rows and what changed them, points in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from reconciler.canonical import Value
    from reconciler.model.commit import Commit
    from reconciler.model.host import HostEvent
    from reconciler.model.problem import Problem


ORPHANED = "ORPHANED"
"""Beside VALID and INVALID, the status of versions that the branch no longer reaches."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version as it is read back from the ledger."""

    commit: Commit
    height: int
    mainline: bool
    status: str
    problems: tuple[Problem, ...]
    creates: int
    updates: int
    deletes: int
    digest: str
    orphaned: bool
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """A host event as it is read back from the ledger, and the host it happened on."""

    host: str
    event: HostEvent


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """A place in the history: so many commits of the mainline, and then some that the branch no longer reaches.

    Of those only the valid ones are named. An invalid commit is the same place as the last valid one before it.
    """

    height: int
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SideVersion:
    """A version beside the mainline: its parents, and whether it was on it once, and valid: its rows are here then."""

    parents: tuple[str, ...]
    has_rows: bool


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A row as a mainline commit left it. `values` has the columns of the desired table, with their projection.

    `op` is what the commit did; `prune` what became of the row if that was a delete, else empty.
    """

    op: str
    prune: str
    commit: str
    height: int
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class HistoryChange:
    """What a commit left of a row, and its version."""

    row: HistoryRow
    version: VersionRow


class ChangeCursor(NamedTuple):
    """Where a change of a row stands among all that ever were: heights downwards, then by the rest.

    `rank` is the position of what happened in `model.change.ORDER`.
    """

    height: int
    rank: int
    kind: str
    name: str
    id: str


@dataclass(frozen=True, slots=True)
class ActiveDay:
    """What the mainline's commits of one day did, by committer time in UTC: how many there were, and their changes."""

    day: date
    commits: int
    invalid: int
    creates: int
    updates: int
    deletes: int
