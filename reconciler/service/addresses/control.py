"""What changes a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler import answers
from reconciler.report.halts import Drilled, Halted, Released
from reconciler.report.rollback import RollbackEnded, WentBack
from reconciler.report.sync import Sync
from reconciler.report.verification import Restored, Verification
from reconciler.service.control import Backup, HostControl, Resumed
from reconciler.service.endpoint import (
    BY,
    FLAG,
    MAX_TEXT,
    NO_FILE,
    NO_HALT_REASON,
    NO_REASON,
    Endpoint,
    Field,
    Role,
    Runs,
    check_text,
    check_texts,
    text,
)
from reconciler.service.halts import MAX_NAMES, HaltChoice
from reconciler.service.limits import MAX_SELECTOR
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Struct

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


def _urgent(
    path: str,
    call: Callable[..., Any],
    answer: Any,
    summary: str,
    *fields: Field,
    gathers: tuple[str, type[Struct]] | None = None,
) -> Endpoint:
    """An operation that waits for no other."""
    made = _operation(path, call, answer, summary, *fields, slow=False)
    return replace(made, runs=Runs.URGENT, gathers=gathers)


ROLLBACK_REASON: Final = Field(
    "reason",
    str,
    text(description="why", minLength=1, maxLength=MAX_TEXT),
    required=True,
    missing=("there is no reason", "say why, for whoever finds this host rolled back"),
    check=check_text,
)
REASON = Field(
    "reason",
    str,
    text(description="why", minLength=1, maxLength=MAX_TEXT),
    required=True,
    missing=NO_HALT_REASON,
    check=check_text,
)
CHOICE = (
    Field("kind", str, text(description="only of this kind; names need one", maxLength=MAX_TEXT), check=check_text),
    Field(
        "names",
        list,
        {
            "type": "array",
            "items": text(minLength=1, maxLength=MAX_TEXT),
            "maxItems": MAX_NAMES,
            "description": "names or ids of resources of the kind",
        },
        check=check_texts,
    ),
    Field(
        "label",
        str,
        text(description="those with these labels, now and later, as in `label` of a read", maxLength=MAX_SELECTOR),
    ),
    Field("all", bool, {**FLAG, "description": "whatever there is of the kind or of all kinds, now and later"}),
)
"""What is halted or released: exactly one of names, label and all."""
GATHERED = ("choice", HaltChoice)

ENDPOINTS: Final = (
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
    _operation("/v1/backup", HostControl.back_up, Backup, "Copy the store"),
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
    _operation("/v1/resume", HostControl.resume, Resumed, "Start reconciling again", slow=False),
    _operation(
        "/v1/rollback",
        HostControl.roll_back,
        WentBack,
        "Go back to an earlier applied commit",
        ROLLBACK_REASON,
        Field(
            "to",
            str,
            text(description="a commit that was live here; by default the one before", maxLength=MAX_TEXT),
            check=check_text,
        ),
    ),
    _operation(
        "/v1/rollback/end",
        HostControl.end_rollback,
        RollbackEnded,
        "Let the head through again",
        ROLLBACK_REASON,
        slow=False,
    ),
    _urgent(
        "/v1/halt",
        HostControl.halt,
        Halted,
        "Switch off what is named, whatever git says: it opens nothing new, and closes nothing",
        REASON,
        *CHOICE,
        gathers=GATHERED,
    ),
    _urgent(
        "/v1/release",
        HostControl.release,
        Released,
        "Let be again what git says of what was halted",
        REASON,
        *CHOICE,
        gathers=GATHERED,
    ),
    _urgent("/v1/drill", HostControl.drill, Drilled, "Halt and release some rows of a copy of the store"),
)
