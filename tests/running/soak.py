"""What takes minutes: `make soak`. Not among the tests that `make test` finds."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.running import storms
from tests.running.hosts import check
from tests.support import fronts

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(3600)
KILLS = 200


def test_killed_two_hundred_times(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    print("seed", seed)  # noqa: T201  to have the same storm again
    chance = random.Random(seed)
    with fronts.running(tmp_path / "engine") as front:
        host = storms.desk(tmp_path, front.url("killed"))
        with storms.commits(host, chance, pause=0.5):
            for _ in range(KILLS):
                storms.kill_at_random(host, chance, longest=1.5)
        with host.daemon() as daemon:
            check(host, daemon)
            print(host.repo.rev_count(), "commits", storms.check_events(host, daemon), "events")  # noqa: T201
