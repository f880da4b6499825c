"""A repository of our own to write in: the copy of the example that the tour works on. No other one is written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.git.process import Process

if TYPE_CHECKING:
    from pathlib import Path

BRANCH = "main"


class ScratchRepository:
    """A new repository in an existing folder, with a branch `main`.

    Git is started as everywhere else: a `GIT_DIR` in the environment, as in a hook, leads to no other repository.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._git("init", "--quiet", f"--initial-branch={BRANCH}", "--template=")

    def commit(self, message: str, author: tuple[str, str]) -> None:
        """Commit all files as they are, in the name of an author (name and e-mail address)."""
        name, email = author
        identity = ("-c", f"user.name={name}", "-c", f"user.email={email}")
        self._git("add", "--all", "--force")
        self._git(*identity, "commit", "--quiet", "--no-gpg-sign", f"--message={message}")

    def sign_as(self, author: tuple[str, str]) -> None:
        """Let whoever commits here be this author, where git would ask who they are."""
        for key, value in zip(("user.name", "user.email"), author, strict=True):
            self._git("config", key, value)

    def _git(self, *arguments: str) -> None:
        process = Process(arguments, cwd=self._folder, git_dir=None)
        try:
            process.read()
            if process.finish() != 0:
                raise process.failure()
        finally:
            process.close()
