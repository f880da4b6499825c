"""YAML as people write it, drawn by Hypothesis: every style, any indentation, comments and blank lines all over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[st.SearchStrategy[object]], object]

KEYS = (
    *("apiVersion", "kind", "metadata", "spec", "name", "labels", "annotations", "refs", "user_id", "lot_size_type"),
    *("status", "lot", "min", "max", "step", '"quoted"', "'key'", "a b", "_", "é", "broker_id", "spec2"),
)
PLAIN = ("User", "Account", "Broker", "1", "0.10", "1:30", "true", "~", "a#b", "x: y"[:1], "C:\\MT5", "- x"[2:], "é ü")
ONE_LINE = (
    *PLAIN,
    "''",
    '"a # b"',
    "'it''s'",
    '"\\t\\u00e9 \\" # x"',
    "[a,  b]",
    "{}",
    "{a: 1, b: [2]}",
    "!!str 1",
    "[]",
)
WORDS = ("one", "two # is text", "  indented", "", "   ", "# three", "- four", "k: v", "tab\there", "end  ")


@dataclass
class Pen:
    """Writes one file; `comments` are those that it put in, all different."""

    draw: Callable[[st.SearchStrategy[int]], int]
    lines: list[str]
    comments: list[str]
    anchors: int = 0

    def pick(self, *options: str) -> str:
        return options[self.number(len(options) - 1)]

    def number(self, most: int) -> int:
        return self.draw(st.integers(0, most))

    def rarely(self) -> bool:
        return self.number(4) == 4

    def comment(self) -> str:
        self.comments.append(
            f"#{self.pick('', ' ', '#')}{len(self.comments)}: {self.pick('a', 'b # c', 'k: v', '- x')}."
        )
        return self.comments[-1]

    def anchor(self) -> str:
        self.anchors += 1
        return f" &n{self.anchors}"

    def trailing(self) -> str:
        return self.pick(" ", "   ") + self.comment() if self.rarely() else self.pick("", "", "", "  ")

    def gap(self, deepest: int) -> None:
        """Blank lines and comments of their own, indented at most so deep."""
        while self.rarely():
            blank = self.pick("", "  ", "#")
            self.lines.append(" " * self.number(deepest) + self.comment() if blank == "#" else blank)

    def mapping(self, column: int, depth: int, first: str = "") -> None:
        """A mapping in a column; `first` stands before its first key."""
        keys = list(dict.fromkeys(self.pick(*KEYS) for _ in range(1 + self.number(4))))
        for position, key in enumerate(keys):
            if position or not first:
                self.gap(column + 3)
            start = first if first and not position else " " * column
            self.value(f"{start}{key}{self.pick('', '', ' ')}:", column, depth, is_item=False)

    def items(self, column: int, depth: int, first: str = "") -> None:
        """A list in a column."""
        for position in range(1 + self.number(2)):
            if position or not first:
                self.gap(column + 3)
            start = first if first and not position else " " * column
            self.value(f"{start}-", column, depth, is_item=True)

    def value(self, start: str, column: int, depth: int, *, is_item: bool) -> None:
        """A value for a key or dash that a line starts with, in a column."""
        deeper = column + 1 + self.number(4)
        styles = [self.one_line, self.one_line, self.one_line, self.nothing, self.folded, self.block, self.brackets]
        choice = self.number(len(styles) + (3 if depth else -1))
        if choice < len(styles):
            styles[choice](start, deeper)
        elif choice == len(styles):
            self.lines.append(start + self.trailing())
            self.mapping(deeper, depth - 1)
        elif choice == len(styles) + 1:
            self.lines.append(start + self.pick("", "", self.anchor(), " !!seq") + self.trailing())
            self.items(column if not is_item and self.rarely() else deeper, depth - 1)
        elif is_item:
            begun = f"{start}{' ' * (1 + self.number(2))}"
            (self.mapping if self.number(1) else self.items)(len(begun), depth - 1, begun)
        else:
            self.lines.append(start + self.anchor() + self.trailing())
            self.mapping(deeper, depth - 1)

    def nothing(self, start: str, _deeper: int) -> None:
        self.lines.append(start + self.trailing())

    def one_line(self, start: str, deeper: int) -> None:
        text = self.pick(*ONE_LINE)
        if self.rarely():
            text = f"{self.anchor().strip()} {text}" if text[0] not in "!" else text
        elif self.anchors and self.rarely():
            text = f"*n{self.anchors}"
        if self.rarely():
            self.lines.append(start + self.trailing())
            self.gap(deeper)
            self.lines.append(" " * deeper + text + self.trailing())
        else:
            self.lines.append(f"{start}{self.pick(' ', '   ')}{text}{self.trailing()}")

    def folded(self, start: str, deeper: int) -> None:
        quote = self.pick("", "'", '"')
        words = [
            self.pick("one", "two", "three#", "four\\ " if quote == '"' else "five  ")
            for _ in range(2 + self.number(2))
        ]
        self.lines.append(f"{start} {quote}{words[0]}")
        for word in words[1:]:
            if self.rarely():
                self.lines.append("")
            self.lines.append(" " * (deeper + self.number(2)) + word)
        self.lines[-1] = self.lines[-1].rstrip() + (" " if quote == '"' else "") + quote + self.trailing()

    def block(self, start: str, deeper: int) -> None:
        self.lines.append(f"{start} {self.pick('|', '>')}{self.pick('', '-', '+')}{self.trailing()}")
        self.lines.append(" " * deeper + "begins")
        for _ in range(self.number(3)):
            self.lines.append(" " * deeper + self.pick(*WORDS))

    def brackets(self, start: str, deeper: int) -> None:
        self.lines.append(f"{start} [{self.trailing()}")
        for _ in range(1 + self.number(2)):
            self.gap(deeper)
            self.lines.append(
                " " * deeper + self.pick("a,", "{b: 1,\n c: 2},", '"x\n  # y",', "[z], w,") + self.trailing()
            )
        self.lines.append(" " * deeper + "]" + self.trailing())


@st.composite
def files(draw: Callable[[st.SearchStrategy[int]], int]) -> tuple[str, tuple[str, ...]]:
    """A file and the comments in it."""
    pen = Pen(draw, [], [])
    for position in range(1 + pen.number(1)):
        if position or pen.rarely():
            pen.gap(0)
            pen.lines.append("---" + pen.trailing())
        pen.gap(3)
        (pen.items if pen.rarely() else pen.mapping)(0, 3)
        pen.gap(3)
    text = "\n".join(pen.lines) + pen.pick("", "\n", "\n", "\n\n\n")
    return text.replace("\n", pen.pick("\n", "\n", "\r\n")), tuple(pen.comments)
