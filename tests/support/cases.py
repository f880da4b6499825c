"""Cases of which `make test` tries some, and `make slow` all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _pytest.mark.structures import ParameterSet


def some(cases: Mapping[str, object] | Iterable[object], number: int) -> list[ParameterSet]:
    """The cases for `parametrize`, by their names if they have any; those after so many are slow."""
    named = cases.items() if hasattr(cases, "items") else ((None, case) for case in cases)
    return [
        pytest.param(case, id=name, marks=() if place < number else pytest.mark.slow)
        for place, (name, case) in enumerate(named)
    ]
