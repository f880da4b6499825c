"""Run every benchmark, or those named on the command line, each in a temporary folder."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import (
    decode,
    drift,
    following,
    living,
    memory,
    noticing,
    past,
    planning,
    policies,
    publishing,
    reading,
    sessions,
    syncing,
    validating,
)

ALL = {
    "first-sync": syncing.first_sync,
    "one-file": syncing.one_file_after_many,
    "history": syncing.long_history,
    "drift": drift.drift,
    "decode": decode.files,
    "start": validating.start,
    "validate": validating.many_files,
    "against-peers": validating.beside_peers,
    "watch": validating.watch,
    "plan": planning.one_file_among_many,
    "notice": noticing.commits,
    "policies": policies.one_row,
    "live": living.commits,
    "publish": publishing.one_row,
    "read": reading.during_an_apply,
    "memory": memory.commits,
    "sessions": sessions.operations,
    "look-up": sessions.look_ups,
    "past": past.questions,
    "follow": following.streams,
}


def main() -> None:
    """Print one line for each measurement."""
    for name in sys.argv[1:] or ALL:
        with tempfile.TemporaryDirectory() as folder:
            for figure in ALL[name](Path(folder)):
                print(f"{figure.what:<58} {figure.measured:>12}   target {figure.target}", flush=True)


main()
