"""docs/architecture.md: one page, whose layers are those of the import contract, and whose paths exist."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs.markdown import ROOT, prose, read

PAGES = ("architecture", "reconcile", "data", "daemon")
LINES = 120
"""Of one page."""
PATH = re.compile(r"`([\w.-]+/[\w./-]*|\w+\.(?:py|toml|md))`")
PLACES = ("reconciler", ".")
"""Where paths begin: in the package, else at the root of the repository."""


def _section(title: str) -> str:
    return read("docs/architecture.md").partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _first_cells(section: str) -> list[str]:
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def test_it_is_one_page_with_one_picture() -> None:
    page = read("docs/architecture.md")
    assert len(page.splitlines()) <= LINES
    assert page.count("```text") == 1


def test_its_layers_are_those_of_the_contract() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    expected = [sorted(re.findall(r"reconciler\.(\w+)", layer)) for layer in layers]
    assert [sorted(re.findall(r"`(\w+)`", cell)) for cell in _first_cells(_section("Layers"))] == expected


@pytest.mark.parametrize("page", PAGES)
def test_every_path_exists(page: str) -> None:
    paths = PATH.findall(prose(read(f"docs/{page}.md")))
    assert not [path for path in paths if not any((ROOT / place / path).exists() for place in PLACES)]
    assert page == "data" or len(paths) > 5
