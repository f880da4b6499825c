"""One ClickHouse front for all daemons of a worker: its engine takes longer to start than they do.

Tests marked `soak` take minutes or repeat others with more of the same: `make soak` runs them, `make test` does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import fronts

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_configure(config: pytest.Config) -> None:
    """The mark that these tests have."""
    config.addinivalue_line("markers", "soak: takes minutes, or more of the same; for `make soak`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave them out, unless somebody asks for marks."""
    if not config.option.markexpr:
        long = [item for item in items if item.get_closest_marker("soak")]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fronts.RunningFront]:
    """It serves; a test that breaks it has one of its own."""
    with fronts.running(tmp_path_factory.mktemp("front") / "engine") as front:
        yield front
