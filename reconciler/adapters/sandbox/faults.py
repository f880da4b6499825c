"""Why a policy could not be run: DuckDB's words, and the place in the policy's file that they are about."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from reconciler.adapters.sandbox.protocol import MEMORY
from reconciler.model.problem import Fault
from reconciler.policy import escape_line

if TYPE_CHECKING:
    from reconciler.adapters.sandbox.protocol import Answer

EXCERPT = re.compile(r"^(?P<lead>LINE (?P<line>\d+): )(?P<text>.*)\n(?P<blank> *)\^", re.MULTILINE)
"""How DuckDB shows the place: a line of the query, and carets under what is wrong."""
NO_MEMORY = "Out of Memory"
SMALLER = "compare rows by id or name, and build no long texts or lists"
ELLIPSIS = "..."
NO_WIDTH = ("Cc", "Cf", "Mn", "Me")
WIDE = ("W", "F")
PREFIX = re.compile(r"^(?:\w+ )?(?:\w+ Error|Error): ", re.ASCII)
CANDIDATES = re.compile(r"^(?:Candidate bindings|Did you mean)[: ]*(?P<names>.+?)\??$", re.MULTILINE)

WRITES = ("read-only mode", "a policy only reads: it may not insert, update or delete")
NO_FILES = ("disabled by configuration", "a policy sees the tables of main and desired, and no file")
HINTS = (WRITES, NO_FILES, ("configuration has been locked", "a policy cannot change settings"))


def build_fault(answer: Answer, sql: str, seconds: float, seconds_for_all: float) -> Fault:
    """The fault that an answer without rows tells of."""
    if answer.get("late"):
        return not_run(seconds_for_all)
    if answer.get("slow"):
        return took_too_long(seconds)
    if "refused" in answer:
        return Fault(escape_line(answer["refused"]), answer["line"], answer["column"], answer["hint"])
    text = answer["error"]
    if NO_MEMORY in text:
        return too_large()
    message = escape_line(PREFIX.sub("", text.partition("\n")[0])).rstrip(".!")
    line, column = find_place(text, sql, answer["above"])
    return Fault(message, line, column, _hint(text))


def took_too_long(seconds: float) -> Fault:
    """It was interrupted."""
    message = f"this rule took more than {seconds:g} seconds of CPU time and was stopped"
    return Fault(message, hint=SMALLER)


def too_large() -> Fault:
    """It asked for more memory than there is."""
    return Fault(f"this rule used more memory than there is for it ({MEMORY})", hint=SMALLER)


def ended(seconds: float) -> Fault:
    """The process did not survive it."""
    message = f"this rule used more memory than there is for it, or did not stop after {seconds:g} seconds of CPU time"
    return Fault(message, hint=SMALLER)


def not_run(seconds: float) -> Fault:
    """There was no time left for it."""
    message = f"this rule was not run: those before it took the {seconds:g} seconds of CPU time there are for all"
    return Fault(message, hint="see which of them is slow with `reconciler policy test`")


def _hint(text: str) -> str:
    for words, hint in HINTS:
        if words in text:
            return hint
    candidates = CANDIDATES.search(text)
    return f"did you mean {escape_line(candidates['names'])}?" if candidates else ""


def find_place(text: str, sql: str, above: int) -> tuple[int, int]:
    """Line and column, from 1; the beginning of the file when DuckDB shows no place, or one that is not in it."""
    excerpt = EXCERPT.search(text)
    if excerpt is None:
        return 1, 1
    line, lines = int(excerpt["line"]) - above, sql.split("\n")
    if not 1 <= line <= len(lines):
        return 1, 1
    shown, width = excerpt["text"], len(excerpt["blank"]) - len(excerpt["lead"])
    column = _characters(shown, width)
    if shown.startswith(ELLIPSIS):  # a long line, of which only the middle is shown
        start = lines[line - 1].find(shown.removeprefix(ELLIPSIS).removesuffix(ELLIPSIS))
        column += max(start, 0) - len(ELLIPSIS)
    return line, min(max(column, 0), len(lines[line - 1])) + 1


def _characters(text: str, width: int) -> int:
    """How many characters of a text take so many columns of a terminal, as DuckDB counts them."""
    for count, character in enumerate(text):
        if width <= 0:
            return count
        width -= _width(character)
    return len(text)


def _width(character: str) -> int:
    if unicodedata.category(character) in NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in WIDE else 1
