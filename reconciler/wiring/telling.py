"""What the daemon's log says of troubles: that one began, that it is another one now, that it is over."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from reconciler.daemon.transitions import News, Transitions
from reconciler.errors import NeedsHuman, ReconcilerError
from reconciler.model.level import Level
from reconciler.model.trouble import Outlook

if TYPE_CHECKING:
    from reconciler.daemon.board import Board, Turn
    from reconciler.daemon.transitions import Notice
    from reconciler.ports import Log

HISTORY = "History"


class Telling:
    """Hears of the board's turns, from any thread."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._guard = threading.Lock()
        self._known = Transitions()

    def hear(self, turn: Turn) -> None:
        """Something came, changed or went."""
        now = time.monotonic()
        with self._guard:
            if turn.after is not None:
                level = Level.ERROR if turn.after.outlook is Outlook.STALLED else Level.WARN
                self._known, notice = self._known.troubled(turn.after.about, turn.after.reason, None, now, level)
            else:
                assert turn.before is not None
                self._known, notice = self._known.well(turn.before.about, now)
        if notice is not None:
            self._say(notice, turn)

    def _say(self, notice: Notice, turn: Turn) -> None:
        if notice.news is News.RECOVERED:
            self._log.event("Recovered", about=notice.object, reason=notice.reason, lasted_s=round(notice.lasted, 1))
        elif turn.after is not None:
            after = turn.after
            message = f"{after.message} ({after.hint})" if after.hint else after.message
            self._log.event(notice.reason, message, level=notice.level, about=notice.object)


def history_trouble(board: Board, log: Log, error: Exception | None) -> None:
    """Shipping failed, or works again (None)."""
    if error is None:
        board.well(HISTORY)
    elif isinstance(error, ReconcilerError):
        outlook = Outlook.STALLED if isinstance(error, NeedsHuman) else Outlook.RETRYING
        board.trouble(HISTORY, outlook, type(error).__name__, str(error), error.hint)
    else:
        log.event("Bug", str(error), level=Level.ERROR, error=error)
        board.trouble(
            HISTORY, Outlook.RETRYING, "UnexpectedError", str(error), "this is a bug; its trace is in the log"
        )
