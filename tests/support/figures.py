"""What `/metrics` tells, read by Prometheus' own parser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_A_HISTOGRAM = ("_bucket", "_count", "_sum")


@dataclass(frozen=True)
class Told:
    """One metric as a scrape sees it. `labels` are those of its samples, without a histogram's `le`."""

    type: str
    help: str
    labels: frozenset[str]


@dataclass(frozen=True)
class Figures:
    """One scrape."""

    metrics: Mapping[str, Told]
    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def __call__(self, name: str, **labels: str) -> float:
        """The value of one sample; a KeyError when there is none."""
        return self.samples[name, frozenset(labels.items())]

    def having(self, name: str, **labels: str) -> list[dict[str, str]]:
        """The labels of all samples of a name that have these among theirs."""
        found = [dict(one) for metric, one in self.samples if metric == name]
        return [one for one in found if labels.items() <= one.items()]

    def counters(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """The samples that never go down."""
        ends = ("_total", *OF_A_HISTOGRAM)
        return {one: value for one, value in self.samples.items() if one[0].endswith(ends)}


def figures(text: str) -> Figures:
    """What a text tells. A sample that stands there twice is an error."""
    metrics: dict[str, Told] = {}
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(text):
        # The parser takes a counter's ending off, which the text has
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert name not in metrics, f"{name} is told twice"
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        metrics[name] = Told(family.type, family.documentation, frozenset(labels))
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in samples, f"{sample.name} {sample.labels} stands there twice"
            samples[key] = sample.value
    return Figures(metrics, samples)
