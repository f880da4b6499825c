"""One ClickHouse front for all daemons of a worker: its engine takes longer to start than they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import fronts

pytest.register_assert_rewrite("tests.running.days", "tests.running.happenings")

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fronts.RunningFront]:
    """It serves; a test that breaks it has one of its own."""
    with fronts.running(tmp_path_factory.mktemp("front") / "engine") as front:
        yield front
