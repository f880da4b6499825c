"""How a host stands, as a scrape sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.daemon.metrics import exposition, host_metrics
from reconciler.model.host import UploadState
from reconciler.status import Scan
from tests.support.figures import Figures, figures
from tests.support.standings import NOON, Ticks, metrics, scrape

if TYPE_CHECKING:
    from reconciler.daemon.metrics import Scrape
    from reconciler.metrics import Metrics


def told(one: Scrape, figure: Metrics | None = None) -> Figures:
    figure = figure or metrics()
    return figures(exposition(figure, host_metrics(one, figure), "")[1].decode())


def test_the_host_in_words() -> None:
    (words,) = told(scrape()).having("reconciler_info")
    assert words == {
        "version": "0.1.0",
        "host": "desk-1",
        "repository": "https://git.example/desk.git",
        "branch": "main",
        "sync": "Synced",
        "health": "Degraded",
        "head": "bbbbbbbb",
        "applied": "bbbbbbbb",
    }


def test_a_refused_head() -> None:
    seen = told(scrape(refused=True))
    assert seen("reconciler_head_refused") == 1
    assert (seen.having("reconciler_info")[0]["applied"], seen("reconciler_applied_height")) == ("aaaaaaaa", 3)
    assert seen("reconciler_condition", type="Stalled", status="True") == 1
    assert seen("reconciler_condition", type="Stalled", status="False") == 0


def test_conditions_have_one_status_each() -> None:
    seen = told(scrape())
    kinds = {one["type"] for one in seen.having("reconciler_condition")}
    assert kinds == {"Ready", "Reconciling", "Stalled", "Suspended", "RolledBack"}
    for kind in kinds:
        assert sum(seen("reconciler_condition", type=kind, status=word) for word in ("True", "False")) == 1


def test_what_does_not_work() -> None:
    assert told(scrape()).having("reconciler_trouble") == [
        {"about": "Redis", "reason": "RetryLater", "outlook": "Retrying"}
    ]
    assert told(scrape(conditions=())).having("reconciler_trouble") == []


def test_drift_that_was_left_and_drift_that_is_fought_over() -> None:
    seen = told(scrape(scan=Scan(NOON, 7, 4, ("Widget w1",))))
    assert (seen("reconciler_drift_rows"), seen("reconciler_drift_fighting_rows")) == (3, 1)


def test_the_history_lags_only_while_it_lacks_something() -> None:
    clock = Ticks()
    figure = metrics(clock)
    figure.history_complete.reset()
    clock.now += 300
    assert told(scrape(), figure)("reconciler_history_lag_seconds") == 0
    for waiting in (UploadState(versions=2), UploadState(events=1), UploadState(behind=True)):
        assert told(scrape(history=waiting), figure)("reconciler_history_lag_seconds") == 300


def test_a_live_view_that_is_out_of_reach() -> None:
    seen = told(scrape(view=None))
    assert seen("reconciler_live_view_up") == 0
    assert "reconciler_live_view_rows" not in seen.metrics


def test_what_a_host_does_not_have_it_does_not_tell() -> None:
    figure = metrics(live_view=False)
    seen = told(scrape(view=None, history=None, scan=None), figure)
    kinds = ("reconciler_live_view", "reconciler_history", "reconciler_drift_rows", "reconciler_backup_age")
    assert [name for name in seen.metrics if name.startswith(kinds)] == []
