"""Texts that are plain, or nearly: what people write, with signs, blanks and lines where they should not be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

T = TypeVar("T")


def _parted(text: str, by: str | None = None) -> list[str]:
    return text.split(by)


EXAMPLE = Path(__file__).parents[2] / "config-repo-example"
WRITTEN = [file.read_text(encoding="utf-8") for file in sorted(EXAMPLE.glob("*/*.yaml"))]

_KEYS = _parted("""a b c name a.b/c-d _x on y k8s.io/x é 1 null << 'a' "a" ? - a=b a#b .a -a a, ~ x"y True""")
_WORDS = _parted(r"""
1 0 -0 +1 01 0.5 -1.5 .5 5. 1e3 1.0e+3 1e400 1_000 0x1F 0o17 0b1 0xg 1:30 -1:30 1:99 12345678901234567890 -0.0 1. -.5
.inf -.inf .nan true True yes no On n null Null ~ ~x nullx 2026-01-01 - -- --- ... -x -1x = < <<
FIXED C:\MT5\x http://a:80/b?c#d a:b a::b :a a: a#b #a a,b a] [a a[0] {a} *a &a !a ! | > %a @a `a ?a $(x) (a) é
' " '' "" 'a' "a" 'it''s' "\x41" "\" '\' 'a'b 'a "a 'é' a' a" \ud83d\ude00 '\ud83d' "\ud83d\ude00"
[] [a] [a,b] [a,] [,] [-a] [a-] [-] [1:30] [yes] ['a'] [a]b [[a]] [.] [/] [a#b] []: {} [~] [a:b] [&a] [?] [!]
""")
_VALUES = [
    *_WORDS,
    *("- x", "text of words", "two  blanks", "a: b", "a :b", "a #b", "? a", "'a: b'", '"a # b"', "'a' b", "a\u00a0"),
    *("[ ]", "[a, b]", "[ 1 , x ]", "[a: b]", "[a] b", "{a: 1}", "[a b]", "[./a, 1.5]", "[null, ~]", "\u00a0", "😀"),
]
_USUAL = ["1", "0.5", "-2", "x", "FIXED", "two words", "'a: b'", '"#x"', "a:b", "true", "~", "[a, b]", "é", "0x1F"]
_TAILS = ["", "", "", "", "", " ", "  ", " # why", "  #", ' # it\'s "so": {']
_ODD_TAILS = [*_TAILS, "#", " #", "# why", "\t", " \t# x", ":", " :", ",", "\\"]
_BETWEEN = [": ", ": ", ": ", ": ", ":  ", ":", " : ", ":\t", " :", ""]
_DASHES = ["- ", "- ", "- ", "-  ", "-", "- - ", "-\t", "? ", "-   "]
_LINES = [
    *_parted(
        "# # c|  # c|#|#c|---|--- |--- # c|---#c|--- a| ---|...|... # x|----|%YAML 1.2|%TAG ! x|%|# 1:30|# é", "|"
    ),
    *_parted(
        "a|- a|-|- |a:|a: 1|  b: 2|? a|: a|[a]: 1|a: b: c|<<: 1|é: 1|\ufeff|  text|'a': 1|\"a\": 1|a: 'b|  c'", "|"
    ),
    *_parted("!!map|&x|a: &x 1|b: *x|a: [b,|  c]|a: x  |- a: 1|  - b|   - c: d|-1|-1: 2|- -1|a:#b|a: #b|a:  # b", "|"),
    *("a : 1", "a:\u00a01", "a: |", "", " ", "    ", "\t"),
]
_SIGNS = [
    *" :#-?,[]{}&*!|>'\"%@`\\~.\n\r\t\0é\u00a0\u2028\x85\ufeff\x7f😀\ud83da10_e",
    *("  ", "\n\n", ": ", " #", "- ", "\n- ", "\n  ", "---\n", "\n...\n", "\r\n", "''", "k" * 260, "\n" + " " * 20),
]


def draw_text(random: Random) -> bytes:
    """One text. More than every third one is plain."""
    way = random.random()
    if way < 0.55:
        text = _draw_documents(random)
    elif way < 0.6:
        text = _pick(random, WRITTEN)
    elif way < 0.85:
        text = "\n".join(_draw_line(random) for _ in range(1 + int(random.random() * 6)))
    else:
        text = "".join(_pick(random, _SIGNS + _VALUES + _BETWEEN) for _ in range(1 + int(random.random() * 8)))
    return spoil(random, text, 0.4)


