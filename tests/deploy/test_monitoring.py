"""deploy/prometheus and deploy/grafana: what their programs accept."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.docs.markdown import ROOT, blocks, read
from tests.support.promtool import promtool

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "deploy" / "prometheus"
TESTS: list[dict[str, Any]] = yaml.safe_load(read("deploy/prometheus/rules.test.yml"))["tests"]
RULES: list[dict[str, Any]] = yaml.safe_load(read("deploy/prometheus/rules.yml"))["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads(read("deploy/grafana/reconciler.json"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
WIDE = 24
"""Columns of a dashboard."""
STANDS_FOR = {"$__rate_interval": "5m", "$job": "reconciler", "$instance": ".*"}
"""What Grafana puts in a query's place."""


def test_prometheus_takes_the_settings_and_the_rules() -> None:
    done = promtool("check", "config", "prometheus.yml", folder=FOLDER)
    assert done.returncode == 0, done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


@pytest.mark.slow
def test_alerts_are_raised_when_they_have_to_be() -> None:
    done = promtool("test", "rules", "rules.test.yml", folder=FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_tests_of_the_alerts_can_fail(tmp_path: Path) -> None:
    """With every threshold out of reach."""
    text = read("deploy/prometheus/rules.yml")
    (tmp_path / "rules.yml").write_text(re.sub(r"== [01]\b|> [\d.]+", "> 1e9", text), encoding="utf-8")
    (tmp_path / "rules.test.yml").write_text(read("deploy/prometheus/rules.test.yml"), encoding="utf-8")
    done = promtool("test", "rules", "rules.test.yml", folder=tmp_path)
    assert done.returncode == 1
    raised = {rule["alert"] for rule in RULES} - {"ReconcilerNotScraped", "ReconcilerBackupTooOld"}
    assert {name for name in raised if f'alertname=\\"{name}\\"' not in done.stderr} == set()


def test_every_alert_is_tried() -> None:
    raised = set()
    for test in TESTS:
        for one in test.get("promql_expr_test", ()):
            raised |= {re.findall(r'alertname="(\w+)"', one["expr"])[0]} if one["exp_samples"] else set()
    assert raised == {rule["alert"] for rule in RULES}


def test_panels_lie_side_by_side() -> None:
    def area(panel: dict[str, Any]) -> set[tuple[int, int]]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDE
        return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

    for one, other in combinations(PANELS, 2):
        assert not area(one) & area(other), (one["title"], other["title"])
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


@pytest.mark.parametrize("panel", SHOWN, ids=lambda panel: f"{panel['id']} {panel['title']}")
def test_a_panel_says_what_it_shows_and_of_which_source(panel: dict[str, Any]) -> None:
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == source
    assert all(target["datasource"] == source and target["expr"] for target in panel["targets"])
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)


def test_the_source_is_chosen_by_whoever_looks() -> None:
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    used = set(re.findall(r"\$\{?([a-z]+)\b", json.dumps(DASHBOARD)))
    assert used == set(variables)
    assert DASHBOARD["uid"]
    assert "id" not in DASHBOARD, "Grafana gives it"


def test_every_query_can_be_read(tmp_path: Path) -> None:
    """promtool checks no query by itself: each is a rule for it."""
    asked = [target["expr"] for panel in SHOWN for target in panel["targets"]]
    asked += [one["expr"] for one in DASHBOARD["annotations"]["list"]]
    asked += [block.body for block in blocks(read("docs/metrics.md"), "promql")]
    for word, value in STANDS_FOR.items():
        asked = [query.replace(word, value) for query in asked]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(asked)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stderr
    assert f"{len(asked)} rules found" in done.stdout
