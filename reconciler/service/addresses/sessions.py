"""Sessions of users."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from reconciler import answers
from reconciler.report.sessions import Ended
from reconciler.report.sessions import Sessions as SessionList
from reconciler.service.endpoint import (
    CURSOR,
    OWNER,
    SESSION_LIMIT,
    SESSIONS,
    UNKNOWN_PARAMETER,
    Endpoint,
    Role,
    Runs,
)
from reconciler.service.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    Json = dict[str, Any]


def _session(method: str, path: str, call: Callable[..., Any], answer: Any, summary: str, **more: Any) -> Endpoint:
    defaults: Json = {"role": Role.OPERATE if method == "POST" else Role.READ, "runs": Runs.SESSIONS}
    return Endpoint(method, path, call, summary, SESSIONS, answer, **defaults | more)


ENDPOINTS: Final = (
    _session(
        "GET",
        "/v1/sessions",
        Sessions.page,
        SessionList,
        "The sessions of an owner, the one used last first",
        params=(OWNER, SESSION_LIMIT, CURSOR),
        tagged=True,
        runs=Runs.OWNERS,
        refuses=UNKNOWN_PARAMETER,
    ),
    _session(
        "GET",
        "/v1/sessions/{session_id}",
        Sessions.get,
        answers.Session,
        "A session",
        tagged=True,
        also=(HTTPStatus.NOT_FOUND,),
    ),
    _session(
        "POST",
        "/v1/sessions",
        Sessions.create,
        answers.Session,
        "Begin a session",
        body=(),
        status=HTTPStatus.CREATED,
        runs=Runs.OWNERS,
    ),
    _session(
        "POST",
        "/v1/sessions/{session_id}/touch",
        Sessions.touch,
        answers.Session,
        "Use a session",
        also=(HTTPStatus.NOT_FOUND,),
    ),
    _session(
        "POST",
        "/v1/sessions/{session_id}/expire",
        Sessions.expire,
        answers.Session,
        "End a session",
        also=(HTTPStatus.NOT_FOUND,),
    ),
    _session(
        "POST",
        "/v1/sessions/expire",
        Sessions.expire_all,
        Ended,
        "End all sessions of an owner",
        params=(OWNER,),
        runs=Runs.OWNERS,
        refuses=UNKNOWN_PARAMETER,
    ),
)
