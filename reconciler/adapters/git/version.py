"""Which git it is."""

from __future__ import annotations

from pathlib import Path

from reconciler.adapters.git.process import Process


def git_version() -> str:
    """What `git --version` says. Raises `NeedsHuman` when there is no git."""
    process = Process(("--version",), cwd=Path(), git_dir=None)
    try:
        return process.read().decode(errors="replace").strip()
    finally:
        process.close()
