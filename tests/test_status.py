"""How a host stands, in Argo CD's and Flux's words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.model.change import Stamp
from reconciler.model.commit import Applied, Attempt
from reconciler.model.host import ConditionSeverity, HostCondition, Suspension
from reconciler.model.problem import Problem
from reconciler.model.rollback import Rollback
from reconciler.status import BranchHead, Running, Status, StoreState, describe

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HEAD, BEFORE = "a" * 40, "b" * 40
APPLIED = Applied(Stamp(HEAD, NOW), 3, "0" * 64, NOW - timedelta(minutes=5))
RULE = Problem("policies/lot.sql", 1, 1, "policy/lot", "", "too large")
SLIP = Problem("users/a.yaml", 1, 1, "wrong-type", "/spec", "no number")


def _refused(*problems: Problem) -> Attempt:
    return Attempt(Stamp(HEAD, NOW), NOW, refused=True, problems=problems)


def _running(*troubles: HostCondition, working: bool = False) -> Running:
    return Running(7, "127.0.0.1:8642", NOW, "Idle", NOW, NOW, working, NOW, troubles, None, None)


def _trouble(outlook: ConditionSeverity) -> HostCondition:
    return HostCondition("History", outlook, "RetryLater", "no answer", "wait", NOW)


def _status(stored: StoreState, running: Running | None = None, head: str | None = HEAD) -> Status:
    return describe(BranchHead("repo", "main", head, shallow=False), stored, running, NOW)


def _condition(status: Status, word: str) -> tuple[bool, str]:
    found = next(one for one in status.conditions if one.type == word)
    return found.holds, found.reason


@pytest.mark.parametrize(
    ("stored", "head", "sync", "health"),
    [
        (StoreState(), None, "Unknown", "Progressing"),
        (StoreState(), HEAD, "Unknown", "Progressing"),
        (StoreState(APPLIED), HEAD, "Synced", "Healthy"),
        (StoreState(APPLIED), BEFORE, "OutOfSync", "Progressing"),
        (StoreState(APPLIED, _refused(SLIP)), HEAD, "Synced", "Degraded"),
        (StoreState(APPLIED, _refused(SLIP)), BEFORE, "OutOfSync", "Progressing"),
        (StoreState(APPLIED, suspension=Suspension("x", "m", NOW, None)), BEFORE, "OutOfSync", "Suspended"),
        (StoreState(APPLIED, suspension=Suspension("x", "m", NOW, NOW)), HEAD, "Synced", "Healthy"),
    ],
)
def test_sync_and_health(stored: StoreState, head: str | None, sync: str, health: str) -> None:
    found = _status(stored, head=head)
    assert (found.sync, found.health) == (sync, health)


def test_a_trouble_of_the_daemon_is_degraded_and_one_for_a_human_is_stalled() -> None:
    waiting, stuck = (
        _status(StoreState(APPLIED), _running(_trouble(outlook)))
        for outlook in (ConditionSeverity.RETRYING, ConditionSeverity.STALLED)
    )
    assert (waiting.health, _condition(waiting, "Stalled")[0]) == ("Degraded", False)
    assert (stuck.health, _condition(stuck, "Stalled")) == ("Degraded", (True, "RetryLater"))


def test_what_rules_refuse_can_be_approved_and_what_is_wrong_cannot() -> None:
    assert _condition(_status(StoreState(None, _refused(RULE))), "Stalled") == (True, "RefusedByRule")
    assert _condition(_status(StoreState(None, _refused(RULE, SLIP))), "Stalled") == (True, "InvalidCommit")


def test_reconciling_is_what_the_daemon_is_at() -> None:
    assert _condition(_status(StoreState(APPLIED)), "Reconciling") == (False, "NotRunning")
    assert _condition(_status(StoreState(APPLIED), _running()), "Reconciling") == (False, "Idle")
    assert _condition(_status(StoreState(APPLIED), _running(working=True)), "Reconciling")[0]


def test_a_head_that_a_rollback_holds_is_not_refused() -> None:
    back = Rollback("a" * 40, "b" * 40, "it loses money", "ines", NOW)
    earlier = Applied(Stamp(BEFORE, NOW), 2, "0" * 64, NOW)
    held = Problem("a.yaml", 1, 1, "rolled-back", "", "User ann risk is still 3")
    mended = _status(StoreState(earlier, rollback=back))
    assert _condition(mended, "RolledBack") == (True, "AskedFor")
    waiting = _status(StoreState(earlier, _refused(held), rollback=back))
    assert (waiting.refused, waiting.held is not None, waiting.health) == (None, True, "Suspended")
    assert _condition(waiting, "RolledBack") == (True, "HeadHeld")
    assert "is held: User ann risk is still 3" in next(
        one.message for one in waiting.conditions if one.reason == "HeadHeld"
    )
    both = _status(StoreState(earlier, _refused(held, RULE), rollback=back))
    assert (both.held, both.health) == (None, "Degraded")


def test_conditions_say_since_when() -> None:
    found = {one.type: one.since for one in _status(StoreState(APPLIED, _refused(SLIP)), _running()).conditions}
    assert found == {"Ready": APPLIED.at, "Reconciling": NOW, "Stalled": NOW, "Suspended": None, "RolledBack": None}
