"""What is halted."""

from __future__ import annotations

from typing import Final

from reconciler.report.halts import Halts
from reconciler.service.endpoint import (
    NOW,
    read,
)
from reconciler.service.halts import HaltList

ENDPOINTS: Final = (
    read("/v1/halts", HaltList.all, Halts, NOW, "What is halted, and when a drill last proved that halting works"),
)
