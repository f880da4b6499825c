"""Tables on terminals: they fit, identifiers and values stay whole, and only subjects and authors are cut."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len

from reconciler import answers
from reconciler.cli.commands.history import print_versions
from reconciler.cli.output import fit_line
from reconciler.cli.terminal import draw_table, draw_text

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTHS = (80, 120, 200)
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


def shown(width: int, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", stream)
    print_versions(LOG)
    return stream.getvalue()


def test_the_log_at_three_widths_and_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, golden: Callable[[str, str], None]
) -> None:
    terminals = [(f"{width} columns", shown(width, monkeypatch, Terminal())) for width in WIDTHS]
    pipe = shown(80, monkeypatch, io.StringIO())
    golden("cli/log.txt", "".join(f"# {name}\n{text}\n" for name, text in (*terminals, ("a pipe", pipe))))


@pytest.mark.parametrize("width", [60, *WIDTHS])
def test_a_log_fits_and_each_commit_is_one_line(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(width, monkeypatch, Terminal()).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert [line for line in lines if VERSION.commit[:8] in line] == lines[-len(LOG) :]


def test_a_pipe_has_all_of_each_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(80, monkeypatch, io.StringIO())
    assert all(one.message.partition("\n")[0] in text for one in LOG)


def test_headings_of_the_history_are_cut_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def line(width: int, text: str, after: str = "", stream: io.StringIO | None = None) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "stdout", Terminal() if stream is None else stream)
        return fit_line("2e527c27  Maren  ", text, after, least=10)

    assert line(60, "Cut risk", "  (orphaned)") == "2e527c27  Maren  Cut risk  (orphaned)"
    assert line(40, "Cut risk on the majors for election week") == "2e527c27  Maren  Cut risk on the majors…"
    assert line(40, "Cut risk on the majors", "  (orphaned)") == "2e527c27  Maren  Cut risk o…  (orphaned)"
    assert line(20, "Cut risk on the majors") == "2e527c27  Maren  Cut risk…"
    assert line(40, "Cut risk on the majors for", stream=io.StringIO()) == "2e527c27  Maren  Cut risk on the majors for"
    for width in range(33, 80):
        assert cell_len(line(width, str(LOG[0].message), "  (x)")) <= width


HEADERS = st.lists(st.from_regex(r"[a-z]{1,9}(_[a-z]{1,9}){0,3}", fullmatch=True), min_size=1, max_size=9, unique=True)
CELL = st.text(st.sampled_from("ab1.:-_[]設é "), max_size=30).map(str.strip)


def letters(*texts: str) -> list[str]:
    return sorted("".join(texts).replace("─", "").replace(" ", "").replace("\n", ""))


@given(data=st.data(), width=st.integers(20, 200))
def test_every_value_can_be_read_at_every_width(data: st.DataObject, width: int) -> None:
    headers = data.draw(HEADERS)
    rows = data.draw(st.lists(st.lists(CELL, min_size=len(headers), max_size=len(headers)), min_size=1, max_size=3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        text = draw_table([(headers, rows)], {}, coloured=False)
    cells = [cell for row in rows for cell in row]
    assert letters(text) in (letters(*headers, *cells), letters(*headers * len(rows), *cells))
    if "─" in text:
        assert max(map(cell_len, text.splitlines())) <= width


def test_a_table_in_a_pipe_is_one_line_for_each_row() -> None:
    assert draw_text(("name", "value"), [("a", ""), ("長い", "x  y")]) == "name  value\na\n長い  x  y"
