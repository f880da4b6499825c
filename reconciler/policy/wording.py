"""Text that a policy made up, fit to be shown: on one line, and nothing in it that a terminal obeys."""

from __future__ import annotations

LONGEST = 1_000
"""Characters of a message."""
CUT = "…"
JOINERS = frozenset("\u200c\u200d")
"""Formatting characters that some languages and all composed emoji need."""


def plain(text: str, longest: int = LONGEST) -> str:
    """The text on one line, what is not seen written as an escape (`\\x1b`), and at most so many characters of it."""
    line = " ".join(text[: longest + 1].split())
    shown = "".join(map(_shown, line))
    return shown if len(text) <= longest and len(shown) <= longest else f"{shown[: longest - 1]}{CUT}"


def _shown(character: str) -> str:
    """Control characters, and formatting ones, such as those that make text run backwards, are not seen."""
    if character.isprintable() or character in JOINERS:
        return character
    return character.encode("unicode_escape").decode("ascii")
