"""Just enough Markdown: the headings of a page, its fenced blocks, its links; and the edits that `diff` blocks show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
EXAMPLE = ROOT / "config-repo-example"

_FENCE = re.compile(r"^```(?P<language>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(?P<title>.+?) *$", re.MULTILINE)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)|(?:src|srcset|href)=\"(?P<attribute>[^\"]+)\"")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text and the nearest `##` heading above it."""

    language: str
    body: str
    section: str


@dataclass(frozen=True)
class Edit:
    """A change to one file, as a `diff` block shows it."""

    path: str
    old: str
    new: str

    def apply(self, folder: Path) -> None:
        """Make the change; the old text has to be there exactly once."""
        file = folder / self.path
        text = file.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, f"{self.path} holds {text.count(self.old)} times: {self.old}"
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")


def read(name: str) -> str:
    """A page by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def prose(page: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page)


def headings(page: str) -> list[str]:
    """The titles of all levels, as written."""
    return [found["title"] for found in _HEADING.finditer(prose(page))]


def anchors(page: str) -> set[str]:
    """The headings as GitHub links to them."""
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in headings(page))
    return {title.replace(" ", "-") for title in plain}


def links(page: str) -> list[str]:
    """The targets of links and pictures."""
    return [found["target"] or found["attribute"] for found in _LINK.finditer(prose(page))]


def blocks(page: str, language: str = "") -> list[Block]:
    """The fenced blocks of a page, of one language or of all."""
    found = []
    for fence in _FENCE.finditer(page):
        above = [one for one in _HEADING.finditer(page, 0, fence.start()) if one.group().startswith("## ")]
        section = above[-1]["title"] if above else ""
        found.append(Block(fence["language"].strip(), fence["body"], section))
    return [one for one in found if language in ("", one.language)]


def edit(block: Block) -> Edit:
    """The edit of a `diff` block: `--- path`, then removed and added lines."""
    first, *lines = block.body.splitlines()
    assert first.startswith("--- "), block
    old = "\n".join(line[1:] for line in lines if line.startswith("-"))
    new = "\n".join(line[1:] for line in lines if line.startswith("+"))
    return Edit(first.removeprefix("--- "), old if new else f"{old}\n", new)
