"""Both forms, each read by the parser of Prometheus' own library."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client import parser as plain
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from reconciler.daemon.metrics import OPEN_METRICS_1, TEXT, exposition, host_metrics
from tests.support.figures import figures
from tests.support.standings import metrics, scrape

if TYPE_CHECKING:
    from collections.abc import Callable

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
"""What Prometheus 2.42 sends; the next is from 3.5."""
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize("accept", [PROMETHEUS_2, PROMETHEUS_3, "application/openmetrics-text"])
def test_openmetrics_for_who_asks_for_it(accept: str) -> None:
    figure = metrics()
    kind, text = exposition(figure, host_metrics(scrape(), figure), accept)
    assert kind == OPEN_METRICS_1.media_type
    assert text.endswith(b"# EOF\n")
    names = {family.name for family in text_string_to_metric_families(text.decode())}
    assert {"reconciler", "reconciler_commits", "process_cpu_seconds"} <= names


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "text/html,*/*;q=0.8", "text/plain", "application/openmetrics-text;q=0", ";;,,;=", "x" * 5_000],
)
def test_text_for_everybody_else(accept: str) -> None:
    figure = metrics()
    kind, text = exposition(figure, host_metrics(scrape(), figure), accept)
    assert kind == TEXT.media_type
    assert "reconciler_info" in figures(text.decode()).metrics


@pytest.mark.parametrize(
    ("accept", "write"), [("", generate_latest), ("application/openmetrics-text", openmetrics.generate_latest)]
)
def test_it_is_what_the_library_would_write(accept: str, write: Callable[[CollectorRegistry], bytes]) -> None:
    """Read by the library; its own writers are the reference."""
    figure = metrics()
    figure.http.answered('/v1/{odd}"\\\n', "GET", 200, 0.003)
    figure.applies.observe(1e-9)
    figure.changes["create"].inc(10**17)
    found = [*host_metrics(scrape(), figure), GaugeMetricFamily("odd", "1\n2 \\ 3", math.inf)]
    found += [GaugeMetricFamily("odder", "", -math.inf), GaugeMetricFamily("oddest", '"', math.nan)]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Known([*found, *figure.registry.collect()]))
    read = text_string_to_metric_families if accept else plain.text_string_to_metric_families
    ours, theirs = exposition(figure, found, accept)[1].decode(), write(registry).decode()
    assert [seen(one) for one in read(ours)] == [seen(one) for one in read(theirs)]


def seen(metric: Metric) -> tuple[str, str, str, list[str]]:
    """All of it, but the order of labels."""
    samples = [f"{one.name} {sorted(one.labels.items())} {one.value}" for one in metric.samples]
    return metric.name, metric.type, metric.documentation, samples


class Known:
    """A collector of metrics that are known."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def test_words_of_a_repository_are_quoted() -> None:
    """A branch may have quotes in its name, and a path backslashes and line breaks."""
    figure = metrics()
    found = list(host_metrics(scrape(), figure))
    labels = found[0].samples[0].labels
    labels |= {"branch": 'fix/"quotes"', "repository": "C:\\desk\nconfig"}
    seen = figures(exposition(figure, found, "")[1].decode())
    (words,) = seen.having("reconciler_info")
    assert (words["branch"], words["repository"]) == ('fix/"quotes"', "C:\\desk\nconfig")
