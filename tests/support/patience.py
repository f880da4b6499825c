"""How long tests wait for what must happen: so long that no machine is too busy for it.

Nothing is asserted to be quick. What must not be waited for is given a time that no test has, such as `NEVER`.
$TEST_PATIENCE makes every deadline so many times as long.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE = 60.0 * float(os.environ.get("TEST_PATIENCE", "1"))
NEVER = 3600.0
"""Seconds after which a test has long been ended."""
PAUSE, LONGEST_PAUSE = 0.01, 0.25


def until(holds: Callable[[], bool], why: Callable[[], object] = lambda: "", seconds: float = DEADLINE) -> None:
    """Wait until something holds. The longer it takes, the less often is it looked at: that keeps both sides busy."""
    limit, pause = time.monotonic() + seconds, PAUSE
    while not holds():
        assert time.monotonic() < limit, f"it did not happen within {seconds:g} s: {why()}"
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
