"""The laws of reconciling, of rebuilding and of looking back, with the history in a file of DuckDB's."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.duckdb.ledger import open_ledger
from reconciler.ledger.connection import RecordedBranch
from tests.reconcile import test_history_laws, test_laws
from tests.support.world import CLOCK, World

if TYPE_CHECKING:
    from collections.abc import Callable

LAWS: tuple[Callable[..., None], ...] = (
    test_laws.test_the_running_database_is_the_one_rebuilt_from_nothing,
    test_laws.test_every_commit_has_one_version_that_says_what_its_tree_is,
    test_laws.test_the_ledger_at_a_height_is_the_store_after_applying_it,
    test_laws.test_applying_twice_and_recording_twice_change_nothing,
    test_history_laws.test_a_row_is_shown_as_it_was_got,
    test_history_laws.test_what_a_force_push_dropped_is_shown_as_it_was_got,
    test_history_laws.test_a_diff_is_the_plan_from_one_commit_to_the_other,
    test_history_laws.test_the_changes_of_a_history_lead_to_what_is_there,
)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__.removeprefix("test_"))
def test_a_law_holds(law: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as opened:

        def make_world(repository: Path, **given: Any) -> World:
            folder = Path(opened.enter_context(TemporaryDirectory()))
            recorded = RecordedBranch("config", given.get("branch", "main"))
            ledger = opened.enter_context(open_ledger(folder, recorded, CLOCK))
            return World(repository, **{"ledger": ledger, **given})

        for module in (test_laws, test_history_laws):
            monkeypatch.setattr(module, "World", make_world)
        law()
