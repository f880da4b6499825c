"""A daemon that is killed at random moments while commits keep coming, and started again each time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.running import storms
from tests.running.hosts import check
from tests.support.processes import children

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import fronts

pytestmark = pytest.mark.slow

KILLS = 5


def test_killed_again_and_again(tmp_path: Path, front: fronts.RunningFront) -> None:
    chance = random.Random(4)
    host = storms.desk(tmp_path, front.url("killed"))
    with storms.commits(host, chance, pause=0.2):
        for _ in range(KILLS):
            storms.kill_at_random(host, chance, longest=0.6)
    with host.daemon() as daemon:
        check(host, daemon)
        assert children(daemon.process.pid)
        assert storms.check_events(host, daemon) > 2
