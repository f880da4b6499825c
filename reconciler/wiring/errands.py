"""What somebody asks a daemon for beside a reconcile. All of it is for the operations thread, in its turn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.answers import to_json
from reconciler.reconcile.processor import CommitProcessor
from reconciler.reconcile.verify import Verifier
from reconciler.report.drift import build_drift
from reconciler.status import Scan
from reconciler.wiring.answers import healed
from reconciler.wiring.program import shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.canonical import Value
    from reconciler.reconcile.verify import Verification
    from reconciler.wiring.answers import Answer
    from reconciler.wiring.host import Host, Parts

FLUSH = 30.0
"""Seconds that a verification waits for what is on its way to the history."""


class Errands:
    """Done for a host, which sees afterwards what came of them."""

    def __init__(self, host: Host, parts: Parts) -> None:
        self._host, self._parts = host, parts

    def heal(self) -> Answer:
        """Put right all that drifted, whoever else writes there; what there was."""
        with self._host.trusting():
            found = healed(self._parts.keeper.store())
            self._parts.metrics.drift.count(found.total, found.total)
            scan = Scan(self._parts.clock.now(), 0, 0)  # as it is now
            self._host.facts = replace(self._host.facts, scan=scan)
            self._host.look()
            return to_json(build_drift(found))

    def note(self, event: str, detail: Mapping[str, Value]) -> None:
        """Write down as a host event what this host did beside the rows."""
        self._parts.keeper.store().record_event(event, detail)
        self._host.look()

    def restore(self, file: Path) -> Answer:
        """Make a backup the store."""
        answer = self._parts.backups.restore(file, self._parts.following.at().repository)
        self._host.facts = replace(self._host.facts, scan=None)
        self._host.look()
        return answer

    def verify(self, beat: Callable[[], None]) -> Verification:
        """Compare the ledger and the live rows with git, at the head that was reconciled."""
        self._parts.shipment.flush(FLUSH)
        return self._host.once_more(lambda: self._verified(beat))

    def _verified(self, beat: Callable[[], None]) -> Verification:
        with self._host.trusting():
            at = self._parts.following.at()
            verifier = Verifier(
                source=at.source,
                processor=CommitProcessor(at.source, at.folder, shipped()),
                repository=at.repository,
                branch=at.branch,
                store=self._parts.keeper.store(),
                open_ledger=self._parts.shipment.open_ledger,
            )
            return verifier.verify(lambda done, total: beat())
