"""docs/metrics.md lists what is told, and alerts and dashboard ask for nothing else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from reconciler.daemon.metrics import exposition, host_metrics
from tests.docs.markdown import ROOT, anchors, blocks, headings, read
from tests.support.figures import OF_A_HISTOGRAM, Told, figures
from tests.support.standings import metrics, scrape

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = read("docs/metrics.md")
ROW = re.compile(r"^\| `(\w+)` \| (gauge|counter|histogram) \| ([^|]*)\| ([^|]+) \|$", re.MULTILINE)
NAME = re.compile(r"\b(?:reconciler|process)_[a-z_]+\b")
LABELS = re.compile(r"\{\{ ?\$labels\.(\w+) ?\}\}")
RULES: list[dict[str, Any]] = yaml.safe_load(read("deploy/prometheus/rules.yml"))["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads(read("deploy/grafana/reconciler.json"))


def documented() -> dict[str, Told]:
    rows = ROW.findall(PAGE)
    assert len(rows) == len({name for name, *_ in rows})
    return {name: Told(kind, text, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels, text in rows}


def told() -> dict[str, Told]:
    """All there is to tell: of a host that has everything, and whose every label is in use."""
    figure = metrics()
    figure.set_backup_age(60)
    figure.http.answered("/metrics", "GET", 200, 0.001)
    return dict(figures(exposition(figure, host_metrics(scrape(), figure), "")[1].decode()).metrics)


def known() -> set[str]:
    """All names that samples have."""
    found = told()
    parts = {f"{name}{end}" for name, one in found.items() if one.type == "histogram" for end in OF_A_HISTOGRAM}
    return {name for name, one in found.items() if one.type != "histogram"} | parts


def queries() -> Iterator[str]:
    """What alerts, dashboard and page ask."""
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))
    yield from (one["definition"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query")
    yield from (one["expr"] for one in DASHBOARD["annotations"]["list"])
    yield from (block.body for block in blocks(PAGE, "promql"))


def test_the_page_lists_what_is_told() -> None:
    assert documented() == told()


def test_every_metric_that_is_asked_for_exists() -> None:
    asked = {name for query in queries() for name in NAME.findall(query)}
    assert asked - known() == set()


def test_every_metric_is_of_use() -> None:
    """An alert or a panel asks for it."""
    asked = {name for query in queries() for name in NAME.findall(query)}
    unused = {name for name, one in told().items() if not asked & {name, *(f"{name}{end}" for end in OF_A_HISTOGRAM)}}
    assert unused == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    page, _, anchor = said["runbook_url"].partition("#")
    assert page.endswith("/docs/metrics.md")
    assert anchor == rule["alert"].lower()
    assert anchor in anchors(PAGE)
    assert not said["summary"].endswith(".")
    assert said["description"].endswith(".")
    assert "!" not in said["summary"] + said["description"]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    labels = {label for name in NAME.findall(rule["expr"]) if name in told() for label in told()[name].labels}
    assert set(LABELS.findall(said["summary"] + said["description"])) <= labels | {"instance"}


def test_no_other_alert_is_documented() -> None:
    told_of = [title for title in headings(PAGE.partition("## Alerts")[2]) if title != "Alerts"]
    assert told_of == [rule["alert"] for rule in RULES]


def test_the_files_of_the_page_are_there() -> None:
    for name in ("prometheus/prometheus.yml", "prometheus/rules.yml", "prometheus/rules.test.yml"):
        assert (ROOT / "deploy" / name).is_file()
        assert name.rpartition("/")[2] in PAGE
