"""Paths as commands print them."""

from __future__ import annotations

from pathlib import Path


def from_here(path: Path) -> str:
    """A path from the working directory on, if it is inside; else the whole."""
    whole, here = path.resolve(), Path.cwd().resolve()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)
