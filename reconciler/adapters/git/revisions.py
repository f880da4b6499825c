"""From what people call a commit to its sha."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.git.plumbing import Plumbing

BRANCHES = "refs/heads/"
FULL_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
ELSEWHERE = ".invalid"
"""What HEAD names where refs are in tables: gitformat-reftable."""
NOT_IN_NAMES = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|^-|^$")
"""What no branch's name has in it (git-check-ref-format)."""


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
    return name.removeprefix(BRANCHES) if name else None


def branch_in(file: Path) -> str | None:
    """The branch that a HEAD file names; None when it names none, or git has to be asked, as with reftables."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    name = text.removesuffix("\n").removeprefix(f"ref: {BRANCHES}")
    return None if name == text.removesuffix("\n") or name == ELSEWHERE or NOT_IN_NAMES.search(name) else name


def unknown(plumbing: Plumbing, revision: str) -> UsageError:
    """There is no such commit; the hint names the nearest branch or tag."""
    listed = plumbing.output("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", "refs/tags", "refs/remotes")
    names = (listed or "").splitlines()
    near = difflib.get_close_matches(revision, names, n=1)
    hint = f"did you mean {near[0]}?" if near else "git branch --all and git log show what there is"
    return UsageError(f"no commit goes by {revision!r} in {plumbing.git_dir}", hint=hint)


def _lookup(plumbing: Plumbing, revision: str) -> str | None:
    """Revisions go in through a pipe, one a line: none can be taken for an option."""
    if "\n" in revision or "\0" in revision:
        return None
    candidates = [revision]
    if not NOT_IN_NAMES.search(revision) and not FULL_SHA.fullmatch(revision) and revision != "HEAD":
        candidates.insert(0, BRANCHES + revision)
    found = (plumbing.name(f"{candidate}^{{commit}}") for candidate in candidates)
    return next(filter(None, found), None)


def _unborn(plumbing: Plumbing, revision: str) -> bool:
    name = revision.removeprefix(BRANCHES)
    if NOT_IN_NAMES.search(name) or FULL_SHA.fullmatch(name):
        return False
    if name in ("HEAD", head_branch(plumbing)):
        return True
    return not plumbing.output("for-each-ref", "--count=1", "--format=%(refname)")
