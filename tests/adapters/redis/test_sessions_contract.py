"""What every implementation of the port `Sessions` does."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.model.live import (
    IDLE_TIMEOUT,
    RETENTION,
    NewSession,
    Session,
    SessionCursor,
    SessionStatus,
    to_milliseconds,
)
from tests.support.valkey import uuid

if TYPE_CHECKING:
    from reconciler.redisports import Sessions
    from tests.support.valkey import ForwardClock

ANN, BEN = uuid(1), uuid(2)
MOMENT = timedelta(milliseconds=1)


def new(number: int, owner: str = ANN) -> NewSession:
    """A session that is to begin."""
    return NewSession(uuid(1000 + number), owner, "2001:db8::7", "hmac-sha256:" + "Zm9v" * 10)


def ids(found: tuple[Session, ...]) -> list[str]:
    """The ids of sessions."""
    return [one.id for one in found]


def begin(sessions: Sessions, number: int, owner: str = ANN) -> Session:
    """A session that has begun."""
    session = sessions.create(new(number, owner))
    assert session is not None
    return session


def test_a_session_is_what_was_given(sessions: Sessions, clock: ForwardClock) -> None:
    clock.go_on(timedelta(microseconds=123_456))
    session = begin(sessions, 1)
    rounded = clock.now().replace(microsecond=123_000)
    assert session == Session(
        uuid(1001), ANN, "2001:db8::7", rounded, "hmac-sha256:" + "Zm9v" * 10, SessionStatus.ACTIVE
    )
    assert sessions.get(session.id) == session


def test_an_id_is_given_once(sessions: Sessions) -> None:
    session = begin(sessions, 1)
    assert sessions.create(new(1, BEN)) is None
    assert sessions.get(session.id) == session
    assert sessions.page(BEN, 10).sessions == ()


def test_what_is_not_there(sessions: Sessions) -> None:
    assert sessions.get(uuid(5)) is None
    assert sessions.touch(uuid(5)) is None
    assert sessions.expire(uuid(5)) is None
    assert sessions.expire_all(uuid(5)) == 0
    assert sessions.page(uuid(5), 10).sessions == ()
    assert sessions.owners() == ()


def test_a_touch_moves_it_on(sessions: Sessions, clock: ForwardClock) -> None:
    session = begin(sessions, 1)
    clock.go_on(IDLE_TIMEOUT - MOMENT)
    touched = sessions.touch(session.id)
    assert touched is not None
    assert touched.last_active == clock.now()
    clock.go_on(IDLE_TIMEOUT - MOMENT)
    found = sessions.get(session.id)
    assert found == touched
    assert found.is_active


def test_a_clock_that_goes_back_takes_nothing_away(sessions: Sessions, clock: ForwardClock) -> None:
    session = begin(sessions, 1)
    clock.go_on(-timedelta(hours=5))
    assert sessions.touch(session.id) == session


@pytest.mark.parametrize("look", ["get", "touch", "expire", "page", "expire_all"])
def test_an_idle_session_expires_and_stays_so(sessions: Sessions, clock: ForwardClock, look: str) -> None:
    session = begin(sessions, 1)
    clock.go_on(IDLE_TIMEOUT)
    if look in {"page", "expire_all"}:
        getattr(sessions, look)(ANN, *([10] if look == "page" else []))
    else:
        getattr(sessions, look)(session.id)
    clock.go_on(-IDLE_TIMEOUT)
    found = sessions.get(session.id)
    assert found is not None
    assert (found.status, found.last_active) == (SessionStatus.EXPIRED, session.last_active)
    assert sessions.touch(session.id) == found


def test_it_is_readable_for_seven_days(sessions: Sessions, clock: ForwardClock) -> None:
    session = begin(sessions, 1)
    sessions.expire(session.id)
    clock.go_on(RETENTION - MOMENT)
    assert sessions.get(session.id) is not None
    assert ids(sessions.page(ANN, 10).sessions) == [session.id]
    clock.go_on(MOMENT)
    assert sessions.get(session.id) is None
    assert sessions.page(ANN, 10).sessions == ()
    assert sessions.owners() == ()


def test_all_of_one_owner_end(sessions: Sessions, clock: ForwardClock) -> None:
    mine = [begin(sessions, number) for number in range(3)]
    other = begin(sessions, 9, BEN)
    sessions.expire(mine[0].id)
    assert sorted(sessions.owners()) == [ANN, BEN]
    assert sessions.expire_all(ANN) == 2
    assert sessions.expire_all(ANN) == 0
    assert {one.status for one in sessions.page(ANN, 10).sessions} == {SessionStatus.EXPIRED}
    assert sessions.get(other.id) == other
    assert sessions.owners() == (BEN,)


def test_one_that_begins_in_the_same_moment_is_not_ended(sessions: Sessions) -> None:
    begin(sessions, 1)
    sessions.expire_all(ANN)
    later = begin(sessions, 2)
    assert later.is_active
    assert sessions.get(later.id) == later
    assert sessions.owners() == (ANN,)


def test_pages_have_each_session_once_the_last_used_first(sessions: Sessions, clock: ForwardClock) -> None:
    for number in range(11):
        begin(sessions, number)
        if number % 3 == 0:
            clock.go_on(MOMENT)  # two or three are of the same moment
    found: list[Session] = []
    after = None
    while True:
        page = sessions.page(ANN, 4, after)
        found += page.sessions
        after = page.after
        if after is None:
            break
    assert len(found) == len(set(ids(tuple(found)))) == 11
    assert found == sorted(found, key=lambda one: (one.last_active, one.id), reverse=True)


def test_a_page_goes_on_after_what_has_moved(sessions: Sessions, clock: ForwardClock) -> None:
    for number in range(4):
        begin(sessions, number)
        clock.go_on(MOMENT)
    page = sessions.page(ANN, 2)
    assert ids(page.sessions) == [uuid(1003), uuid(1002)]
    sessions.touch(uuid(1002))
    assert ids(sessions.page(ANN, 2, page.after).sessions) == [uuid(1001), uuid(1000)]


def test_the_last_page_says_so(sessions: Sessions) -> None:
    begin(sessions, 1)
    begin(sessions, 2)
    assert sessions.page(ANN, 2).after is None
    first = sessions.page(ANN, 1)
    assert first.after == SessionCursor(to_milliseconds(first.sessions[0].last_active), first.sessions[0].id)
    assert sessions.page(ANN, 1, first.after).after is None
