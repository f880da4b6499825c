"""What is told of troubles: their beginning, another reason or commit, and their end; nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reconciler.daemon.conditions import Notice, NoticeType, Outages
from reconciler.model.log import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

OBJECTS = ("history", "repository")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(OBJECTS),
        st.sampled_from(["Timeout", "Refused", None]),
        st.sampled_from([None, "c1", "c2"]),
        st.floats(0, 100),
    ),
    max_size=60,
)


def _run(steps: Sequence[tuple[str, str | None, str | None, float]]) -> list[tuple[float, Notice | None]]:
    now, known, told = 0.0, Outages(), []
    for about, reason, commit, passed in steps:
        now += passed
        known, notice = known.with_failure(about, reason, commit, now) if reason else known.with_recovery(about, now)
        told.append((now, notice))
    return told


def test_one_outage_is_two_lines() -> None:
    told = _run([("history", "Timeout", None, 1.0)] * 100 + [("history", None, None, 5.0)] * 100)
    begun, over = (notice for _, notice in told if notice)
    assert begun == Notice(NoticeType.FAILED, Level.WARN, "history", "Timeout", None, 0.0)
    assert over == Notice(NoticeType.RECOVERED, Level.INFO, "history", "Timeout", None, 104.0)


def test_reasons_that_take_turns_are_told_once_each() -> None:
    steps = [("history", reason, None, 1.0) for reason in ("Timeout", "Refused") * 50]
    assert [notice.reason for _, notice in _run(steps) if notice] == ["Timeout", "Refused"]


def test_another_commit_is_news() -> None:
    steps = [("head", "InvalidCommit", commit, 1.0) for commit in ("c1", "c1", "c2", "c2")]
    assert [notice.commit for _, notice in _run(steps) if notice] == ["c1", "c2"]


def test_the_level_is_that_of_whoever_asks() -> None:
    _, notice = Outages().with_failure("store", "Damaged", None, 0.0, Level.ERROR)
    assert notice is not None
    assert notice.level is Level.ERROR


@given(STEPS)
def test_nothing_is_told_twice_in_one_outage(steps: list[tuple[str, str | None, str | None, float]]) -> None:
    """Within one outage and one stay at a commit, a reason is told exactly once, the first time."""
    seen: dict[str, tuple[str | None, set[str]]] = {}
    for (about, reason, commit, _), (_, notice) in zip(steps, _run(steps), strict=True):
        if reason is None:
            seen.pop(about, None)
            continue
        at, reasons = seen.get(about, (commit, set()))
        if at != commit:
            reasons = set()
        assert (notice is not None) == (reason not in reasons)
        seen[about] = (commit, reasons | {reason})


@given(STEPS)
def test_recovery_is_told_once_with_how_long_it_lasted(steps: list[tuple[str, str | None, str | None, float]]) -> None:
    since: dict[str, float] = {}
    for (about, reason, _, _), (now, notice) in zip(steps, _run(steps), strict=True):
        if reason is not None:
            since.setdefault(about, now)
            continue
        began = since.pop(about, None)
        assert (notice is not None) == (began is not None)
        if notice is not None and began is not None:
            assert (notice.type, notice.object, notice.lasted) == (NoticeType.RECOVERED, about, now - began)


@given(STEPS)
def test_objects_do_not_hear_of_each_other(steps: list[tuple[str, str | None, str | None, float]]) -> None:
    all_told = [notice for _, notice in _run(steps) if notice]
    for about in OBJECTS:
        alone = [(one if one[0] == about else ("other", None, None, one[3])) for one in steps]
        mine = [notice for _, notice in _run(alone) if notice]
        assert [one for one in all_told if one.object == about] == mine


def test_months_of_troubles_take_no_more_room_than_the_last_commits() -> None:
    known = Outages()
    for number in range(1000):
        for reason in ("A", "B"):
            known, _ = known.with_failure("head", reason, f"c{number}", float(number))
    assert known.outages["head"].reasons == ("A", "B")
