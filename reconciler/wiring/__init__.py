"""The composition root: the only package that knows both the ports and what implements them.

A module for each thing that the command line does. Drivers are imported where they are needed: `validate` starts in a
quarter of a second because it needs none.
"""

from reconciler.wiring.authoring import Workshop, begin_repository, folder, new_repository, workshop
from reconciler.wiring.checkout import check_folder, checkout, format_folder, write_formatted
from reconciler.wiring.importing import Imported, import_files
from reconciler.wiring.policies import policies, policy_engine, test_policies
from reconciler.wiring.program import (
    EMBEDDED,
    NO_HISTORY,
    example_repository,
    has_embedded_history,
    scratch_repository,
    shipped,
)
from reconciler.wiring.stores import live_planner, planner, reconciler, service, target
from reconciler.wiring.watching import Watch, watch_folder

__all__ = [
    "EMBEDDED",
    "NO_HISTORY",
    "Imported",
    "Watch",
    "Workshop",
    "begin_repository",
    "check_folder",
    "checkout",
    "example_repository",
    "folder",
    "format_folder",
    "has_embedded_history",
    "import_files",
    "live_planner",
    "new_repository",
    "planner",
    "policies",
    "policy_engine",
    "reconciler",
    "scratch_repository",
    "service",
    "shipped",
    "target",
    "test_policies",
    "watch_folder",
    "workshop",
    "write_formatted",
]
