"""The composition root: the only package that knows both the ports and what implements them.

A module for each thing that the command line does. Drivers are imported where they are needed: `validate` starts in a
quarter of a second because it needs none.
"""

from reconciler.wiring.authoring import Workshop, begin_repository, folder, new_repository, workshop
from reconciler.wiring.checkout import check_folder, checkout, format_folder, write_formatted
from reconciler.wiring.doctor import examine
from reconciler.wiring.importing import Imported, import_files
from reconciler.wiring.keeping import back_up, find_drift, heal_drift, restore
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
from reconciler.wiring.suspending import resume, suspend
from reconciler.wiring.verifying import verifier
from reconciler.wiring.watching import Watch, watch_folder

__all__ = [
    "EMBEDDED",
    "NO_HISTORY",
    "Imported",
    "Watch",
    "Workshop",
    "back_up",
    "begin_repository",
    "check_folder",
    "checkout",
    "examine",
    "example_repository",
    "find_drift",
    "folder",
    "format_folder",
    "has_embedded_history",
    "heal_drift",
    "import_files",
    "live_planner",
    "new_repository",
    "planner",
    "policies",
    "policy_engine",
    "reconciler",
    "restore",
    "resume",
    "scratch_repository",
    "service",
    "shipped",
    "suspend",
    "target",
    "test_policies",
    "verifier",
    "watch_folder",
    "workshop",
    "write_formatted",
]
