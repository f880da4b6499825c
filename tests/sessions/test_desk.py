"""Requests about sessions: who is let in, who is refused, and who loses what."""

from __future__ import annotations

from uuid import uuid4

import pytest

from reconciler.adapters.bundled import load_schema
from reconciler.errors import RetryLater
from reconciler.model.live import NewSession, Session, SessionPage
from reconciler.sessionlayout import read_layout
from reconciler.sessions import Refusal, SessionChecker, SessionService
from tests.support.memory.sessions import MemorySessions
from tests.support.valkey import ForwardClock, uuid

LAYOUT = read_layout(load_schema("session_state"))
ANN, BEN, NOBODY = uuid(1), uuid(2), uuid(3)


class Rows:
    """The live rows' answer to whether somebody may have sessions."""

    def __init__(self) -> None:
        self.said: dict[str, bool] = {ANN: True, BEN: False}
        self.away = False

    def __call__(self, owner: str) -> bool | None:
        if self.away:
            raise RetryLater("the store is in use")
        return self.said.get(owner)


@pytest.fixture
def rows() -> Rows:
    """One owner who may, and one who may not."""
    return Rows()


@pytest.fixture
def sessions() -> MemorySessions:
    """No sessions yet."""
    return MemorySessions(ForwardClock())


@pytest.fixture
def desk(sessions: MemorySessions, rows: Rows) -> SessionService:
    """Where requests go."""
    return SessionService(sessions, rows, SessionChecker(LAYOUT, uuid4), LAYOUT)


def request(owner: str = ANN, **more: str) -> dict[str, str]:
    """A request for a session."""
    return {"user_id": owner, "ip_address": "203.0.113.7", "device_fingerprint": "a phone", **more}


def codes(found: object) -> list[tuple[str, str]]:
    """Code and pointer of a refusal."""
    assert isinstance(found, tuple), found
    return [(one.code, one.pointer) for one in found]


def begun(desk: SessionService, owner: str = ANN) -> Session:
    """A session that has begun."""
    found = desk.create(request(owner))
    assert isinstance(found, Session), found
    return found


def test_who_may_gets_a_session(desk: SessionService) -> None:
    session = begun(desk)
    assert session.is_active
    assert desk.get(session.id) == session
    assert desk.get(session.id.upper()) == session
    assert desk.page(ANN) == SessionPage((session,))


def test_who_is_switched_off_gets_none(desk: SessionService, sessions: MemorySessions) -> None:
    found = desk.create(request(BEN))
    assert codes(found) == [("not-allowed", "/user_id")]
    assert isinstance(found, tuple)
    assert "status ACTIVE" in found[0].message
    assert sessions.page(BEN, 10).sessions == ()


def test_who_is_unknown_gets_none(desk: SessionService) -> None:
    found = desk.create(request(NOBODY))
    assert codes(found) == [("dangling-reference", "/user_id")]


def test_an_id_that_is_taken(desk: SessionService) -> None:
    session = begun(desk)
    assert codes(desk.create(request(session_id=session.id))) == [("duplicate-id", "/session_id")]
    assert desk.get(session.id) == session


def test_who_is_switched_off_meanwhile_has_no_session_left(rows: Rows) -> None:
    class SwitchedOffMeanwhile(MemorySessions):
        def create(self, new: NewSession) -> Session | None:
            rows.said[ANN] = False
            self.expire_all(ANN)
            return super().create(new)

    sessions = SwitchedOffMeanwhile(ForwardClock())
    desk = SessionService(sessions, rows, SessionChecker(LAYOUT, uuid4), LAYOUT)
    assert codes(desk.create(request())) == [("not-allowed", "/user_id")]
    assert [one.is_active for one in sessions.page(ANN, 10).sessions] == [False]


def test_while_nobody_knows_the_rows_no_session_begins_or_ends(desk: SessionService, rows: Rows) -> None:
    session = begun(desk)
    rows.away = True
    with pytest.raises(RetryLater):
        desk.create(request())
    assert desk.get(session.id) == session


def test_touch_and_expire(desk: SessionService) -> None:
    session = begun(desk)
    touched = desk.touch(session.id)
    assert isinstance(touched, Session)
    assert touched.is_active
    ended = desk.expire(session.id)
    assert isinstance(ended, Session)
    assert not ended.is_active
    assert desk.touch(session.id) == ended
    assert desk.expire_all(ANN) == 0


@pytest.mark.parametrize("what", ["get", "touch", "expire"])
def test_what_is_not_there_and_what_is_no_id(desk: SessionService, what: str) -> None:
    assert getattr(desk, what)(uuid(99)) is None
    assert codes(getattr(desk, what)("*")) == [("bad-format", "/session_id")]


def test_pages_go_on_where_they_say(desk: SessionService) -> None:
    all_of_them = {begun(desk).id for _ in range(5)}
    found, cursor = set(), None
    while True:
        page = desk.page(ANN, 2, cursor)
        assert isinstance(page, SessionPage)
        found |= {one.id for one in page.sessions}
        if page.after is None:
            break
        cursor = str(page.after)
    assert found == all_of_them


def test_all_that_is_wrong_with_a_page_is_told() -> None:
    desk = SessionService(MemorySessions(ForwardClock()), Rows(), SessionChecker(LAYOUT, uuid4), LAYOUT)
    found: SessionPage | Refusal = desk.page("*", 0, "x")
    assert sorted(codes(found)) == [("bad-format", "/cursor"), ("bad-format", "/user_id"), ("out-of-range", "/limit")]


def test_the_rows_decide_by_the_columns_that_the_schema_names() -> None:
    assert LAYOUT.may_have_sessions({"status": "ACTIVE", "user_id": ANN}) is True
    assert LAYOUT.may_have_sessions({"status": "INACTIVE"}) is False
    assert LAYOUT.may_have_sessions({}) is False
    assert LAYOUT.may_have_sessions(None) is None
