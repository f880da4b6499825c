"""Measures: the desk's own figures about a state, such as its total risk, before and after a step.

A measure is written as a policy is and sees the same tables, so one question asked of two states gives two figures.
Where a step changes a measure, both figures are those of the measure before it: no change can paint over itself.
"""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.change import Between
from reconciler.model.problem import Fault, Measure, Problem
from reconciler.model.review import Measurement
from reconciler.policy import measure_fault, read_measure
from reconciler.reconcile.admission import LazyRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Row
    from reconciler.model.problem import Reading, Verdict
    from reconciler.ports import PolicyEngine
    from reconciler.reconcile.admission import AdmissionRequest, CommitState
    from reconciler.reconcile.rules import RuleReader, Rules

MAX_READINGS = 20
"""Figures of one measure that are told of a state."""
CUT = "this measure has more than {:,} figures: those are told, and what moves beyond them is not"
_states = count(1)
"""Numbers for the states that are asked about: an engine may hold others of the same commits."""


class StateReadings(Struct, frozen=True):
    """The figures of a state by measure, and warnings about the measures that cannot be run."""

    readings: Mapping[Measure, tuple[Reading, ...]]
    problems: tuple[Problem, ...] = ()


def read_measures(reader: RuleReader, rules: Rules) -> tuple[dict[str, Measure], tuple[Problem, ...]]:
    """The measures of a tree by name, and what keeps others from being read."""
    texts, not_files = reader.read_texts(rules.measures.values())
    results = [read_measure(path, data) for path, data in sorted(texts.items())]
    measures = {result.name: result for result in results if isinstance(result, Measure)}
    return measures, (*not_files, *(result for result in results if isinstance(result, Problem)))


class Measurer(Struct, frozen=True):
    """Measures the states of one repository's commits."""

    rules: RuleReader
    engine: PolicyEngine

    def compare(self, request: AdmissionRequest) -> tuple[tuple[Measurement, ...], tuple[Problem, ...]]:
        """The figures before and after a step. An engine that was asked about the step holds both states already."""
        old, new = request.old, request.new
        known, problems = read_measures(self.rules, new.rules)
        earlier = {measure.name: measure for measure in read_measures(self.rules, old.rules)[0].values()} if old else {}
        removed = tuple(measure for name, measure in earlier.items() if name not in known)
        chosen = (*(earlier.get(name, measure) for name, measure in known.items()), *removed)
        replacing = tuple(measure for name, measure in known.items() if earlier.get(name, measure) != measure)
        asked = (*chosen, *replacing) if request.changes else replacing
        if not asked:
            return (), problems
        same_tables = old is not None and not old.kinds.changed_from(new.kinds)
        step = request.between
        before = old.identity if old and old.digest else f"measured {next(_states)}"
        live = LazyRows(old.rows) if old else ()
        verdicts_before = self._run(chosen, old.kinds, live, live, Between(before, before, ())) if old else ()
        verdicts = self._run(asked, new.kinds, live if same_tables else (), LazyRows(new.rows), step)
        faults = _faults((*verdicts_before, *verdicts))
        measured = [verdict for verdict in verdicts if verdict.policy in chosen] if request.changes else []
        measurements = tuple(_compare_verdicts(verdicts_before, measured, known))
        return measurements, tuple(sorted({*problems, *faults}))

    def read_state(self, state: CommitState) -> StateReadings:
        """The figures of one state."""
        known, problems = read_measures(self.rules, state.rules)
        if not known:
            return StateReadings({}, problems)
        identity, rows = f"measured {next(_states)}", LazyRows(state.rows)
        verdicts = self._run(tuple(known.values()), state.kinds, rows, rows, Between(identity, identity, ()))
        faults = _faults(verdicts)
        readings = {known[verdict.policy.name]: verdict.readings[:MAX_READINGS] for verdict in verdicts}
        return StateReadings(readings, tuple(sorted({*problems, *faults})))

    def _run(
        self,
        measures: Sequence[Measure],
        kinds: Kinds,
        live: Iterable[Row],
        desired: Iterable[Row],
        step: Between | None,
    ) -> tuple[Verdict, ...]:
        return self.engine.run(measures, kinds, live, desired, step)


def _compare_verdicts(
    before: Iterable[Verdict], after: Iterable[Verdict], known: Mapping[str, Measure]
) -> Iterator[Measurement]:
    earlier = {verdict.policy.name: verdict.readings for verdict in before}
    for verdict in after:
        name = verdict.policy.name
        old, new = _number_readings(earlier.get(name, ())), _number_readings(verdict.readings)
        for label, unit, at in dict.fromkeys((*old, *new)):
            key = (label, unit, at)
            yield Measurement(name, label, unit, old.get(key), new.get(key), verdict.policy != known.get(name))


def _number_readings(readings: Iterable[Reading]) -> dict[tuple[str, str, int], float | None]:
    """The figures by label, unit, and how many of that label came before: none may stand in for another."""
    seen = Counter[tuple[str, str]]()
    numbered: dict[tuple[str, str, int], float | None] = {}
    for reading in readings:
        numbered[reading.label, reading.unit, seen[reading.label, reading.unit]] = reading.value
        seen[reading.label, reading.unit] += 1
    return numbered


def _faults(verdicts: Iterable[Verdict]) -> set[Problem]:
    """The warnings about measures that cannot be run, or have more figures than are told."""
    faults = {measure_fault(verdict.policy, verdict.fault) for verdict in verdicts if verdict.fault}
    cut = {verdict.policy: len(verdict.readings) for verdict in verdicts if verdict.cut}
    return faults | {measure_fault(policy, Fault(CUT.format(count))) for policy, count in cut.items()}
