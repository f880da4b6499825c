"""docs/deploy.md against the files that it tells of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.deploy.dockerfiles import instructions
from tests.docs.markdown import ROOT, anchors, links, read

if TYPE_CHECKING:
    from pathlib import Path

PAGE = read("docs/deploy.md")
FILES = [
    ROOT / "Dockerfile",
    *sorted(path for path in (ROOT / "deploy").rglob("*") if path.suffix in {".service", ".yml", ".xml"}),
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_points_to_its_part_of_the_page(file: Path) -> None:
    named = re.findall(r"docs/deploy\.md#([\w-]+)", file.read_text(encoding="utf-8"))
    assert set(named) <= set(anchors(PAGE))
    assert named or "deploy.md" not in file.read_text(encoding="utf-8")


def test_each_way_is_linked() -> None:
    ways = {"Dockerfile", "deploy/compose/docker-compose.yml", "deploy/systemd/reconciler.service"}
    ways |= {"deploy/windows/install-service.ps1"}
    assert {f"../{way}" for way in ways} <= set(links(PAGE))


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"(?<![\w/$])deploy[/\\][\w./\\-]+\.(?:conf|ps1|service|toml)", PAGE))
    assert len(named) >= 4
    assert [name for name in named if not (ROOT / name.replace("\\", "/")).is_file()] == []


def test_build_arguments_are_told_with_their_defaults() -> None:
    made = dict(one.text.split("=", 1) for one in instructions(read("Dockerfile")) if one.name == "ARG")
    told: dict[str, str] = {}
    for names, default in re.findall(r"^\| ((?:`[A-Z]+`(?:, )?)+) \| (`[^`]*`|) ?\|", PAGE, re.MULTILINE):
        told |= dict.fromkeys(re.findall(r"`([A-Z]+)`", names), default.strip("`"))
    assert told == made
