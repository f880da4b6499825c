"""The repository that the tour works on, a copy of the example; and how GitPython is used, which is imported here only.

That is for repositories that this program makes: whatever reads git, or fetches, starts it by itself
(docs/decisions/0017 and 0025).
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from reconciler.adapters.git.process import OVERRIDES, environment, explain_failure
from reconciler.errors import NeedsHuman

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # else a git that is missing is an ImportError
from git import Actor, Git, Repo
from git.exc import GitCommandError, GitCommandNotFound
from git.util import rmtree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

BRANCH = "main"


class ScratchRepository:
    """A new repository in an existing folder, with a branch `main`.

    A `GIT_DIR` in the environment, as in a hook, leads to no other repository.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with _own_git(folder):
            Repo.init(folder, initial_branch=BRANCH, expand_vars=False, template="", allow_unsafe_options=True).close()

    def commit(self, message: str, author: tuple[str, str]) -> None:
        """Commit all files as they are, in the name of an author (name and e-mail address)."""
        actor = Actor(*author)
        with self._opened() as repo:
            overrides = [f"{name}={value}" for name, value in OVERRIDES.items()]
            repo.git(c=overrides).add(all=True, force=True)
            repo.index.commit(message, author=actor, committer=actor, skip_hooks=True)

    def sign_as(self, author: tuple[str, str]) -> None:
        """Let whoever commits here be this author, where git would ask who they are."""
        with self._opened() as repo, repo.config_writer() as config:
            for key, value in zip(("user.name", "user.email"), author, strict=True):
                config.set_value(*key.split("."), value)

    @contextmanager
    def _opened(self) -> Iterator[Repo]:
        with _own_git(self._folder), Repo(self._folder, expand_vars=False) as repo:
            yield repo


def ask_git(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """The exit code, answer and complaint of a git that is run in a folder."""
    with _own_git(folder):
        git = Git(folder)
        command = [git.GIT_PYTHON_GIT_EXECUTABLE, *arguments]
        ended = git.execute(command, env=variables, with_extended_output=True, with_exceptions=False)
    assert isinstance(ended, tuple)
    code, out, complaint = ended
    return int(code), str(out), str(complaint)


def remove_repository(folder: Path) -> None:
    """Remove a repository that was just made, on Windows also what git has made read-only."""
    with suppress(OSError):
        rmtree(folder)


@contextmanager
def _own_git(folder: Path) -> Iterator[Mapping[str, str]]:
    """Let GitPython start git as this program does, and raise our errors; gives the environment there was.

    It hands on the environment of the process, which is therefore another one meanwhile: not for several threads.
    """
    before, own = dict(os.environ), environment()
    os.environ.clear()
    os.environ.update(own)
    try:
        yield before
    except GitCommandNotFound as error:
        raise NeedsHuman(
            f"git cannot be started in {folder}", hint="install git, put it on PATH, and see that the folder exists"
        ) from error
    except GitCommandError as error:
        code = error.status if isinstance(error.status, int) else 1
        raise explain_failure(error.stderr.partition("'")[2].removesuffix("'"), code, folder) from error
    except OSError as error:
        raise NeedsHuman(
            f"the repository {folder} cannot be written: {(error.strerror or str(error)).lower()}",
            hint="see that its folder is there, has room, and that you may write to it",
        ) from error
    finally:
        os.environ.clear()
        os.environ.update(before)
