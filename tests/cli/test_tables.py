"""Tables on terminals: they fit, names and states stay whole, and no word is ever broken."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_DNS, uuid5
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len

from reconciler import answers
from reconciler.adapters.bundled import find_example_repository
from reconciler.cli.output import fit_line, has_links, labelled
from reconciler.cli.tables import draw, draw_plain
from reconciler.model.rows import Declared, LiveRow
from reconciler.report.commits import plain_version_table, version_table
from reconciler.report.escape import moments_at
from reconciler.report.rows import build_rows
from reconciler.report.tables import MEANINGS, Column, Meaning, Nature, TextTable, find_meaning
from reconciler.report.views import row_table
from tests.kinds.loading import example as example_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.kinds.kind import Kind

WIDTHS = (80, 100, 120)
NOW = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)
MOMENTS = moments_at(NOW, ZoneInfo("Europe/London"))
STAMP = datetime(2026, 11, 22, 17, 4, 44, tzinfo=UTC)
PERSON = answers.Person(name="Maren Holt", email="maren@desk.example", time="2026-11-22T17:04:44+00:00")
RULES = ("policy/leverage-cap", "policy/number-jump", "policy/risk-per-trade", "policy/total-risk")
VERSION = answers.Version(
    commit="2e527c275aa0844ddc5b169270a34e54e5e0e560",
    height=1,
    mainline=True,
    parents=(),
    author=PERSON,
    committer=PERSON,
    message="Bring the desk's configuration under review\n\nAll of it.\n",
    signed=False,
    status="VALID",
    problems=(),
    creates=28,
    updates=0,
    deletes=0,
    digest="",
    orphaned=False,
    recorded_at="2026-11-22T17:04:45Z",
    fate="was-live",
    live=(answers.LiveSpan(host="desk", since="2026-11-22T17:04:44Z", until="2026-11-22T19:30:00Z", ended="replaced"),),
)


def version(height: int, message: str, **fields: Any) -> answers.Version:
    plain: dict[str, Any] = {"height": height, "message": message, "live": (), "creates": 0, "updates": 1}
    return structs.replace(VERSION, **(plain | fields))


LIVE = answers.LiveSpan(host="desk", since="2026-11-22T19:30:00Z", until=None, ended=None)
LOG = (
    version(5, "設定: レバレッジを引き下げ、とても長い件名のテストです、とても長い件名", fate="live", live=(LIVE,)),
    version(4, "Raise everything, as nobody here would ever do on a Friday", fate="refused", refused_by=RULES),
    version(3, "Typo", fate="invalid", status="INVALID"),
    version(2, "Try", fate="refused", refused_by=RULES[:1], orphaned=True, mainline=False),
    VERSION,
)


class Terminal(io.StringIO):
    """Stands in for a terminal: it says that it is one."""

    def isatty(self) -> bool:
        return True


def drawn(table: TextTable, width: int) -> str:
    """A table, and what it has no room for."""
    found = draw(table, width)
    note = f"(no room for {', '.join(found.left_out)})\n" if found.left_out else ""
    return "\n".join(found.lines) + "\n" + note


def at_widths(table: TextTable) -> str:
    return "".join(f"# {width} columns\n{drawn(table, width)}\n" for width in WIDTHS)


def test_the_log_at_three_widths_and_in_a_pipe(golden: Callable[[str, str], None]) -> None:
    pipe = "\n".join(draw_plain(plain_version_table(LOG)))
    golden("cli/log.txt", f"{at_widths(version_table(LOG, MOMENTS))}# a pipe\n{pipe}\n")


@pytest.mark.parametrize("width", [40, 60, *WIDTHS])
def test_a_log_fits_and_each_commit_is_one_line(width: int) -> None:
    lines = list(draw(version_table(LOG, MOMENTS), width).lines)
    assert max(map(cell_len, lines)) <= width
    assert [line for line in lines if VERSION.commit[:8] in line] == lines[-len(LOG) :]


def test_a_pipe_has_all_of_each_subject() -> None:
    text = "\n".join(draw_plain(plain_version_table(LOG)))
    assert all(one.message.partition("\n")[0] in text for one in LOG)


@cache
def example() -> Mapping[str, tuple[Kind, tuple[LiveRow, ...]]]:
    """The rows of the example repository by kind, as a host has them."""
    kinds = example_kinds()
    documents = [
        yaml.safe_load(file.read_text())
        for folder in ("brokers", "users", "accounts", "instances", "signals", "systems")
        for file in sorted((find_example_repository() / folder).glob("*.yaml"))
    ]
    names = {one["spec"].get(kinds.by_name[one["kind"]].key): one["metadata"]["name"] for one in documents}
    return {
        kind.name: (kind, tuple(live_row(kind, one, names) for one in documents if one["kind"] == kind.name))
        for kind in kinds
    }


def live_row(kind: Kind, document: dict[str, Any], names: Mapping[Any, str]) -> LiveRow:
    metadata, spec = document["metadata"], document["spec"]
    values = {column.name: spec.get(column.name) for column in kind.columns}
    values[kind.key] = values[kind.key] or str(uuid5(NAMESPACE_DNS, metadata["name"]))
    refs = {role: (one,) if isinstance(one, str) else tuple(one) for role, one in metadata.get("refs", {}).items()}
    known = {column: names[values[column]] for column in kind.id_columns.values() if values[column] in names}
    stamps = {"created_at": STAMP, "updated_at": STAMP}
    said = Declared(metadata.get("labels", {}), metadata.get("annotations", {}), refs)
    return LiveRow(kind.name, metadata["name"], values | stamps, f"{metadata['name']}.yaml", 1, said, known)


KINDS = ("Account", "Broker", "Instance", "Signal", "System", "User")


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_at_three_widths(name: str, golden: Callable[[str, str], None]) -> None:
    kind, rows = example()[name]
    golden(f"cli/get-{name.lower()}.txt", at_widths(row_table(build_rows(kind, rows, details=True))))


LONG = "the-longest-name-that-a-resource-may-have-in-a-repository-is-63"
ODD = (
    (LONG, "C:\\MT5\\a", "ACTIVE"),
    ("wide", "D:\\取引\\設定\\東京-01", "ACTIVE"),
    ("emoji", "/srv/👩\u200d👩\u200d👧/🇬🇧/mt5", "INACTIVE"),
    ("rtl", "/srv/הגדרות/إعدادات", "ACTIVE"),
    ("marks", "/srv/e\u0301te\u0301/ก็", "ACTIVE"),
    ("blanks", "C:\\Program Files\\MetaTrader 5 " + "x" * 120, "ACTIVE"),
)


def odd_rows() -> answers.Rows:
    kind, rows = example()["Instance"]
    odd = [structs.replace(rows[0], name=name, values={**rows[0].values, "path": path, "status": status})
           for name, path, status in ODD]  # fmt: skip
    return build_rows(kind, odd, details=True)


def test_odd_names_and_values_at_three_widths(golden: Callable[[str, str], None]) -> None:
    golden("cli/get-odd.txt", at_widths(row_table(odd_rows())))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("width", range(24, 130, 7))
def test_names_and_states_of_every_kind_are_whole(name: str, width: int) -> None:
    kind, rows = example()[name]
    text = drawn(row_table(build_rows(kind, rows, details=True)), width)
    assert all(row.name in text for row in rows)
    assert all(str(row.values["status"]) in text for row in rows if "status" in row.values)
    assert max(map(cell_len, text.splitlines()[: len(rows) + 2])) <= width


def test_ids_are_shown_as_names_and_only_in_wide_tables_as_ids() -> None:
    kind, rows = example()["Account"]
    found = build_rows(kind, rows, details=True)
    plain, wide = "\n".join(draw_plain(row_table(found))), "\n".join(draw_plain(row_table(found, wide=True)))
    ids = [str(row.values[column]) for row in rows for column in ("account_id", "broker_id")]
    assert not any(one in plain for one in ids)
    assert all(one in wide for one in ids)
    assert rows[0].names
    assert rows[0].names["broker_id"] in plain


def test_an_id_of_nothing_is_shown_as_it_is() -> None:
    kind, rows = example()["Account"]
    strange = structs.replace(rows[0], names={})  # git says another name: the id is what programs follow
    table = row_table(build_rows(kind, [strange], details=True))
    assert rows[0].values["broker_id"] in table.rows[0]


def test_headings_of_the_history_are_cut_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def line(width: int, text: str, after: str = "", stream: io.StringIO | None = None) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "stdout", Terminal() if stream is None else stream)
        return fit_line("2e527c27  Maren  ", text, after, least=10)

    assert line(60, "Cut risk", "  (orphaned)") == "2e527c27  Maren  Cut risk  (orphaned)"
    assert line(40, "Cut risk on the majors for election week") == "2e527c27  Maren  Cut risk on the majors…"
    assert line(40, "Cut risk on the majors", "  (orphaned)") == "2e527c27  Maren  Cut risk…  (orphaned)"
    assert line(20, "Cut risk on the majors") == "2e527c27  Maren  Cut risk…"
    assert line(40, "Cut risk on the majors for", stream=io.StringIO()) == "2e527c27  Maren  Cut risk on the majors for"
    for width in range(33, 80):
        assert cell_len(line(width, str(LOG[0].message), "  (x)")) <= width


WORDS = st.text(st.sampled_from("ab1.:-_é設👍"), min_size=1, max_size=14)
PROSE = st.lists(WORDS, max_size=9).map(" ".join)
CELLS = {nature: PROSE if nature in {Nature.TEXT, Nature.SUBJECT} else WORDS for nature in Nature}
HEADER = st.from_regex(r"[a-z]{1,9}(_[a-z]{1,9}){0,3}", fullmatch=True)


@st.composite
def tables(draw_: st.DrawFn) -> TextTable:
    headers = draw_(st.lists(HEADER, min_size=1, max_size=8, unique=True))
    ranks = [0, *draw_(st.lists(st.integers(0, 5), min_size=len(headers), max_size=len(headers)))]
    natures = [draw_(st.sampled_from(Nature)) for _ in headers]
    columns = [Column(*each) for each in zip(headers, ranks, natures, strict=False)]
    rows = st.tuples(*(CELLS[nature] for nature in natures))
    return TextTable(columns, draw_(st.lists(rows, min_size=1, max_size=3)))


def lines_of_lists(table: TextTable) -> Iterator[str]:
    """What may stand alone on a line that is wider than the terminal."""
    for row in table.rows:
        yield from (cell for cell, one in zip(row, table.columns, strict=True) if one.nature in WHOLE)
    yield from (part for column in table.columns for part in column.header.split("_"))


WHOLE = frozenset({Nature.NAME, Nature.STATE})


def fits_alone(table: TextTable, column: Column, width: int) -> bool:
    """Whether there is room for a column beside those that are never left out."""
    kept = [at for at, one in enumerate(table.columns) if one is column or one.rank == 0]
    rows = [tuple(row[at] for at in kept) for row in table.rows]
    return not draw(TextTable([table.columns[at] for at in kept], rows), width).left_out


@given(table=tables(), width=st.integers(10, 160))
def test_no_name_and_no_state_is_broken_and_no_line_too_wide(table: TextTable, width: int) -> None:
    found = draw(table, width)
    lines = list(found.lines)
    shown = [at for at, column in enumerate(table.columns) if column.header not in found.left_out]
    for at in shown:
        if table.columns[at].nature in WHOLE:
            assert all(any(row[at] in line for line in lines) for row in table.rows)
    alone = set(lines_of_lists(table))
    assert all(cell_len(line) <= width or line.strip().rstrip("_") in alone for line in lines)
    left = [column for column in table.columns if column.header in found.left_out and fits_alone(table, column, width)]
    assert all(column.rank > 0 for column in left)
    assert max((table.columns[at].rank for at in shown), default=0) <= min((one.rank for one in left), default=9)


@given(table=tables(), width=st.integers(40, 160))
def test_words_of_texts_are_whole_where_they_fit(table: TextTable, width: int) -> None:
    found = draw(table, width)
    words = {word.rstrip("…") for line in found.lines for word in line.replace("─", " ").split()}
    shown = [at for at, column in enumerate(table.columns) if column.header not in found.left_out]
    texts = [row[at] for row in table.rows for at in shown if table.columns[at].nature is Nature.TEXT]
    assert all(word in words for text in texts for word in text.split())


def test_a_table_in_a_pipe_is_one_line_for_each_row() -> None:
    table = TextTable([Column("name"), Column("value", 3)], [("a", ""), ("長い", "x  y")])
    assert list(draw_plain(table)) == ["name  value", "a", "長い  x  y"]


def test_a_state_means_what_needs_somebody_most() -> None:
    expected = {
        "ACTIVE": Meaning.GOOD,
        "INACTIVE": Meaning.OFF,
        "INVALID": Meaning.BAD,
        "live, drifted": Meaning.WRONG,
        "VALID orphaned": Meaning.GOOD,
        "PAUSED-BY-DESK": None,
    }
    assert {state: find_meaning(state) for state in expected} == expected
    assert set(MEANINGS.values()) == set(Meaning)


@pytest.mark.parametrize(
    ("environment", "has"),
    [
        ({}, False),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM_PROGRAM": "WezTerm"}, True),
        ({"VTE_VERSION": "7006"}, True),
        ({"VTE_VERSION": "4000"}, False),
        ({"WT_SESSION": "1", "TMUX": "/tmp/x"}, False),
        ({"WT_SESSION": "1"}, True),
        ({"FORCE_HYPERLINK": "1", "TMUX": "/tmp/x"}, True),
        ({"FORCE_HYPERLINK": "0", "TERM": "xterm-kitty"}, False),
    ],
)
def test_terminals_that_show_links(environment: dict[str, str], has: bool) -> None:
    assert has_links(environment) == has


def test_a_text_goes_on_below_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(width: int, stream: io.StringIO) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setattr(sys, "stdout", stream)
        labelled("ok       git", "the clone at /srv/a-very-long-path/of-a-repository is whole", 22, state_in="label")
        return stream.getvalue()

    whole = "ok       git          the clone at /srv/a-very-long-path/of-a-repository is whole\n"
    assert told(60, io.StringIO()) == whole
    assert told(200, Terminal()) == whole
    assert told(60, Terminal()).splitlines() == [
        "ok       git          the clone at",
        "                      /srv/a-very-long-path/of-a-repository",
        "                      is whole",
    ]
