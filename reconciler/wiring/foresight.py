"""What the daemon is asked about its kinds, and about what comes next: for any thread, beside the operations one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.answers import to_json
from reconciler.report.authoring import build_kind_summary
from reconciler.report.plans import build_plan
from reconciler.wiring.answers import found_kind
from reconciler.wiring.origins import target
from reconciler.wiring.program import shipped
from reconciler.wiring.stores import planner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.adapters.duckdb.keeper import Keeper
    from reconciler.kinds.kind import Kinds
    from reconciler.settings import Settings

    Answer = dict[str, Any]

SHIPPED, OWN = "shipped", "repository"
"""Where a kind is from."""


class Foresight:
    """The kinds in force, and the plan of the branch's head. `known` gives the kinds that the live rows have."""

    def __init__(self, settings: Settings, keeper: Keeper, known: Callable[[], Kinds]) -> None:
        self._settings, self._keeper, self._known = settings, keeper, known

    def kinds(self) -> Answer:
        """The kinds that live rows may be of, in order of their names."""
        ours = {kind.name: kind.digest for kind in shipped().kinds}
        return {
            "kinds": [
                to_json(build_kind_summary(kind, SHIPPED if ours.get(kind.name) == kind.digest else OWN))
                for kind in self._known()
            ]
        }

    def kind(self, word: str) -> Answer:
        """The JSON Schema of a kind. Raises `UsageError` when there is none."""
        return dict(found_kind(self._known(), word).schema)

    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schemas of all kinds by their names."""
        return {kind.name: kind.schema for kind in self._known()}

    def plan(self) -> Answer:
        """What the branch's head would change in the live rows, as git was when it was last looked at."""
        with target(self._settings) as at, self._keeper.reading() as store:
            plan, _ = planner_of(at.source, at.folder).plan_sync(store, at.branch)
            return to_json(build_plan(plan))
