"""What an import tells of what it assumed: of columns, cells, what it left out and what it filled in."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.importing.hints import REFS
from reconciler.importing.sheets import letters

if TYPE_CHECKING:
    from reconciler.importing.drafts import Drafts
    from reconciler.importing.sheets import Sheet
    from reconciler.kinds.kind import Kinds
    from reconciler.model.problem import Problem


class About(IntEnum):
    """What an assumption is about, in the order in which it is told."""

    COLUMN = 1
    CELLS = 2
    LEFT_OUT = 3
    FILLED = 4


class Assumption(Struct, frozen=True):
    """What was made of a column, of some of its cells or of a row, or what was filled in where no cell says it.

    `column` is its number, 0 where it is about none; `at` its letters, or a row's number. `cells` counts cells, rows or
    resources.
    """

    about: About
    sheet: str
    column: int
    at: str
    header: str
    text: str
    cells: int


class Findings:
    """What reading sheets into drafts has found so far: what is wrong, and what was assumed."""

    def __init__(self, kinds: Kinds, drafts: Drafts) -> None:
        self.kinds, self.drafts = kinds, drafts
        self.problems: list[Problem] = []
        self.assumptions: list[Assumption] = []

    def assume(self, about: About, sheet: Sheet, column: int, header: str, text: str, cells: int) -> None:
        """Tell of a column."""
        told = Assumption(about, sheet.name, column, letters(column), header, text, cells)
        if told not in self.assumptions:
            self.assumptions.append(told)


def tell_fillings(drafts: Drafts) -> list[Assumption]:
    """What no cell said, and references to what there is not."""
    told = []
    for (kind, name, value), origins in drafts.filled.items():
        told.append(
            Assumption(About.FILLED, origins[0].sheet.name, 0, "", f"{kind}.{name}", value or "''", len(origins))
        )
    for (kind, role), origins in drafts.dropped.items():
        first = origins[0]
        named = first.sheet.cell(first.row, first.column).text
        text = f"nothing declares {named}"
        about, sheet = About.LEFT_OUT, first.sheet.name
        told.append(
            Assumption(about, sheet, first.column, letters(first.column), f"{kind}.{REFS}{role}", text, len(origins))
        )
    return told
