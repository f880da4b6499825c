"""The sessions of this host as the command line asks for them."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from reconciler.errors import UsageError
from reconciler.wiring.application import application
from reconciler.wiring.origins import find_state
from reconciler.wiring.redis import desk, layout, server_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.live import Session
    from reconciler.sessions import SessionDesk
    from reconciler.settings import Settings
    from reconciler.wiring.application import Application


@contextmanager
def session_desk(settings: Settings) -> Iterator[SessionDesk]:
    """What carries out requests about sessions. Whose they are is asked of the live rows.

    Raises `NeedsHuman` for a host without sessions, and when the embedded server does not run.
    """
    from reconciler.adapters.redis.connection import connect

    with connect(server_url(settings, partial(find_state, settings))) as link:
        host = application(settings)
        yield desk(link, settings, lambda owner: layout().may_have_sessions(_row(host, owner)))


def owner_id(settings: Settings, word: str) -> str:
    """The key of an owner's row, given as it is or by the name in git. Raises `UsageError` when nobody is called so."""
    try:
        return str(UUID(word))
    except ValueError:
        found = application(settings).rows(layout().owner_kind, word)
        return str(found["rows"][0]["values"][found["key"]])


def session_record(session: Session) -> dict[str, str]:
    """A session by column."""
    return layout().record(session)


def new_session(owner: str, address: str, device: str, session_id: str | None) -> dict[str, str]:
    """What is asked for when a session is to begin, by column."""
    given = {layout().owner_column: owner, "ip_address": address, "device_fingerprint": device}
    return given if session_id is None else {"session_id": session_id, **given}


def _row(host: Application, owner: str) -> dict[str, Any] | None:
    try:
        found = host.rows(layout().owner_kind, owner)
    except UsageError:
        return None
    values: dict[str, Any] = found["rows"][0]["values"]
    return values
