"""Answers as commands print them. Apart from `output`, which `--help` loads, too."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from reconciler import answers
from reconciler.cli import output
from reconciler.format.format import KeyOrder
from reconciler.kinds.build import build_kind
from reconciler.kinds.kind import STATUS_FIELD, Kinds
from reconciler.report.rowdocument import row_document
from reconciler.report.rows import flatten_row, halted_note, rows_csv
from reconciler.report.views import row_lines, row_table
from reconciler.service.kinds import Kinds as KindService
from reconciler.service.remote import DaemonClient
from reconciler.values import replace
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.cli.options import Globals
    from reconciler.report.tables import TextTable
    from reconciler.wiring.host import Host

LABEL_WIDTH = 26
WIDE = "wide"
ROW_FORMATS = ("text", WIDE, "name", "yaml", "json", "csv")
DETAILED = frozenset({"text", WIDE, "yaml"})
"""Formats for which rows need what git says beside their values."""


def answer(value: answers.Answer) -> None:
    """Print an answer as JSON."""
    output.json_data(answers.to_json(value))


def table(given: Globals, found: TextTable, form: str = "text", more: str = "-o wide") -> None:
    """Print a table, and which columns the terminal has no room for; `more` shows them."""
    if left_out := output.table(found, whole=form == WIDE):
        given.say(f"no room for {list_words(left_out)}: {more} shows {'it' if len(left_out) == 1 else 'them'}")


def rows(given: Globals, host: Host, found: answers.Rows, form: str, *, single: bool, only: Sequence[str] = ()) -> None:
    """Print live rows, or the single one, as `get` does; `only` some columns of a table."""
    if form == "json":
        flat = [flatten_row(row, found) for row in found.rows]
        output.json_data(flat[0] if single else flat)
    elif form == "csv":
        output.raw(rows_csv(found))
    elif form == "name":
        for row in found.rows:
            output.data(f"{found.kind.lower()}/{row.name}")
    elif form == "yaml":
        order = KeyOrder(Kinds((build_kind(host.ask(KindService.schema, found.kind), ""),)))
        output.raw("---\n".join(row_document(row, found, order) for row in found.rows).removesuffix("\n"))
    elif single and not only:
        moments = output.read_moments(form, utc=given.utc)
        for label, text in row_lines(found.rows[0], found, moments, wide=form == WIDE):
            output.labelled(label, text, LABEL_WIDTH, state_in="text" if label == STATUS_FIELD else "")
    else:
        shown = replace(table_of(found, form, only), links=_find_links(given, host, found))
        table(given, shown, WIDE if only else form)
    if note := halted_note(found):
        given.say(note)


def ids(found: answers.Rows) -> frozenset[str]:
    """The values of the key column."""
    return frozenset(str(row.values[found.key]) for row in found.rows)


def table_of(found: answers.Rows, form: str, only: Sequence[str] = ()) -> TextTable:
    """Live rows as a table; `only` some columns."""
    return row_table(found, wide=form == WIDE, only=only)


def _find_links(given: Globals, host: Host, found: answers.Rows) -> tuple[str | None, ...]:
    """Where names lead to: the page of a daemon, else the file."""
    if not output.shows_links():
        return ()
    if isinstance(host, DaemonClient):
        pages = f"http://{host.address}/resources/{found.kind.lower()}"
        return tuple(f"{pages}/{quote(str(row.name), safe='')}" for row in found.rows)
    root = given.settings().working_tree
    return tuple((root / row.path).as_uri() if root and row.path else None for row in found.rows)
