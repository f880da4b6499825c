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
SHOWN = {"toml", "powershell", "sh", "yaml"}
"""Blocks that show something, and are neither typed nor compared."""


@pytest.mark.slow
@pytest.mark.parametrize("page", SESSIONS, ids=lambda page: page.stem)
def test_the_session_of_a_guide(page: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(EXAMPLE, checkout / "config-repo-example")
    terminal = Terminal(checkout)
    found = [block for block in blocks(page.read_text(encoding="utf-8")) if block.language not in SHOWN]
    for block, following in zip(found, [*found[1:], None], strict=True):
        is_program = block.language == "python"
        if is_program and (following is None or following.language != "text"):
            continue  # what it would print is not told
        terminal.follow(block)
        told, real = normal("\n".join(terminal.told)), normal("\n".join(terminal.real))
        if not is_program:  # its output is the block after it
            assert matches(told, real), "\n".join(["told:", *told, "", "real:", *real])
    terminal.finish()


def test_the_guides_have_sessions() -> None:
    assert len(SESSIONS) > 3
