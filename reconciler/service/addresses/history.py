"""The history."""

from __future__ import annotations

from typing import Final

from reconciler import answers, reviews
from reconciler.report.history import Blame
from reconciler.service.endpoint import (
    BASE,
    CURSOR,
    FILTER_PARAMETERS,
    HEAD,
    LIMIT,
    OF_BRANCH,
    OF_HOST,
    PAST,
    UNKNOWN_FILTER,
    read,
)
from reconciler.service.history import History

RECORDED: Final = (
    read(
        "/v1/resources/{kind}/{name}/history",
        History.changes,
        answers.Changes,
        PAST,
        "Every change of a resource",
        params=(LIMIT, CURSOR, OF_HOST, OF_BRANCH),
        slow=True,
    ),
    read(
        "/v1/resources/{kind}/{name}/blame",
        History.blame,
        Blame,
        PAST,
        "For each field the commit that last set it",
        params=(OF_HOST, OF_BRANCH),
        slow=True,
    ),
    read(
        "/v1/history",
        History.newest,
        answers.Changes,
        PAST,
        "The newest changes of all",
        params=(LIMIT, CURSOR, OF_HOST, OF_BRANCH),
        slow=True,
    ),
    read(
        "/v1/versions",
        History.versions,
        answers.Versions,
        PAST,
        "The recorded commits, newest first",
        params=(*FILTER_PARAMETERS, LIMIT, CURSOR, OF_HOST, OF_BRANCH),
        slow=True,
        refuses=UNKNOWN_FILTER,
    ),
    read(
        "/v1/versions/{revision}",
        History.version,
        answers.VersionWithChanges,
        PAST,
        "A commit, what it changed, and what became of it",
        params=(OF_HOST, OF_BRANCH),
        slow=True,
    ),
)
COMPARED: Final = (
    read(
        "/v1/diff",
        History.diff,
        reviews.Diff,
        PAST,
        "Compare two commits or points in time",
        params=(BASE, HEAD, OF_HOST, OF_BRANCH),
        slow=True,
    ),
)
ENDPOINTS: Final = (*RECORDED, *COMPARED)
