"""Pages of a host on which not all can be read: what can be is shown, beside why the rest is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from reconciler.adapters.duckdb.connection import FILE_NAME
from reconciler.service.local import LocalControl
from reconciler.service.pages import Pages
from reconciler.settings import load
from reconciler.web.pages.templates import render_page
from reconciler.wiring.local import local_host
from tests.support import configs
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.service.local import LocalHost


@pytest.fixture
def desk(tmp_path: Path) -> LocalHost:
    """A host whose rows are live."""
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({"ann.yaml": configs.user("ann")})
    found = local_host(load(None, {"repository.url": str(repo.path), "state.dir": str(tmp_path / "state")}, {}))
    LocalControl(found).sync("tests").result()
    return found


def test_a_table_that_was_dropped_leaves_the_other_rows(desk: LocalHost, tmp_path: Path) -> None:
    pages = Pages(desk.context())
    assert pages.overview()["trading"]["switches"]
    with duckdb.connect(str(tmp_path / "state" / FILE_NAME)) as store:
        store.execute("DROP TABLE main.account_config")
    page = pages.overview()
    assert page["trading"]["switches"] == []
    assert "was altered" in page["without_trading"]["message"]
    assert "was altered" in render_page("overview", page)
    found = pages.search({"q": "ann"})
    assert [one["kind"] for one in found["kinds"]] == ["User"]
    assert [one["kind"] for one in found["without_kinds"]] == ["Account"]
    assert "was not searched" in render_page("search", found)
