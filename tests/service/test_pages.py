"""Pages of a host on which not all can be read: what can be is shown, beside why the rest is not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from reconciler.adapters.duckdb.connection import FILE_NAME
from reconciler.errors import RetryLater
from reconciler.service import tradingpage
from reconciler.service.eventpage import list_events
from reconciler.service.localcontrol import LocalControl
from reconciler.service.pages import Pages
from reconciler.service.tradingpage import TradingPage
from reconciler.service.waitingplan import WaitingPlan
from reconciler.settings import load
from reconciler.values import replace
from reconciler.web.pages.templates import render_page
from reconciler.wiring.local import local_host
from tests.support import configs
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.reconcile.plan import Planner
    from reconciler.service.context import Context
    from reconciler.service.local import LocalHost

SHA = "a" * 40


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


def test_figures_that_could_not_be_had_are_tried_for_again(desk: LocalHost, monkeypatch: pytest.MonkeyPatch) -> None:
    opener = Opener(desk.context())
    page = TradingPage(replace(opener.context, open_planner=opener))
    for _ in range(2):
        assert page.read(SHA)["measures"] == []
    assert opener.opened == 1
    monkeypatch.setattr(tradingpage, "RETRY", 0.0)
    page = TradingPage(replace(opener.context, open_planner=opener))
    page.read(SHA)
    opener.is_away = False
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: page._read_measures(SHA, 1), range(4)))
    assert opener.opened == 3


def test_those_who_look_at_a_plan_that_waits_share_it(desk: LocalHost) -> None:
    opener = Opener(desk.context())
    opener.is_away = False
    plan = WaitingPlan(replace(opener.context, open_planner=opener))
    with ThreadPoolExecutor(4) as threads:
        plans = list(threads.map(lambda _: plan.read(SHA, SHA), range(4)))
    assert opener.opened == 1
    assert all(one is plans[0] for one in plans)
    opener.is_away = True
    for _ in range(2):
        with pytest.raises(RetryLater):
            plan.read("b" * 40, SHA)
    assert opener.opened == 2


def test_what_waits_is_not_said_to_go_live_where_it_is_refused(desk: LocalHost, tmp_path: Path) -> None:
    LocalControl(desk).suspend("ann", "the broker moves").result()
    repo, good, bad = GitRepo(tmp_path / "config"), configs.user("ann", risk=0.25), configs.user("ann", risk=999)
    for text, said, not_said in (
        (bad, "will be refused when it goes on", "will change rows"),
        (good, "will change rows", "will be refused"),
    ):
        repo.commit({"ann.yaml": text})
        page = render_page("overview", Pages(desk.context()).overview())
        assert said in page
        assert not_said not in page


def test_the_store_is_free_while_the_history_is_asked(desk: LocalHost) -> None:
    context, reading = desk.context(), list[str]()

    @contextmanager
    def open_rows() -> Iterator[Any]:
        reading.append("open")
        with context.open_rows() as store:
            yield store
        reading.clear()

    @contextmanager
    def open_planner() -> Iterator[Any]:
        assert reading == []
        with context.open_planner() as planner:
            yield planner

    found = list_events(replace(context, keeps_history=False, open_rows=open_rows, open_planner=open_planner), {})
    assert found["events"]


class Opener:
    """Opens planners, unless git is away, and counts how often."""

    def __init__(self, context: Context) -> None:
        self.context, self.opened, self.is_away = context, 0, True

    def __call__(self) -> AbstractContextManager[tuple[Planner, str]]:
        self.opened += 1
        if self.is_away:
            raise RetryLater("git does not answer")
        return self.context.open_planner()
