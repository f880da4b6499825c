"""When waiting for a commit is over."""

from __future__ import annotations

import pytest
from msgspec import structs

from reconciler import answers
from reconciler.cli.waiting import LONGEST_LOOK, FateWatch
from reconciler.report.status import is_settled

LIVE, OTHER = "a" * 40, "b" * 40
APPLIED = answers.Applied(commit=LIVE, height=1, digest="d", committed_at=None, applied_at="t")
REFUSED = answers.Attempt(commit=OTHER, committed_at=None, attempted_at="t", refused=True, problems=())
SYNCED = answers.Status(
    repository="r",
    branch="main",
    head=LIVE,
    sync="Synced",
    health="Healthy",
    applied=APPLIED,
    attempted=structs.replace(REFUSED, commit=LIVE, refused=False),
    refused=None,
    suspended=None,
    rolled_back=None,
    shallow=False,
    resources={},
    conditions=(),
    daemon=None,
    history=None,
    live_view=None,
    drift=None,
    troubles=(),
)
NOTHING = structs.replace(SYNCED, sync="Unknown", health="Progressing", applied=None, attempted=None)
BEHIND = structs.replace(SYNCED, head=OTHER, sync="OutOfSync", health="Progressing")
HELD = structs.replace(BEHIND, health="Degraded", attempted=REFUSED, refused=REFUSED)
PASSED = structs.replace(HELD, head="c" * 40, refused=None)


@pytest.mark.parametrize(
    ("status", "commit", "fate", "settled"),
    [
        (SYNCED, None, None, True),
        (structs.replace(SYNCED, health="Degraded"), None, None, None),
        (structs.replace(SYNCED, health="Suspended"), None, None, None),
        (NOTHING, None, None, None),
        (BEHIND, None, None, None),
        (HELD, None, None, False),
        (PASSED, None, None, None),
        (SYNCED, LIVE, None, True),
        (SYNCED, LIVE[:7], None, True),
        (BEHIND, LIVE, None, True),
        (HELD, LIVE, None, True),
        (SYNCED, OTHER, None, None),
        (BEHIND, OTHER, None, None),
        (HELD, OTHER[:7], None, False),
        (PASSED, OTHER, None, False),
        (SYNCED, OTHER, "was-live", True),
        (SYNCED, OTHER, "skipped", True),
        (SYNCED, OTHER, "refused", False),
        (SYNCED, OTHER, "invalid", False),
        (SYNCED, OTHER, "held", False),
        (SYNCED, OTHER, "pending", None),
    ],
)
def test_it_is_over_when_it_went_live_or_was_refused(
    status: answers.Status, commit: str | None, fate: str | None, settled: bool | None
) -> None:
    assert is_settled(status, commit, fate) is settled


def test_a_fate_is_asked_until_it_is_known_and_again_when_the_host_moves() -> None:
    answers_left, times = [None, None, "pending", "skipped"], [0.0]
    fate = FateWatch(lambda: answers_left.pop(0), lambda: times[0])
    assert fate.at(BEHIND) is None
    assert fate.at(BEHIND) is None  # too soon to ask again
    assert len(answers_left) == 3
    for known in (None, "pending", "pending"):
        times[0] += LONGEST_LOOK
        assert fate.at(BEHIND) == known
    assert fate.at(PASSED) == "skipped"
    assert answers_left == []
