"""A step to a commit, rehearsed from nothing but git: to find out whether the commit is at fault, or this host.

For a fresh process, with a policy engine and a store of its own.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from reconciler.adapters.duckdb.store import open_temporary
from reconciler.adapters.machine import SystemClock
from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.model.commit import StoreUpdate
from reconciler.reconcile.admission import AdmissionController, AdmissionResult, MessageApprovals, propose_update
from reconciler.reconcile.faults import ACCEPTED
from reconciler.reconcile.walk import CommitProcessor, WalkStart, build_version, state_at

if TYPE_CHECKING:
    from reconciler.gitports import Source
    from reconciler.reconcile.rules import BundledSchemas


def rehearse_step(source: Source, folder: str, bundled: BundledSchemas, old: str | None, new: str) -> None:
    """Take the step from one commit (None: from nothing) to another. Whatever goes wrong is raised."""
    processor = CommitProcessor(source, folder, bundled, ACCEPTED)
    start = WalkStart(None, processor.empty_state())
    with Sandbox() as engine, open_temporary(SystemClock()) as store:
        if old is not None:
            before = state_at(source, processor, start, old).state
            digest, kinds = before.snapshot.lineage.digest, before.snapshot.kinds
            rows = tuple(before.rows())
            store.replace(kinds, StoreUpdate(source.commit(old), before.height, digest, rows, (), 0, 0, 0))
            start = WalkStart(old, processor.load_state(old, store.base(kinds), digest, before.height))
        commit = source.commit(new)
        state, outcome = processor.advance(start.state, commit.stamp)
        proposal = propose_update(start, build_version(commit, start.state, state, outcome), MessageApprovals())
        AdmissionController(processor.rules, lambda: nullcontext(engine)).review(proposal.request)
        write = store.replace if old is None else store.apply
        write(proposal.request.new.kinds, proposal.store_update(AdmissionResult()))
