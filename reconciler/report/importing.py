"""An import as text: what was assumed, what became of the rows, the message of its commit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.importing.assumptions import About
from reconciler.report import plans
from reconciler.report.problems import plural
from reconciler.report.tables import Column, Nature, TextTable
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.importing.assumptions import Assumption
    from reconciler.importing.interpret import Open
    from reconciler.reconcile.importrows import Imported

MAX_LISTED = 20
"""New files that are listed; more are counted by kind."""
COLUMNS = (Column("IN"), Column("HEADER"), Column("BECOMES", 0, Nature.TEXT), Column("CELLS", 1, Nature.NUMBER))
LEFT_OUT = (Column("IN"), Column("LEFT OUT"), Column("WHY", 0, Nature.TEXT), Column("CELLS", 1, Nature.NUMBER))
FILLED = (Column("IN NO CELL"), Column("SO IT IS"), Column("RESOURCES", 1, Nature.NUMBER))
MAX_HEADER, MAX_VALUE, MAX_EXAMPLE, MAX_REASON = 24, 34, 40, 42
APPROVAL = "Reconciler-Approve"
APPROVED = ("growth",)
"""What the first commit approves: that many resources come at once. Nothing leaves git with it, so no prune limit."""


def assumption_tables(assumptions: Sequence[Assumption]) -> Iterator[tuple[str, TextTable]]:
    """What was assumed, a table for each thing to tell, each with its title."""
    for sheet in dict.fromkeys(one.sheet for one in assumptions):
        of_sheet = sorted((one for one in assumptions if one.sheet == sheet), key=lambda one: (one.column, one.about))
        columns = [_column_cells(one) for one in of_sheet if one.about in {About.COLUMN, About.CELLS}]
        left_out = [_left_out_cells(one) for one in of_sheet if one.about is About.LEFT_OUT]
        filled = [_filled_cells(one) for one in of_sheet if one.about is About.FILLED]
        for shown, rows in ((COLUMNS, columns), (LEFT_OUT, left_out), (FILLED, filled)):
            if rows:
                yield (sheet if shown is COLUMNS else ""), TextTable(shown, rows)


def _column_cells(one: Assumption) -> tuple[str, ...]:
    if one.about is About.CELLS:
        return "", "", f"  {_cut(one.text, MAX_EXAMPLE)}", f"{one.cells:,}"
    return one.at, _cut(one.header, MAX_HEADER), one.text, f"{one.cells:,}"


def _left_out_cells(one: Assumption) -> tuple[str, ...]:
    header = _cut(one.header, MAX_HEADER) if one.column else "the row"
    return one.at, header, _cut(one.text, MAX_REASON), f"{one.cells:,}"


def _filled_cells(one: Assumption) -> tuple[str, ...]:
    return one.header, _cut(one.text, MAX_VALUE), f"{one.cells:,}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def question_text(one: Open) -> str:
    """A question for a person, without its choices."""
    cell = one.origin.sheet.cell(one.origin.row, one.origin.column).text
    count = len(one.question.rows)
    return f"{one.origin.text} (column {one.header}): {cell!r}{f' and {count - 1:,} more' if count > 1 else ''}"


def import_lines(imported: Imported) -> Iterator[str]:
    """What an import wrote, and what git declares otherwise."""
    adoption = imported.row_import
    created = adoption.created
    if len(created) > MAX_LISTED:
        yield from (f"+ {number:,} {kind}" for kind, number in Counter(one.kind for one in created).items())
    else:
        yield from (f"+ {one.kind} {one.name}  {one.path}" for one in created)
    yield from plans.plan_change_lines(adoption.plan, imported.kinds)
    rows, unchanged = len(adoption.rows), len(adoption.rows) - len(created) - len(adoption.plan.changes)
    yield f"{plural(rows, 'row')}: {plural(len(created), 'file')} written, {unchanged:,} declared already"
    yield plans.plan_summary(adoption.plan)


def commit_message(imported: Imported, files: Sequence[str]) -> str:
    """The message of the commit that an import makes, with what a guard would ask a person to approve."""
    counts = Counter(one.kind for one in imported.row_import.created)
    made = list_words(f"{number:,} {kind}" for kind, number in sorted(counts.items()))
    names = list_words([file.replace("\\", "/").rpartition("/")[2] for file in files], most=3)
    body = f"{made}, as `reconciler import` read them."
    if imported.mappings:
        body += f"\nWhich column is which is in {list_words(imported.mappings, most=3)}."
    filled = [one for one in imported.assumptions if one.about is About.FILLED]
    if filled:
        body += "\n\nFilled in, as no cell says it:\n" + "\n".join(f"- {one.header}: {one.text}" for one in filled)
    trailers = "\n".join(f"{APPROVAL}: {what}" for what in APPROVED)
    return f"Import {names}\n\n{body}\n\n{trailers}\n"
