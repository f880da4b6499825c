"""The text at `/metrics`: the state of the host at a scrape, and what was counted. Waits for nobody."""

from __future__ import annotations

import math
import time
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from reconciler import __version__
from reconciler.adapters.processes import measure_usage
from reconciler.metrics import Outcome
from reconciler.model.change import Op
from reconciler.report.commits import short_sha

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from prometheus_client import Metric

    from reconciler.kinds.kind import Kinds
    from reconciler.metrics import Metrics
    from reconciler.model.change import Between, Row
    from reconciler.model.problem import Policy, Verdict
    from reconciler.ports import PolicyEngine
    from reconciler.reconcile.sync import SyncResult
    from reconciler.service.context import Heartbeat
    from reconciler.status import Running, Status


class Process(Struct, frozen=True):
    """The daemon's process. None where the operating system does not tell; memory in bytes, time in seconds."""

    cpu: float
    memory: float | None = None
    open_files: float | None = None
    most_files: float | None = None


class Scrape(Struct, frozen=True):
    """What one scrape shows beside the counters. `silences` is seconds since each thread gave a sign of life."""

    status: Status
    version: str
    silences: Mapping[str, float]
    backup_interval: float
    process: Process


def host_metrics(scrape: Scrape, metrics: Metrics) -> Iterator[Metric]:
    """How the host stands now."""
    status, running = scrape.status, scrape.status.running
    yield _info(scrape, metrics.about.host)
    yield _conditions(status)
    yield _gauge("head_refused", "1 while the newest commit is refused", float(status.refused is not None))
    yield _labelled_gauge("resources", "Live rows", "kind", status.resources)
    halted = dict.fromkeys(status.resources, 0) | dict(status.halted_rows)
    yield _labelled_gauge("halted_rows", "Live rows that halts keep from what git says", "kind", halted)
    if status.drill is not None:
        drilled = 0.0 if status.drill.detail.get("error") else status.drill.at.timestamp()
        yield _gauge(
            "halt_last_drill_timestamp_seconds", "When the last drill of a halt went well; 0: it did not", drilled
        )
    since = metrics.in_sync.seconds()
    yield _gauge("seconds_since_last_successful_sync", "Since the live rows were last seen to be the head's", since)
    if status.applied is not None:
        yield _gauge("applied_height", "Commits of the mainline up to the applied one", status.applied.height)
    if running is not None:
        yield from _running(running, metrics)
    if metrics.about.live_view:
        yield from _live_view(running)
    yield _labelled_gauge("thread_silence_seconds", "Since a thread gave a sign of life", "thread", scrape.silences)
    yield _gauge("poll_interval_seconds", "Between two polls, as set", metrics.about.poll_interval)
    yield _gauge("backup_interval_seconds", "Between two backups, as ordered", scrape.backup_interval)
    if metrics.backup is not None:
        yield _gauge("backup_age_seconds", "Since the newest backup was made", metrics.backup.seconds())
    yield from _process(scrape)


def _info(scrape: Scrape, host: str) -> Metric:
    status = scrape.status
    labels = {
        "version": scrape.version,
        "host": host,
        "repository": status.repository,
        "branch": status.branch,
        "sync": str(status.sync),
        "health": str(status.health),
        "head": short_sha(status.head) if status.head else "",
        "applied": short_sha(status.applied.stamp.commit) if status.applied else "",
    }
    return InfoMetricFamily("reconciler", "The host in words: always 1, the state is in the labels", labels)


def _conditions(status: Status) -> Metric:
    family = GaugeMetricFamily(
        "reconciler_condition", "1 for the status that a condition has", labels=["type", "status"]
    )
    for condition in status.conditions:
        for holds in (True, False):
            family.add_metric([condition.type, str(holds)], float(condition.holds is holds))
    return family


def _running(running: Running, metrics: Metrics) -> Iterator[Metric]:
    conditions = GaugeMetricFamily(
        "reconciler_trouble", "1 for what does not work", labels=["about", "reason", "outlook"]
    )
    for condition in running.conditions:
        conditions.add_metric([condition.about, condition.reason, str(condition.severity)], 1)
    yield conditions
    if running.scan is not None:
        left = running.scan.found - running.scan.healed
        yield _gauge("drift_rows", "Live rows that the last look left other than git says", left)
        yield _gauge("drift_fighting_rows", "Live rows left to another writer", len(running.scan.fighting))
    if running.history is not None:
        waiting = running.history
        yield _gauge("history_waiting_versions", "Versions on their way to the history", waiting.versions)
        yield _gauge("history_waiting_events", "Host events on their way to the history", waiting.events)
        lag = metrics.history_complete.seconds() if waiting.versions or waiting.events or waiting.behind else 0.0
        yield _gauge("history_lag_seconds", "Since the history lacked nothing; 0 while it does not", lag)


def _live_view(running: Running | None) -> Iterator[Metric]:
    view = running.view if running else None
    yield _gauge("live_view_up", "1 while Redis answers", float(view is not None))
    if view is not None:
        yield _gauge("live_view_rows", "Rows in the live view", view.rows)
        yield _gauge("live_view_dropped_rows", "Live rows left out of it for want of room", view.dropped)
        yield _gauge("live_view_bytes", "About what its rows take in memory", view.bytes)


