"""The process that policies run in: `python -m reconciler.adapters.duckdb.sandbox.child`.

Requests come pickled on stdin, from the process that started this one; answers go out as JSON, a line each. It ends
when stdin does, and by itself when a policy does not stop.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import time
from typing import TYPE_CHECKING

from reconciler.adapters.duckdb.sandbox import confining, looking
from reconciler.adapters.duckdb.sandbox.asking import Judge
from reconciler.adapters.duckdb.sandbox.database import Database
from reconciler.adapters.duckdb.sandbox.messages import Advance, Answer, Ask, Batch, Fill, Load, Look, Seen
from reconciler.adapters.duckdb.sandbox.reading import Planner

if TYPE_CHECKING:
    from collections.abc import Iterator

    Request = Load | Advance | Ask | Batch | Fill | Look


def main() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for the process that started this one
    confining.limit_memory()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not look like an answer
    database, planner = Database(), Planner()
    judge = Judge(database, planner)
    planner.warm_up()
    looking.warm_up(database.connection)
    confining.close_doors()
    for request in _requests():
        for answer in _answers(database, judge, request):
            answers.write(json.dumps(answer).encode() + b"\n")
            answers.flush()


def _answers(database: Database, judge: Judge, request: Request) -> Iterator[Answer | Seen]:
    if isinstance(request, Batch):
        end = time.monotonic() + request.seconds
        for ask in request.asks:
            yield judge.answer(ask.sql, ask.seconds) if time.monotonic() < end else Answer(late=True)
    elif isinstance(request, Ask):
        yield judge.answer(request.sql, request.seconds)
    elif isinstance(request, Look):
        yield looking.look(database.connection, request)
    elif isinstance(request, Fill):
        yield looking.fill(database.connection, request)
    else:
        yield database.load(request) if isinstance(request, Load) else database.advance(request)


def _requests() -> Iterator[Request]:
    while True:
        try:
            yield pickle.load(sys.stdin.buffer)  # noqa: S301  our own process is at the other end
        except EOFError:
            return


if __name__ == "__main__":
    main()
