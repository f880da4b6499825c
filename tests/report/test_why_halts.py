"""What `why` says of a halted row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.model.halt import Halt, HaltSelector
from reconciler.model.selection import Condition
from reconciler.report.halts import build_halt
from reconciler.report.why import halt_note
from tests.support.kinds import START

if TYPE_CHECKING:
    from reconciler.answers import StandingHalt


def standing(selector: HaltSelector) -> StandingHalt:
    return build_halt(Halt("a", selector, "the feed.", "maren", START))


@pytest.mark.parametrize(
    ("selector", "release"),
    [
        (HaltSelector("User", ("ann", "ben"), ("1", "2")), "user ann"),
        (HaltSelector(labels=(Condition("desk", ("fx", "zz")),)), "-l 'desk in (fx,zz)'"),
        (HaltSelector("User", labels=(Condition("desk", ("fx",)),)), "user -l desk=fx"),
        (HaltSelector("User"), "user --all"),
        (HaltSelector(), "--all"),
    ],
)
def test_what_ends_it_is_what_somebody_types(selector: HaltSelector, release: str) -> None:
    told = halt_note(standing(selector), "ann")
    assert told == (
        "It is halted by maren since 2026-01-05T08:00:00Z: the feed. "
        f"`reconciler release {release} --reason TEXT` gives git's value back."
    )
