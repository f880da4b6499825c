"""Repositories that this program makes: the new one of `init`, with its remote on this machine if that is asked for,
and the copy of the example that the tour works on.

No other repository is ever written to. This is what GitPython is for here: whatever reads git, or fetches, starts it by
itself (docs/decisions/0017 and 0025).
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.adapters.git.process import OVERRIDES, environment, explain_failure
from reconciler.errors import NeedsHuman, UsageError

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # else a git that is missing is an ImportError
from git import Actor, Repo
from git.exc import GitCommandError, GitCommandNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BRANCH, ORIGIN = "main", "origin"


def begin_repository(folder: Path) -> bool:
    """Make an existing folder a git repository with a branch `main`; False when it is inside one already."""
    if any((place / ".git").exists() for place in (folder, *folder.parents)):
        return False
    with _own_git(folder):
        Repo.init(folder, initial_branch=BRANCH, expand_vars=False).close()
    return True


def check_remote(folder: Path, bare: Path) -> None:
    """Raise `UsageError` where a folder, which need not be there, cannot push to a bare repository that may be."""
    if any((place / ".git").exists() for place in folder.parents) and not (folder / ".git").exists():
        raise UsageError(f"{folder} is part of another repository", hint="choose a folder outside of it")
    if bare.exists() and not (bare / "HEAD").is_file():
        raise UsageError(f"{bare} is there and no bare repository", hint="move it, or choose another folder")
    if (folder / ".git").exists():
        head_branch(folder)
        with _own_git(folder), Repo(folder, expand_vars=False) as repo:
            origins = _origins(repo)
        if origins and Path(origins[0]) != bare:
            message = f"{folder} pushes to {origins[0]} already"
            raise UsageError(message, hint="name that as repository.url of the host's settings")


def begin_remote(folder: Path, bare: Path) -> bool:
    """Make a bare repository that another one pushes to as `origin`; False where it is there already.

    History in it is never rewritten: it takes no forced push and no deletion of a branch.
    """
    with _own_git(folder), Repo(folder, expand_vars=False) as repo:
        is_new = not bare.exists()
        if is_new:
            made = Repo.init(bare, bare=True, initial_branch=repo.head.reference.name, expand_vars=False)
            with made, made.config_writer() as config:
                config.set_value("receive", "denyNonFastForwards", "true")
                config.set_value("receive", "denyDeletes", "true")
        if not _origins(repo):
            repo.create_remote(ORIGIN, bare.as_posix())
    return is_new


def push_first(folder: Path, bare: Path, message: str) -> bool:
    """Push the branch where the remote lacks it, with a first commit of all files where there is none.

    The commit is in the name of whoever runs this; False where git has no name for them.
    """
    with _own_git(folder) as environ, Repo(folder, expand_vars=False) as repo, Repo(bare, expand_vars=False) as remote:
        branch = repo.head.reference.name
        people = {name: value for name, value in environ.items() if name.startswith(("GIT_AUTHOR_", "GIT_COMMITTER_"))}
        with repo.git.custom_environment(**people, GIT_ALLOW_PROTOCOL="file"):
            if not repo.head.is_valid():
                try:
                    repo.git.var("GIT_AUTHOR_IDENT")
                    repo.git.var("GIT_COMMITTER_IDENT")
                except GitCommandError:
                    return False
                repo.git.add(all=True)
                repo.git(c=f"core.hooksPath={os.devnull}").commit(message=message)
            if branch not in [head.name for head in remote.heads]:
                repo.git(c=f"core.hooksPath={os.devnull}").push(ORIGIN, branch, set_upstream=True)
    return True


def _origins(repo: Repo) -> list[str]:
    return [remote.url for remote in repo.remotes if remote.name == ORIGIN]


def head_branch(folder: Path) -> str:
    """The branch that is checked out. Raises `UsageError` where none is."""
    with _own_git(folder), Repo(folder, expand_vars=False) as repo:
        if repo.head.is_detached:
            raise UsageError(f"no branch is checked out in {folder}", hint="git switch BRANCH")
        return repo.head.reference.name


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
