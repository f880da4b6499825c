"""What commits are called: revisions as people write them, and branches, which are `refs/heads/NAME` alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.adapters.git.process import missing_object
from reconciler.errors import UsageError
from reconciler.model.commit import BRANCHES
from reconciler.words import closest, suggest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.adapters.git.plumbing import Plumbing

FULL_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
ELSEWHERE = ".invalid"
"""What HEAD names where refs are in tables: gitformat-reftable."""
NOT_IN_NAMES = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|^-|^$|^@$|^/|//|/$|(?:^|/)\.|\.$|\.lock(?:/|$)")
"""What no branch's name has in it (git-check-ref-format)."""
LOOSE = re.compile(rb"([0-9a-f]{40}(?:[0-9a-f]{24})?)\s*")
"""What the file of a ref holds, unless it is symbolic."""
TAGS = "refs/reconciler/tags/"
"""Where a mirror has the tags of its remote: no short name leads there."""
GONE = "gone-branches"
"""The file in a mirror that names, one a line, the branches that its remote had no more when it was last fetched."""


def branch_head(plumbing: Plumbing, git_dir: Path, name: str, find: Callable[[str], bool]) -> str | None:
    """The sha that `refs/heads/NAME` is at; None when there is no such ref. `git_dir` is the common one.

    `find` says whether there is a commit of a sha.

    By no other rule: where that ref is missing, gitrevisions(7) would go on to a tag, to `refs/tags/refs/heads/NAME`,
    to a remote's branch. Raises `UsageError` for what can be no branch's name.
    """
    if NOT_IN_NAMES.search(name):
        raise UsageError(f"{name!r} is not the name of a branch", hint="write it as git branch shows it")
    if name in gone_branches(git_dir):
        return None
    sha = _read_loose(git_dir, name) or _list_exactly(plumbing, name)
    if sha is None:
        return None
    if not find(sha):
        raise missing_object(git_dir, sha)
    return sha


def branches(plumbing: Plumbing, git_dir: Path) -> tuple[str, ...]:
    """The names of all branches that are there."""
    listed = plumbing.output("for-each-ref", "--format=%(refname)", BRANCHES) or ""
    gone = gone_branches(git_dir)
    names = (ref.removeprefix(BRANCHES) for ref in listed.splitlines())
    return tuple(name for name in names if name not in gone)


def gone_branches(git_dir: Path) -> frozenset[str]:
    """The branches of a mirror that its remote had no more when it was last fetched; none in other repositories."""
    try:
        return frozenset((git_dir / GONE).read_text(encoding="utf-8", errors="surrogateescape").splitlines())
    except OSError:
        return frozenset()


def no_such_branch(plumbing: Plumbing, git_dir: Path, name: str) -> UsageError:
    """There is no branch of that name; the message says what else goes by it, the hint which one may be meant."""
    names = branches(plumbing, git_dir)
    hint = suggest(name, names)
    if not names:
        head = head_branch(plumbing)
        hint = f"the repository has no commits yet, and HEAD stands for {head}" if head else "make a first commit"
    other = _other_meaning(plumbing, name)
    if other:
        return UsageError(f"{name} is {other}, and only a branch can be followed", hint=hint)
    return UsageError(f"there is no branch {name}", hint=hint)


def _other_meaning(plumbing: Plumbing, name: str) -> str:
    """What a name that is no branch's stands for; empty when it stands for nothing."""
    for space, what in (("refs/tags/", "a tag"), (TAGS, "a tag"), ("refs/remotes/", "a branch of a remote")):
        if plumbing.output("for-each-ref", "--count=1", "--format=%(refname)", f"{space}{name}") == f"{space}{name}":
            return what
    return "a commit" if _lookup(plumbing, name) else ""


def _read_loose(git_dir: Path, name: str) -> str | None:
    """The sha in the file of a branch; None when there is none, as when refs are packed, or it is symbolic."""
    try:
        content = git_dir.joinpath("refs", "heads", *name.split("/")).read_bytes()
    except (OSError, ValueError):
        return None
    matched = LOOSE.fullmatch(content)
    return matched[1].decode("ascii") if matched else None


def _list_exactly(plumbing: Plumbing, name: str) -> str | None:
    """The same from git, which also lists `NAME/…`."""
    listed = plumbing.output("for-each-ref", "--format=%(objectname) %(refname)", BRANCHES + name) or ""
    found = (line.split(" ", 1) for line in listed.splitlines())
    return next((sha for sha, ref in found if ref == BRANCHES + name), None)


def resolve(plumbing: Plumbing, revision: str) -> str | None:
    """The sha of the commit that a revision names; None for a branch that has no commits yet.

    A branch is preferred to a tag of the same name, as it is the branch that is followed; otherwise gitrevisions(7)
    applies. Raises `UsageError`, with the nearest name, when there is no such commit.
    """
    sha = _lookup(plumbing, revision)
    if sha is None and not _unborn(plumbing, revision):
        raise unknown(plumbing, revision)
    return sha


def head_branch(plumbing: Plumbing) -> str | None:
    """The short name of the branch that HEAD stands for; None when it is detached."""
    name = plumbing.output("symbolic-ref", "--quiet", "HEAD")
    return name.removeprefix(BRANCHES) if name and name.startswith(BRANCHES) else None


def branch_in(file: Path) -> str | None:
    """The branch that a HEAD file names; None when it names none, or git has to be asked, as with reftables."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    name = text.removesuffix("\n").removeprefix(f"ref: {BRANCHES}")
    return None if name == text.removesuffix("\n") or name == ELSEWHERE or NOT_IN_NAMES.search(name) else name


def unknown(plumbing: Plumbing, revision: str) -> UsageError:
    """There is no such commit; the hint names the nearest branch or tag, or what a shallow clone needs."""
    listed = plumbing.output("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", "refs/tags", "refs/remotes")
    names = (listed or "").splitlines()
    message = f"no commit goes by {revision!r} in {plumbing.git_dir}"
    if plumbing.output("rev-parse", "--is-shallow-repository") == "true":
        near = closest(revision, names)
        hint = "git fetch --unshallow brings all of it" + (f"; or did you mean {near}?" if near else "")
        return UsageError(f"{message}, a shallow clone: its history was cut off", hint=hint)
    return UsageError(message, hint=suggest(revision, names, "git branch --all and git log show what there is"))


def _lookup(plumbing: Plumbing, revision: str) -> str | None:
    """Revisions go in through a pipe, one a line: none can be taken for an option."""
    if "\n" in revision or "\0" in revision:
        return None
    candidates = [revision, TAGS + revision]
    if not NOT_IN_NAMES.search(revision) and not FULL_SHA.fullmatch(revision) and revision != "HEAD":
        candidates.insert(0, BRANCHES + revision)
    shas = (plumbing.name(f"{candidate}^{{commit}}") for candidate in candidates)
    return next(filter(None, shas), None)


def _unborn(plumbing: Plumbing, revision: str) -> bool:
    name = revision.removeprefix(BRANCHES)
    if NOT_IN_NAMES.search(name) or FULL_SHA.fullmatch(name):
        return False
    if name in ("HEAD", head_branch(plumbing)):
        return True
    return not plumbing.output("for-each-ref", "--count=1", "--format=%(refname)")
