"""Who is shown colours: variables, terminals, and that click and rich are told the same."""

from __future__ import annotations

import io
import sys

import pytest

from reconciler.cli import output
from reconciler.report.tables import Column, Nature, TextTable

VARIABLES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM")
ESCAPE = "\x1b["


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "on_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"TERM": "xterm-256color"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": "0"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "2"}, True, True),
        ({"FORCE_COLOR": "3"}, True, True),
        ({"FORCE_COLOR": "true"}, True, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": "False"}, False, False),
        ({"FORCE_COLOR": ""}, True, False),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR_FORCE": "yes"}, True, True),
        ({"CLICOLOR_FORCE": "0"}, True, False),
        ({"CLICOLOR_FORCE": ""}, True, False),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "1"}, True, False),
        ({"CLICOLOR": ""}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "3"}, False, False),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, False),
        ({"FORCE_COLOR": "0", "CLICOLOR_FORCE": "1"}, False, False),
        ({"FORCE_COLOR": "1", "CLICOLOR": "0"}, True, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, True, True),
        ({"CLICOLOR_FORCE": "1", "TERM": "dumb"}, True, True),
        ({"CLICOLOR_FORCE": "0", "TERM": "dumb"}, False, False),
    ],
    ids=str,
)
def test_who_is_shown_colours(environ: dict[str, str], on_terminal: bool, elsewhere: bool) -> None:
    assert output.has_colour(Terminal(), environ) is on_terminal
    assert output.has_colour(io.StringIO(), environ) is elsewhere


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


@pytest.mark.parametrize("both", [(Terminal, io.StringIO), (io.StringIO, Terminal)])
def test_results_and_notes_are_judged_apart(both: tuple[type[io.StringIO], ...], plain: pytest.MonkeyPatch) -> None:
    out, err = (stream() for stream in both)
    plain.setattr(sys, "stdout", out)
    plain.setattr(sys, "stderr", err)
    output.data(output.change("+ User a"))
    output.table(TextTable([Column("name", 0, Nature.STATE)], [("ACTIVE",)]))
    output.hint("look there")
    assert [ESCAPE in stream.getvalue() for stream in (out, err)] == [stream.isatty() for stream in (out, err)]


def test_a_terminal_that_wants_no_colours_is_sent_no_escapes(plain: pytest.MonkeyPatch) -> None:
    plain.setattr(sys, "stdout", Terminal())
    plain.setenv("FORCE_COLOR", "1")
    plain.setenv("NO_COLOR", "1")
    output.data(output.problem("a.yaml:1:1: error [x] /: y"))
    output.table(TextTable([Column("name", 0, Nature.STATE)], [("ACTIVE",)]))
    assert ESCAPE not in sys.stdout.getvalue()  # type: ignore[attr-defined]


def test_a_pipe_that_wants_colours_has_them(plain: pytest.MonkeyPatch) -> None:
    plain.setattr(sys, "stdout", io.StringIO())
    plain.setenv("FORCE_COLOR", "1")
    output.data(output.change("+ User a"))
    output.json_data({"a": 1})
    first, _, rest = sys.stdout.getvalue().partition("\n")  # type: ignore[attr-defined]
    assert ESCAPE in first
    assert ESCAPE not in rest
