"""A repository of our own to write in: the copy of the example that the tour works on. No other one is written to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import git

from reconciler.adapters.git.isolation import VARIABLES

if TYPE_CHECKING:
    from pathlib import Path

BRANCH = "main"


class ScratchRepository:
    """A new repository in an existing folder, with a branch `main`; nobody's git configuration counts in it."""

    def __init__(self, folder: Path) -> None:
        self._environment = {
            **VARIABLES,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        self._git = git.Git(folder)
        with self._git.custom_environment(**self._environment):
            self._git.init(f"--initial-branch={BRANCH}", "--quiet")

    def commit(self, message: str, author: tuple[str, str]) -> str:
        """Commit all files as they are, in the name of an author (name and e-mail address); gives the sha."""
        name, email = author
        people = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", name), ("EMAIL", email))
        }
        with self._git.custom_environment(**self._environment, **people):
            self._git.add("--all")
            self._git.commit("--quiet", "--no-gpg-sign", "--no-verify", f"--message={message}")
            return str(self._git.rev_parse("HEAD"))
