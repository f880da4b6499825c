"""The documentation as a site: every page is in it, links lead somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, ROOT, read

DECISIONS = DOCS / "decisions"
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*?\b(?:src|srcset)="(?P<loaded>[^"]+)"|<link\b[^>]*?\bhref="(?P<linked>[^"]+)\""""
)


def test_every_page_is_in_the_navigation() -> None:
    named = set(re.findall(r"[\w/-]+\.md", read("mkdocs.yml").partition("\nnav:\n")[2]))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if not page.name.startswith("0")}
    assert named == pages


@pytest.mark.slow
def test_the_site_is_whole_and_stands_alone(tmp_path: Path) -> None:
    """Built as `make docs` does: a link into nothing is an error."""
    command = [
        str(Path(sys.executable).with_name("mkdocs")),
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        str(tmp_path),
    ]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert built.returncode == 0, built.stderr
    for page in tmp_path.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = [found["loaded"] or found["linked"] for found in LOADED.finditer(text)]
        assert [address for address in loaded if "//" in address] == []
    commands = (tmp_path / "commands.html").read_text(encoding="utf-8")
    assert r"\|" not in commands
    listed = (tmp_path / "decisions" / "index.html").read_text(encoding="utf-8")
    assert all(f'href="{page.stem}.html"' in listed for page in DECISIONS.glob("0*.md"))