def spoil(random: Random, text: str, how_much: float) -> bytes:
    """The text with signs, blanks and lines more or less, more of them the closer `how_much` is to 1."""
    while random.random() < how_much:
        text = _spoil_once(random, text)
    if random.random() < 0.05:
        text = text.replace("\n", "\r\n")
    return text.encode("utf-8", "surrogatepass" if random.random() < 0.5 else "replace")


def _pick(random: Random, from_: Sequence[T]) -> T:
    return from_[int(random.random() * len(from_))]


def _draw_line(random: Random) -> str:
    if random.random() < 0.25:
        return _pick(random, _LINES)
    indent = " " * int(random.random() * 5)
    dash = _pick(random, _DASHES) if random.random() < 0.3 else ""
    if random.random() < 0.25:
        return f"{indent}{dash or '- '}{_pick(random, _VALUES)}{_pick(random, _ODD_TAILS)}"
    value = _pick(random, _VALUES) if random.random() < 0.6 else ""
    return f"{indent}{dash}{_pick(random, _KEYS)}{_pick(random, _BETWEEN)}{value}{_pick(random, _ODD_TAILS)}"


def _draw_documents(random: Random) -> str:
    """Documents that are well formed but for a value here or there."""
    lines: list[str] = ["---"] if random.random() < 0.1 else []
    _draw_mapping(random, lines, 0, 0)
    while random.random() < 0.15:
        lines.append(_pick(random, ("---", "---", "--- # next", "...")))
        _draw_mapping(random, lines, 0, 0)
    return "\n".join(lines) + ("\n" if random.random() < 0.9 else "")


def _draw_value(random: Random) -> str:
    if random.random() < 0.03:
        return _pick(random, _VALUES)
    return _pick(random, _USUAL)


def _draw_mapping(random: Random, lines: list[str], indent: int, depth: int, *, behind_dash: bool = False) -> None:
    for number in range(1 + int(random.random() * 4)):
        start = "" if behind_dash and not number else " " * indent
        key = f"k{number}" if random.random() < 0.97 else _pick(random, _KEYS)
        way = random.random()
        if way < 0.7 or depth > 3:
            _write(
                lines,
                f"{start}{key}: {_draw_value(random)}{_draw_tail(random)}",
                behind_dash=behind_dash and not number,
            )
            continue
        _write(lines, f"{start}{key}:{_draw_tail(random)}", behind_dash=behind_dash and not number)
        deeper = indent + 1 + int(random.random() * 3)
        if way < 0.82:
            _draw_mapping(random, lines, deeper, depth + 1)
        elif way < 0.95:
            _draw_list(random, lines, indent if random.random() < 0.5 else deeper, depth + 1)
        if random.random() < 0.1:
            lines.append(_pick(random, ("", "   ", "# c", "      # c")))


def _draw_list(random: Random, lines: list[str], indent: int, depth: int) -> None:
    for _ in range(1 + int(random.random() * 3)):
        dash = " " * indent + "-" + " " * (1 + int(random.random() * 1.3))
        if random.random() < 0.6:
            lines.append(f"{dash}{_draw_value(random)}{_draw_tail(random)}")
        else:
            lines.append(dash)
            _draw_mapping(random, lines, len(dash), depth + 1, behind_dash=True)


def _write(lines: list[str], text: str, *, behind_dash: bool) -> None:
    if behind_dash:
        lines[-1] += text
    else:
        lines.append(text)


def _draw_tail(random: Random) -> str:
    return _pick(random, _TAILS) if random.random() < 0.15 else ""


def _spoil_once(random: Random, text: str) -> str:
    """The text with a sign, a blank or a line more, or less, somewhere."""
    at = int(random.random() * (len(text) + 1))
    way = random.random()
    if way < 0.4:
        return text[:at] + _pick(random, _SIGNS) + text[at:]
    if way < 0.55:
        return text[:at] + text[at + 1 :]
    lines = text.split("\n")
    at = int(random.random() * len(lines))
    if way < 0.65:
        lines[at] = " " * int(random.random() * 3) + lines[at]
    elif way < 0.72:
        lines[at] = lines[at][1:]
    elif way < 0.8:
        lines.insert(at, lines[int(random.random() * len(lines))])
    elif way < 0.9:
        lines.insert(at, _draw_line(random))
    elif way < 0.95:
        lines[at] += _pick(random, _ODD_TAILS)
    else:
        del lines[at]
    return "\n".join(lines)
