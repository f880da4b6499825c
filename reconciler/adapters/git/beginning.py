"""The repository that `init` begins, and the bare one on the same machine that it pushes to.

Whatever a person has configured for git stays in force in their working tree (hooks of a template, signing, ends of
lines); what this program does there on its own behalf runs no hook. Each step registers how it is undone.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.adapters.git.process import explain_failure, find_complaint
from reconciler.adapters.git.scratch import BRANCH, ask_git, remove_repository
from reconciler.errors import NeedsHuman, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack

ORIGIN = "origin"
_NO_HOOKS = f"core.hooksPath={os.devnull}"
_NOWHERE = ("(or any of the parent directories)", "(or any parent up to mount point")
"""What git says where there is no repository, in contrast to a broken one."""
_ROOM = "see that the disk has room and that you may write there"
_ELSEWHERE = f"{_ROOM}, and that `git commit` works elsewhere"
_SIGNS = "git is to sign commits (commit.gpgSign): see that it can, with `git commit` elsewhere, or set that to false"
_WHO = ("GIT_AUTHOR_", "GIT_COMMITTER_")
"""Variables by which people say who they are."""
_MAX_COMPLAINT = 500
_TEMPORARY = ".reconciler-init-"


class Place(Struct, frozen=True):
    """What git makes of a folder that need not be there.

    `top` is the working tree around it, None outside of any. `is_shared`: that is a linked worktree or a submodule.
    """

    folder: Path
    top: Path | None = None
    git_dir: Path | None = None
    is_shared: bool = False

    @property
    def is_top(self) -> bool:
        """Whether the folder is a repository of its own."""
        return self.top == self.folder


def find_place(folder: Path) -> Place:
    """What git makes of a folder. Raises `UsageError` where no working tree can be, and `NeedsHuman`."""
    around = next(place for place in (folder, *folder.parents) if os.path.isdir(place))  # noqa: PTH112  it raises nothing
    places = ("--path-format=absolute", "--is-inside-work-tree", "--git-dir", "--git-common-dir")
    code, out, complaint = ask_git(around, "rev-parse", *places)
    if code != 0:
        if any(words in complaint for words in _NOWHERE) and not _is_broken(folder / ".git"):
            return Place(folder)
        raise _explain_place(folder, code, complaint)
    is_inside, git_dir, common = out.splitlines()
    if is_inside != "true":
        raise _inside_git(folder, git_dir)
    _, out, _ = ask_git(around, "rev-parse", "--show-toplevel", "--show-superproject-working-tree")
    top, *above = out.splitlines()
    return Place(folder, Path(top).resolve(), Path(git_dir), git_dir != common or bool(above))


def _is_broken(link: Path) -> bool:
    return os.path.lexists(link) and not os.path.isdir(link)  # noqa: PTH112


def _explain_place(folder: Path, code: int, complaint: str) -> NeedsHuman:
    if "bare repository" in complaint:
        return _inside_git(folder, folder)
    broken = next((place / ".git" for place in (folder, *folder.parents) if _is_broken(place / ".git")), None)
    if broken is not None and "dubious ownership" not in complaint:
        message = f"{broken} leads to no repository: {find_complaint(complaint)}"
        return UsageError(message, hint="move it away, have `git worktree repair` mend it, or choose another folder")
    return need_human(complaint, code, folder)


def _inside_git(folder: Path, git_dir: Path | str) -> UsageError:
    message = f"{folder} is no place for files: git keeps its own there ({git_dir})"
    return UsageError(message, hint="choose a folder outside of it, or `git clone` it")


def need_human(complaint: str, code: int, place: Path) -> NeedsHuman:
    """The error for a git that could not read a repository."""
    error = explain_failure(complaint, code, place)
    return error if isinstance(error, NeedsHuman) else NeedsHuman(str(error), hint=error.hint)


def begin_repository(place: Place, undo: ExitStack) -> Path:
    """Make an existing folder a git repository with a branch `main`, unless it is inside one.

    Gives the folder where git keeps its own.
    """
    if place.git_dir is not None:
        return place.git_dir
    own = place.folder / ".git"
    with suppress(FileExistsError):
        own.mkdir()
        undo.callback(remove_repository, own)
    _do(place.folder, "make a repository", "init", "--quiet", f"--initial-branch={BRANCH}")
    return own


def begin_remote(folder: Path, bare: Path, branch: str, undo: ExitStack) -> bool:
    """Make a bare repository that another one pushes to as `origin`; False where it is there already.

    History in it is never rewritten: it takes no forced push and no deletion of a branch. It runs its own hooks only.
    """
    is_new = not bare.exists()
    if is_new:
        with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=bare.parent) as temporary:
            part = Path(temporary) / bare.name
            options = ("--quiet", "--bare", "--template=", f"--initial-branch={branch}")
            _do(bare.parent, "make a repository", "init", *options, str(part))
            _settle(part)
            part.rename(bare)  # whole or not at all, whatever a kill leaves
        undo.callback(remove_repository, bare)
    elif not find_tips(bare):
        _settle(bare)
        # Else a clone of it would check out nothing
        _do(bare.parent, "choose the branch", f"--git-dir={bare}", "symbolic-ref", "HEAD", f"refs/heads/{branch}")
    if not find_origin(folder):
        # `git remote add` fails where the user's own configuration has a word on any `origin`
        section = f"remote.{ORIGIN}"
        undo.callback(ask_git, folder, "config", "--local", "--remove-section", section)
        for key, value in (("fetch", f"+refs/heads/*:refs/remotes/{ORIGIN}/*"), ("url", bare.as_posix())):
            _do(folder, "name where to push to", "config", "--local", f"{section}.{key}", value)
    return is_new


def _settle(bare: Path) -> None:
    settings = {"receive.denyNonFastForwards": "true", "receive.denyDeletes": "true", "core.hooksPath": "hooks"}
    for name, value in settings.items():
        _do(bare.parent, f"set {name}", f"--git-dir={bare}", "config", name, value)


def commit_first(folder: Path, paths: Sequence[str], message: str, undo: ExitStack) -> bool:
    """Make the first commit, of these files alone, in the name of whoever runs this.

    False where git has no name for them: the files are staged then.
    """
    undo.callback(ask_git, folder, "rm", "--cached", "--quiet", "--ignore-unmatch", "--", *paths)
    variables = {name: value for name, value in os.environ.items() if name.startswith(_WHO)}
    variables["GIT_LITERAL_PATHSPECS"] = "1"
    # Also what somebody ignores in all repositories: the checks need each of these files
    _do(folder, "stage the files", "add", "--force", "--", *paths, variables=variables)
    for role in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        if ask_git(folder, "var", role, variables=variables)[0] != 0:
            return False
    words = ("-c", _NO_HOOKS, "commit", "--quiet", "--only", f"--message={message}", "--", *paths)
    signs = ask_git(folder, "config", "--type=bool", "commit.gpgSign")[1] == "true"
    _do(folder, "make the first commit", *words, variables=variables, hint=_SIGNS if signs else _ELSEWHERE)
    undo.callback(ask_git, folder, "update-ref", "-d", "HEAD")
    return True


def push_branch(folder: Path, bare: Path, branch: str) -> bool:
    """Push a branch where the remote lacks it; whether the remote has its newest commit then."""
    if not find_bare_commit(bare, f"refs/heads/{branch}"):
        settings = (_NO_HOOKS, "push.gpgSign=false", "protocol.file.allow=always")
        options = [part for setting in settings for part in ("-c", setting)]
        words = (*options, "push", "--quiet", "--set-upstream", ORIGIN, branch)
        _do(folder, f"push to {bare}", *words, variables={"GIT_ALLOW_PROTOCOL": "file"})
    return find_bare_commit(bare, f"refs/heads/{branch}") == find_commit(folder)


def find_branch(folder: Path) -> str:
    """The branch that is checked out, which may have no commit yet; empty where none is."""
    return ask_git(folder, "symbolic-ref", "--quiet", "--short", "HEAD")[1]


def find_commit(folder: Path) -> str:
    """The commit that is checked out; empty where there is none yet."""
    return ask_git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")[1]


def find_bare_commit(bare: Path, name: str) -> str:
    """The commit of a name in a bare repository; empty where there is none."""
    return ask_bare(bare, "rev-parse", "--verify", "--quiet", name)[1]


def find_tips(bare: Path) -> list[str]:
    """What the branches and tags of a bare repository lead to."""
    return ask_bare(bare, "for-each-ref", "--format=%(objectname)")[1].split()


def find_origin(folder: Path) -> str:
    """Where a working tree pushes to; empty where that is nowhere."""
    for name in ("pushurl", "url"):
        found = ask_git(folder, "config", "--local", "--get-all", f"remote.{ORIGIN}.{name}")[1].splitlines()
        if found:
            return found[0]
    return ""


def find_uncommitted(folder: Path) -> list[str]:
    """Files that are in no commit as they are, ignored ones apart, by their paths; a folder of them ends in `/`."""
    found = ask_git(folder, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal")[1]
    return [entry[len("?? ") :] for entry in found.split("\0") if entry]


def ask_bare(bare: Path, *arguments: str) -> tuple[int, str, str]:
    """The same of a bare repository, which git may have been told not to look for."""
    return ask_git(bare.parent, f"--git-dir={bare}", *arguments)


def _do(
    folder: Path, what: str, *arguments: str, variables: Mapping[str, str] | None = None, hint: str = _ROOM
) -> None:
    """Run a git that writes. Raises `NeedsHuman`, saying what it did not do."""
    code, _, complaint = ask_git(folder, *arguments, variables=variables)
    if code == 0:
        return
    lines = [line.strip().removeprefix("error: ").removeprefix("fatal: ") for line in complaint.splitlines()]
    why = "; ".join(line for line in lines if line and not line.startswith("hint:"))[:_MAX_COMPLAINT]
    why = why or f"it ended with exit code {code}"
    if locked := [line for line in lines if ".lock'" in line]:
        why = locked[0]
        hint = "see whether another git is at work there; else that file is what a killed one left: move it away"
    raise NeedsHuman(f"git could not {what} in {folder}: {why}", hint=f"{hint}; then run this again")
