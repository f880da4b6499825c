"""A store and a ledger that hold nothing: what is read before the first sync, when neither has been created."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.history.points import sha_prefix
from reconciler.model.halt import Halts
from reconciler.model.rows import Drifts
from reconciler.snapshot.snapshot import EmptyBase

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.ports import Base


def _none(*_: object, **__: object) -> None:
    return None


def _zero(*_: object, **__: object) -> int:
    return 0


def _empty(*_: object, **__: object) -> tuple[()]:
    return ()


def _empty_mapping(*_: object, **__: object) -> Mapping[str, Any]:
    return {}


class EmptyStore:
    """Implements the port `StoreReader`. It has no identity: a store is given one when it is created."""

    applied = last_attempt = suspension = rollback = live_at = halts_at = owner = last_drill = _none
    went_live = kept_rules = _none
    live = events = events_after = intervals_of = newest_intervals = _empty
    intervals_after = refusals_of = refused_since = drift_events = _empty
    kinds = counts = known_faults = halted_rows = failed_halts = _empty_mapping

    def halts(self) -> Halts:
        """None stand."""
        return Halts()

    last_uploaded_event = last_uploaded_interval = recorded_versions = _zero

    def identity(self) -> str:
        return ""

    def lacks_past(self) -> bool:
        return False

    def base(self, kinds: Kinds) -> Base:
        return EmptyBase()

    def drift(self, *_: object, **__: object) -> Drifts:
        return Drifts((), {})


class EmptyLedger:
    """Implements the port `LedgerReader`."""

    find_by_sha = events = versions = find_versions = activity = other_kinds = rows_at = changed_rows = changes_of = (
        newest_changes
    ) = intervals_of = newest_intervals = refusals_of = refused_since = drift_events = branches = _empty
    live_at = version_at = halts_at = last_rollback = _none
    recorded_commits = side_versions = mainline_heights = _empty_mapping
    count_orphans = count_declared = _zero

    def on_branch(self, branch: str) -> EmptyLedger:
        return self

    def version(self, sha: str) -> None:
        sha_prefix(sha)

    def row_counts(self, kinds: Kinds, shas: Collection[str]) -> Mapping[str, int]:
        return dict.fromkeys(shas, 0)
