"""What the number format of a spreadsheet's cell shows around its number: a percent sign, a unit, a sign of money.

A format has sections for positive numbers, negative ones, zero and text, between semicolons (ECMA-376 part 1, 18.8.31).
"""

from __future__ import annotations

import re

NUMBER = "7"
"""Stands for the number in what is shown around it."""
PLAIN = frozenset({NUMBER, f"-{NUMBER}", f"+{NUMBER}", f"({NUMBER})"})
NOTHING_SHOWN = "nothing"

_TOKENS = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<money>[^\]-]*)[^\]]*\]|(?P<condition>\[[<>=][^\]]*\])|\[[^\]]*\]|[_*].'
    r"|(?P<number>General|@|[0#?][0#?.,]*(?:[eE][-+]0+)?(?:\s*/\s*[0#?\d]+)?|\.[0#?]+)|(?P<next>;)|(?P<other>.)",
    re.DOTALL,
)
_NUMBERS = re.compile(rf"{NUMBER}(?:\s+{NUMBER})+")


def show_around(form: str, value: float) -> tuple[str, bool]:
    """What is shown around a number, the number being 7, such as `7 lots`; empty where that is just the number.

    And whether it is shown as a percentage, so 0.005 is 0.5 %.
    """
    sections = [("", False)]
    has_condition = False
    for token in _TOKENS.finditer(form):
        text, is_percent = sections[-1]
        has_condition = has_condition or token["condition"] is not None
        if token["next"]:
            sections.append(("", False))
        elif token["other"] == "%":
            sections[-1] = text, True
        elif token["number"]:
            thousands = " thousands" if token["number"].endswith(",") else ""
            sections[-1] = f"{text}{NUMBER}{thousands}", is_percent
        else:
            sections[-1] = text + next(filter(None, token.group("quoted", "escaped", "money", "other")), ""), is_percent
    if has_condition and len(set(sections)) > 1:
        return "a number by its size", False
    shown, is_percent = sections[_section(value, len(sections))]
    shown = _NUMBERS.sub(NUMBER, " ".join(shown.split()))
    if shown in PLAIN or (not value and NUMBER not in shown):
        return "", is_percent
    return shown or NOTHING_SHOWN, is_percent


def _section(value: float, sections: int) -> int:
    wanted = 1 if value < 0 else 2 if value == 0 else 0
    return wanted if wanted < sections else 0