def _process(scrape: Scrape) -> Iterator[Metric]:
    """Under the names that all of Prometheus' libraries give them."""
    process, running = scrape.process, scrape.status.running
    yield CounterMetricFamily("process_cpu_seconds", "CPU time of the daemon", process.cpu)
    started = running.started.timestamp() if running else None
    gauges: Sequence[tuple[str, str, float | None]] = (
        ("start_time_seconds", "When the daemon started, in Unix time", started),
        ("resident_memory_bytes", "Memory of the daemon", process.memory),
        ("open_fds", "Files the daemon has open; on Windows, handles", process.open_files),
        ("max_fds", "Files it may have open", process.most_files),
    )
    for name, help_text, value in gauges:
        if value is not None:
            yield GaugeMetricFamily(f"process_{name}", help_text, value)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"reconciler_{name}", help_text, value)


def _labelled_gauge(name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"reconciler_{name}", help_text, labels=[label])
    for word, value in values.items():
        family.add_metric([word], value)
    return family


OPEN_METRICS = "application/openmetrics-text"
QUOTED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Form(Struct, frozen=True):
    """A way to write metrics: its media type, what a type is called with which ending of the name, how it ends."""

    media_type: str
    types: Mapping[str, tuple[str, str]]
    end: str


TEXT = Form(
    "text/plain; version=0.0.4; charset=utf-8", {"counter": ("counter", "_total"), "info": ("gauge", "_info")}, ""
)
OPEN_METRICS_1 = Form(f"{OPEN_METRICS}; version=1.0.0; charset=utf-8", {}, "# EOF\n")


def exposition(metrics: Metrics, host: Iterable[Metric], accept: str) -> tuple[str, bytes]:
    """How the host stands and what is counted: a media type that the Accept header takes, and the text in UTF-8.

    https://prometheus.io/docs/instrumenting/exposition_formats, https://prometheus.io/docs/specs/om/open_metrics_spec.

    The library's own writers look at every name at every scrape, on the thread that serves everybody: with OpenMetrics
    that takes three times as long.
    """
    form = OPEN_METRICS_1 if _accepts_open_metrics(accept) else TEXT
    lines = chain.from_iterable(_lines(metric, form) for metric in chain(host, metrics.registry.collect()))
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


def _accepts_open_metrics(accept: str) -> bool:
    """Whether it is named, unless with the weight of never. Prometheus names what it likes best first."""
    for media_type in accept.split(","):
        name, *parameters = (part.strip().lower().replace(" ", "") for part in media_type.split(";"))
        if name == OPEN_METRICS:
            return not any(part.startswith("q=0") and not part.strip("q=0.") for part in parameters)
    return False


class Exposition:
    """The text at `/metrics`. All three callables answer at once; `backup_interval` is in seconds."""

    def __init__(
        self,
        metrics: Metrics,
        status: Callable[[], Status],
        heartbeats: Callable[[], Sequence[Heartbeat]],
        backup_interval: Callable[[], float],
    ) -> None:
        self._metrics, self._status, self._heartbeats = metrics, status, heartbeats
        self._backup_interval = backup_interval

    def expose(self, accept: str) -> tuple[str, bytes]:
        """All metrics as of now."""
        scrape = Scrape(
            status=self._status(),
            version=__version__,
            silences={beat.thread: beat.age for beat in self._heartbeats()},
            backup_interval=self._backup_interval(),
            process=Process(*measure_usage()),
        )
        return exposition(self._metrics, host_metrics(scrape, self._metrics), accept)


class TimedPolicyEngine:
    """A policy engine whose runs are timed. Implements `ports.PolicyEngine`."""

    def __init__(self, engine: PolicyEngine, metrics: Metrics) -> None:
        self._engine, self._metrics = engine, metrics

    def run(
        self,
        policies: Sequence[Policy],
        kinds: Kinds,
        live: Iterable[Row],
        desired: Iterable[Row],
        step: Between | None = None,
    ) -> tuple[Verdict, ...]:
        """The verdict of each policy."""
        began = time.perf_counter()
        verdicts = self._engine.run(policies, kinds, live, desired, step)
        if policies:
            self._metrics.policies.observe(time.perf_counter() - began)
        return verdicts

    def close_idle(self) -> None:
        """Free all memory and processes."""
        self._engine.close_idle()


def count_reconcile(metrics: Metrics, result: SyncResult | None, seconds: float) -> None:
    """Count a reconcile that ended; None while that is suspended."""
    metrics.reconciles[_outcome(result)].observe(seconds)
    if result is None:
        return
    if result.applied_step is not None:
        metrics.applies.observe(result.applied_step.seconds)
        for op in Op:
            metrics.changes[op].inc(result.plan.count(op))
        metrics.commits_applied.inc()
    if result.head is None:
        return
    if result.plan.refused:
        metrics.count_refused(result.head)
    elif result.applied is not None and result.applied.stamp.commit == result.head:
        metrics.in_sync.reset()


def _outcome(result: SyncResult | None) -> Outcome:
    """A step that went live counts as one also when the head itself is refused."""
    if result is None:
        return Outcome.SUSPENDED
    if result.applied_step is not None:
        return Outcome.APPLIED
    return Outcome.REFUSED if result.plan.refused else Outcome.UNCHANGED
