"""The standing halts, as their file has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.model.host import ConditionSeverity, HostCondition
from reconciler.status import HALTS

if TYPE_CHECKING:
    from reconciler.adapters.haltfile import HaltFile
    from reconciler.model.halt import Halts
    from reconciler.ports import Clock


def read_halts(file: HaltFile, clock: Clock) -> tuple[Halts | None, tuple[HostCondition, ...]]:
    """The halts of a file; None where it cannot be read, and what to say of that."""
    try:
        return file.read(), ()
    except ReconcilerError as error:
        reason, now = type(error).__name__, clock.now()
        return None, (HostCondition(HALTS, ConditionSeverity.STALLED, reason, str(error), error.hint, now),)
