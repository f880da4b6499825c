"""The rows of the endpoint table for what changes a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler import answers
from reconciler.report.sync import Sync
from reconciler.report.verification import Restored, Verification
from reconciler.service.endpoint import (
    BY,
    FLAG,
    MAX_TEXT,
    NO_FILE,
    NO_REASON,
    Endpoint,
    Field,
    Role,
    Runs,
    check_text,
    text,
)
from reconciler.service.host import HostControl

if TYPE_CHECKING:
    from collections.abc import Callable

WORK = "Operations"


def _operation(
    path: str, call: Callable[..., Any], answer: Any, summary: str, *fields: Field, slow: bool = True
) -> Endpoint:
    return Endpoint(
        "POST",
        path,
        call,
        summary,
        WORK,
        answer,
        body=(*fields[:1], BY, *fields[1:]),
        role=Role.OPERATE,
        runs=Runs.OPERATIONS,
        slow=slow,
    )


OPERATIONS: Final = (
    _operation(
        "/v1/sync",
        HostControl.sync,
        Sync,
        "Reconcile once; answered when this request was handled",
        Field(
            "approve",
            str,
            text(description="the sha of a refused commit to let through", maxLength=MAX_TEXT),
            check=check_text,
        ),
        Field("force", bool, {**FLAG, "description": "also while suspended"}),
        Field("rejudge", bool, {**FLAG, "description": "judge all commits of the history again"}),
        Field(
            "branch",
            str,
            text(description="only if this is the branch that is followed", maxLength=MAX_TEXT),
            check=check_text,
        ),
    ),
    _operation("/v1/heal", HostControl.heal, answers.Drift, "Make the live rows what git says"),
    _operation("/v1/verify", HostControl.verify, Verification, "Compare the history and the live rows with git"),
    _operation("/v1/backup", HostControl.back_up, answers.Backup, "Copy the store"),
    _operation(
        "/v1/restore",
        HostControl.restore,
        Restored,
        "Replace the store by a backup",
        Field(
            "file",
            str,
            text(description="a backup on this host", minLength=1, maxLength=MAX_TEXT),
            required=True,
            missing=NO_FILE,
            check=check_text,
        ),
    ),
    _operation(
        "/v1/suspend",
        HostControl.suspend,
        answers.Suspension,
        "Stop reconciling",
        Field(
            "reason",
            str,
            text(description="why", minLength=1, maxLength=MAX_TEXT),
            required=True,
            missing=NO_REASON,
            check=check_text,
        ),
        Field(
            "until",
            str,
            text(description="a span such as `2h`, or a moment with its zone", maxLength=MAX_TEXT),
            check=check_text,
        ),
        slow=False,
    ),
    _operation("/v1/resume", HostControl.resume, answers.Resumed, "Start reconciling again", slow=False),
)
