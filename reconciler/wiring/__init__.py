"""The composition root: the only package that knows both the ports and what implements them.

A module for each thing that the command line does. Drivers are imported where they are needed: `validate` starts in a
quarter of a second because it needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.wiring.application import Application, application, hurried
from reconciler.wiring.authoring import Workshop, begin_repository, folder, new_repository, workshop
from reconciler.wiring.checkout import check_folder, checkout, format_folder, write_formatted
from reconciler.wiring.doctor import examine
from reconciler.wiring.example import example_advice, example_settings
from reconciler.wiring.exporting import export_tables
from reconciler.wiring.importing import Imported, import_files
from reconciler.wiring.origins import target
from reconciler.wiring.policies import policies, policy_engine, test_policies
from reconciler.wiring.program import (
    EMBEDDED,
    NO_HISTORY,
    example_repository,
    has_embedded_history,
    new_token,
    scratch_repository,
    shipped,
)
from reconciler.wiring.sessions import new_session, owner_id, session_desk, session_record
from reconciler.wiring.stores import plan_ahead, planner
from reconciler.wiring.watching import Watch, watch_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from typing import TextIO

    from reconciler.settings import Settings
    from reconciler.wiring.daemon import Daemon


def daemon(
    settings: Settings, command: str, stream: TextIO, environ: Mapping[str, str]
) -> AbstractContextManager[Daemon]:
    """The daemon of a state folder; see `wiring.daemon`. Imported here: it takes all that there is."""
    from reconciler.wiring.daemon import daemon as whole

    return whole(settings, command, stream, environ)


__all__ = [
    "EMBEDDED",
    "NO_HISTORY",
    "Application",
    "Imported",
    "Watch",
    "Workshop",
    "application",
    "begin_repository",
    "check_folder",
    "checkout",
    "daemon",
    "examine",
    "example_advice",
    "example_repository",
    "example_settings",
    "export_tables",
    "folder",
    "format_folder",
    "has_embedded_history",
    "hurried",
    "import_files",
    "new_repository",
    "new_session",
    "new_token",
    "owner_id",
    "plan_ahead",
    "planner",
    "policies",
    "policy_engine",
    "scratch_repository",
    "session_desk",
    "session_record",
    "shipped",
    "target",
    "test_policies",
    "watch_folder",
    "workshop",
    "write_formatted",
]
