"""Random days of a host: after each event its answers are those of a model, and later so is each moment that was."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.machine import SystemClock
from tests.running.days import Days
from tests.running.happenings import EVENTS
from tests.support.valkey import server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import fronts

pytestmark = pytest.mark.slow

EVENTS_PER_MOMENT = 4
"""For 2,000 events, what was live is asked for 500 moments."""


@pytest.fixture(autouse=True)
def one_time(monkeypatch: pytest.MonkeyPatch, one_engine: None) -> None:
    """Commands go by the clock that daemons go by."""
    monkeypatch.setattr(SystemClock, "now", lambda self: datetime.now(UTC))


@pytest.mark.timeout(900)
def test_answers_are_those_of_the_model(tmp_path: Path, front: fronts.RunningFront) -> None:
    run(tmp_path, front.url("days"), 0, 24)


@pytest.mark.timeout(900)
def test_answers_of_an_embedded_history_are_those_of_the_model(tmp_path: Path) -> None:
    run(tmp_path, "chdb", 2, 8)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_answers_are_those_of_the_model_for_long(tmp_path: Path) -> None:
    """$TEST_SEED repeats a run, $TEST_EVENTS makes it longer or shorter."""
    seed = int(os.environ.get("TEST_SEED") or random.SystemRandom().randrange(1_000_000))
    run(tmp_path, "chdb", seed, int(os.environ.get("TEST_EVENTS", "2000")))


def run(folder: Path, history: str, seed: int, events: int) -> None:
    """So many random events, each followed by questions; at the end what was live at random moments of all that."""
    print(f"seed {seed}", flush=True)  # noqa: T201  to have the same run again
    began, happened = time.monotonic(), list[str]()
    choose = random.Random(seed)
    with server() as redis, closing(Days.begin(folder, history, redis.url)) as days:
        days.start()
        days.check()
        try:
            while len(happened) < events:
                (event,) = choose.choices(list(EVENTS), list(EVENTS.values()))
                days.chance = random.Random(choose.random())
                if event(days):
                    happened.append(event.__name__)
                    days.settle()
                    days.check()
                    if len(happened) % 100 == 0:
                        print(f"{len(happened)} events, {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
            moments = ask_moments(days, choose, events // EVENTS_PER_MOMENT)
        except BaseException as error:
            error.add_note(f"seed {seed}, {len(happened)} events, the last: {', '.join(happened[-20:])}")
            raise
    figures = ", ".join(f"{count} {name}" for name, count in Counter(happened).most_common())
    print(f"{events} events ({figures}), {moments} moments, {time.monotonic() - began:.0f} s")  # noqa: T201


def ask_moments(days: Days, choose: random.Random, moments: int) -> int:
    """What was live at so many random moments is what was live then."""
    for _ in range(moments):
        period = choose.choice(days.expected.periods)
        moment = period.since + timedelta(seconds=choose.uniform(0, (period.until - period.since).total_seconds()))
        assert days.shown(moment) == period.risks, moment
    return moments
