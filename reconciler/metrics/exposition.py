"""Metrics as text: Prometheus' own form, or OpenMetrics for who asks for it.

https://prometheus.io/docs/instrumenting/exposition_formats, https://prometheus.io/docs/specs/om/open_metrics_spec.

The library's own writers look at every name at every scrape, on the thread that serves everybody: with OpenMetrics that
takes three times as long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client import Metric

    from reconciler.metrics.meter import Meter

OPEN_METRICS = "application/openmetrics-text"
QUOTED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write metrics: its media type, what a type is called with which ending of the name, how it ends."""

    media_type: str
    types: Mapping[str, tuple[str, str]]
    end: str


TEXT = Form(
    "text/plain; version=0.0.4; charset=utf-8", {"counter": ("counter", "_total"), "info": ("gauge", "_info")}, ""
)
OPEN_METRICS_1 = Form(f"{OPEN_METRICS}; version=1.0.0; charset=utf-8", {}, "# EOF\n")


def exposition(meter: Meter, standing: Iterable[Metric], accept: str) -> tuple[str, bytes]:
    """How the host stands and what is counted: a media type that the Accept header takes, and the text in UTF-8."""
    form = OPEN_METRICS_1 if _takes_open_metrics(accept) else TEXT
    lines = chain.from_iterable(_lines(one, form) for one in chain(standing, meter.registry.collect()))
    return form.media_type, ("".join(lines) + form.end).encode()


def _lines(metric: Metric, form: Form) -> Iterator[str]:
    kind, ending = form.types.get(metric.type, (metric.type, ""))
    name = metric.name + ending
    yield f"# HELP {name} {metric.documentation.translate(ESCAPED)}\n# TYPE {name} {kind}\n"
    for sample in metric.samples:
        labels = ",".join(f'{label}="{text.translate(QUOTED)}"' for label, text in sample.labels.items())
        which = f"{sample.name}{{{labels}}}" if labels else sample.name
        yield f"{which} {_number(sample.value)}\n"


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"


def _takes_open_metrics(accept: str) -> bool:
    """Whether it is named, unless with the weight of never. Prometheus names what it likes best first."""
    for one in accept.split(","):
        name, *parameters = (part.strip().lower().replace(" ", "") for part in one.split(";"))
        if name == OPEN_METRICS:
            return not any(part.startswith("q=0") and not part.strip("q=0.") for part in parameters)
    return False
