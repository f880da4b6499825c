"""The guides are sessions as README.md is one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.docs.markdown import DOCS, EXAMPLE, blocks
from tests.docs.session import Terminal, matches, normal

if TYPE_CHECKING:
    from pathlib import Path

SESSIONS = sorted(
    page for page in (DOCS / "guides").glob("*.md") if blocks(page.read_text(encoding="utf-8"), "console")
)
READ_ONLY = {"toml", "powershell", "python", "sh", "text", "yaml"}
"""Blocks that show something, and are neither typed nor compared."""


@pytest.mark.slow
@pytest.mark.parametrize("page", SESSIONS, ids=lambda page: page.stem)
def test_the_session_of_a_guide(page: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(EXAMPLE, checkout / "config-repo-example")
    terminal = Terminal(checkout)
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language not in READ_ONLY:
            terminal.follow(block)
            told, real = normal("\n".join(terminal.told)), normal("\n".join(terminal.real))
            assert matches(told, real), "\n".join(["told:", *told, "", "real:", *real])
    terminal.finish()


def test_the_guides_have_sessions() -> None:
    assert len(SESSIONS) > 3
