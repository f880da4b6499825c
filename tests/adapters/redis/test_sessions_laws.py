"""Whatever is done in whatever order: Redis and the dictionary answer alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from reconciler import canonical
from reconciler.adapters.redis.connection import Script, script
from reconciler.adapters.redis.sessions import RedisSessions
from reconciler.model.live import IDLE_TIMEOUT, RETENTION, NewSession, SessionCursor, to_milliseconds
from tests.support.laws import examples
from tests.support.memory.sessions import MemorySessions
from tests.support.valkey import ForwardClock, uuid

if TYPE_CHECKING:
    from reconciler.adapters.redis.connection import Connection

OWNERS = st.sampled_from([uuid(1), uuid(2)])
SESSIONS = st.sampled_from([uuid(number) for number in range(100, 106)])
SPANS = st.sampled_from([timedelta(milliseconds=1), timedelta(minutes=10), IDLE_TIMEOUT, timedelta(days=2), RETENTION])

CALENDAR = Script(
    script("when_full", "session").text + "return {stamp(tonumber(ARGV[6])), digits(moment(stamp(tonumber(ARGV[6]))))}",
    "0" * 40,
)


def machine(link: Connection) -> type[RuleBasedStateMachine]:
    """The two, side by side on one clock."""

    class Both(RuleBasedStateMachine):
        @initialize()
        def start(self) -> None:
            link.ask("FLUSHALL")
            self.clock = ForwardClock()
            self.real = RedisSessions(link, "user:", "user_id", clock=self.clock)
            self.model = MemorySessions(self.clock)

        @rule(session=SESSIONS, owner=OWNERS)
        def create(self, session: str, owner: str) -> None:
            new = NewSession(session, owner, "203.0.113.7", "hmac-sha256:" + "x" * 43)
            assert self.real.create(new) == self.model.create(new)

        @rule(session=SESSIONS, what=st.sampled_from(["get", "touch", "expire"]))
        def one(self, session: str, what: str) -> None:
            assert getattr(self.real, what)(session) == getattr(self.model, what)(session)

        @rule(owner=OWNERS)
        def expire_all(self, owner: str) -> None:
            assert self.real.expire_all(owner) == self.model.expire_all(owner)

        @rule(owner=OWNERS, limit=st.integers(1, 4), back=st.integers(0, 3_000_000), session=SESSIONS)
        def page(self, owner: str, limit: int, back: int, session: str) -> None:
            after = SessionCursor(to_milliseconds(self.clock.now()) - back, session) if back % 2 else None
            while True:
                real, model = self.real.page(owner, limit, after), self.model.page(owner, limit, after)
                assert real == model
                after = real.after
                if after is None:
                    return

        @rule(span=SPANS)
        def go_on(self, span: timedelta) -> None:
            self.clock.go_on(span)

        @invariant()
        def same_owners(self) -> None:
            if hasattr(self, "real"):
                assert set(self.real.owners()) == set(self.model.owners())

    return Both


@pytest.mark.hypothesis
def test_redis_and_the_dictionary_agree(link: Connection) -> None:
    run_state_machine_as_test(machine(link), settings=settings(max_examples=examples(60), stateful_step_count=25))


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moment=st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2999, 12, 31)))  # noqa: DTZ001
def test_scripts_have_our_calendar(moment: datetime, link: Connection) -> None:
    whole = moment.replace(tzinfo=UTC, microsecond=moment.microsecond // 1000 * 1000)
    number = to_milliseconds(whole)
    stamp, back = link.run(CALENDAR, (), ("", 1, 1, "user_id", "user:", number))
    assert stamp.decode() == canonical.timestamp(whole)
    assert int(back) == number
