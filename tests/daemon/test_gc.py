"""Garbage that refers to itself goes at rest, and not before it is due."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from reconciler.daemon import assembly as collector

if TYPE_CHECKING:
    from collections.abc import Iterator


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def paced() -> Iterator[None]:
    before = gc.get_threshold()
    collector.set_gc_thresholds()
    yield
    gc.set_threshold(*before)


def _old() -> weakref.ref[Knot]:
    """A knot that has outlived the looks at the young, and then is let go."""
    knot = Knot()
    gc.collect()
    return weakref.ref(knot)


@pytest.mark.usefixtures("paced")
def test_what_has_grown_old_goes_at_the_first_rest_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    knot = _old()
    collector.collect_garbage_if_due()
    assert knot() is not None
    for _ in range(collector.IDLE_COLLECTIONS):
        gc.collect(1)
    assert knot() is not None
    collector.collect_garbage_if_due()
    assert knot() is None


@pytest.mark.usefixtures("paced")
def test_while_values_are_made_nobody_looks_at_all_of_them() -> None:
    knot = _old()
    made = [[number] for number in range(3 * collector.YOUNG * collector.MIDDLE)]
    assert knot() is not None
    assert made


def test_what_was_there_from_the_start_is_looked_at_in_the_end() -> None:
    there = Knot()
    knot = weakref.ref(there)
    with collector.ignoring_what_is_there():
        del there
        gc.collect()
        assert knot() is not None
    gc.collect()
    assert knot() is None
