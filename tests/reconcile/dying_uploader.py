"""A host that commits, applies and uploads, and is killed at one of its steps: run by test_upload_killed.

`python -m tests.reconcile.dying_uploader FOLDER URL` forks one process after the other.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from reconciler.adapters.clickhouse.ledger import ClickHouseLedger
from reconciler.adapters.duckdb.store import DuckDBStore
from reconciler.daemon.history import SERVER_TIMEOUT, Backfill
from reconciler.reconcile.upload import BatchUploader, PendingUploads, UploadTarget
from reconciler.service.context import describe_target
from reconciler.settings import load
from reconciler.values import replace
from reconciler.wiring.local import local_host
from tests.support import configs
from tests.support.gitrepo import GitRepo

STEPS = (
    (ClickHouseLedger, ("record", "record_events", "record_intervals", "orphan")),
    (DuckDBStore, ("apply", "replace", "mark_uploaded", "mark_intervals_uploaded")),
)


def die_at(point: int) -> None:
    """Die before or after one of the calls that change something: each has two numbers."""
    counter = itertools.count()

    def reached() -> None:
        if next(counter) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, names in STEPS:
        for name in names:
            setattr(owner, name, _deadly(getattr(owner, name), reached))


def _deadly(inner: Any, reached: Any) -> Any:
    def call(*arguments: Any, **named: Any) -> Any:
        reached()
        answer = inner(*arguments, **named)
        reached()
        return answer

    return call


def live(folder: Path, url: str) -> None:
    """What a daemon does: reconcile, upload, and tell the store."""
    settings = load(
        None, {"repository.url": str(folder / "config"), "state.dir": str(folder / "state"), "history.url": url}, {}
    )
    host, pending = local_host(settings), PendingUploads.of_host("host-1")
    assert host.openers.ledger is not None
    with host.open_place() as place:
        at = describe_target(place, settings, None)
        open_ledger = partial(host.openers.ledger, at.state, at.recorded_branch(None, ""), SERVER_TIMEOUT)
    backfill = Backfill(settings, host.openers.source, host.bundled, host.openers.faults)
    way = UploadTarget(open_ledger, partial(backfill.record_missing, at.branch))
    uploader = BatchUploader(pending, way, lambda: None, lambda written, recorded: None)
    with host.open_reconciler(None) as (reconciler, *_):
        replace(reconciler, open_ledger=None, outbox=pending.outbox).sync()
        pending.exchange(reconciler.store)
    uploader.upload(0)
    uploader.connection.close()
    with host.open_reconciler(None) as (reconciler, *_):
        pending.exchange(reconciler.store)


def in_child(folder: Path, url: str, point: int) -> bool:
    """Live in a process of its own, and die at a point; whether it came to its end."""
    child = os.fork()
    if child == 0:
        die_at(point)
        live(folder, url)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended not in {0, -signal.SIGKILL}:
        sys.exit(f"the process after {point} deaths failed")
    return ended == 0


def main(folder: Path, url: str) -> None:
    """Each process dies one step later than the one before, each with a commit more to upload; prints how many died."""
    repo = GitRepo(folder / "config")
    for point in itertools.count():
        repo.commit({"a.yaml": configs.user("ann", risk=0.5 + point / 100)})
        if in_child(folder, url, point):
            break
    sys.stdout.write(f"{point}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
