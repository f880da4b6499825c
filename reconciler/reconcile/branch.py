"""Which branch a host follows, the commit it is at, and what keeps it from being followed.

A branch is bound once: the one of the first reconcile stays the host's, whatever is checked out later and whatever the
remote's HEAD names, until the settings name another one. What was there once and is there no more is never taken for a
branch that has no commits yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from reconciler.errors import BranchError, UsageError
from reconciler.model.commit import BRANCHES

if TYPE_CHECKING:
    from reconciler.gitports import Source
    from reconciler.ports import StoreReader

HEAD = "HEAD"
GONE, SWITCHED, UNBORN, MISSING = "BranchGone", "BranchSwitched", "BranchUnborn", "NoSuchBranch"
"""Reasons of a hold: it was there · another one is checked out · HEAD stands for it, and it has no commits although
those of another are live · there is none of that name."""
MOVED = "DefaultBranchMoved"
"""The reason of a warning: the remote's HEAD stands for another one."""
AWAY = "RepositoryGone"
"""The reason of a hold: the folder of the repository is gone, or is none of git's any more."""
REASONS = (GONE, SWITCHED, UNBORN, MISSING, MOVED, AWAY)


class BranchChoice(Struct, frozen=True):
    """What people ask for: `asked` for one call alone, `named` in the settings, or to go with the checkout."""

    asked: str | None = None
    named: str | None = None
    follows_checkout: bool = False


class BranchWarning(NamedTuple):
    """What should be looked at although the branch is followed."""

    reason: str
    message: str
    hint: str


class FollowedBranch(Struct, frozen=True):
    """A branch as it is now. `head` is None where it has no commits, yet or any more.

    `hold` says why nothing of it may go live, None when it may. `binds`: a reconcile makes it the host's branch.
    """

    name: str
    head: str | None
    binds: bool
    hold: BranchError | None = None
    warning: BranchWarning | None = None

    def followed_head(self) -> str | None:
        """The commit to reconcile to; None for a branch without commits. Raises the reason of a hold."""
        if self.hold is not None:
            raise self.hold
        return self.head

    def planned_head(self) -> str:
        """The commit that a question is about. Raises as `followed_head`, and `UsageError` for a branch without any."""
        head = self.head or self.followed_head()
        if head is None:
            raise UsageError(f"{self.name} has no commits yet", hint="make a first commit")
        return head


def bound_branch(store: StoreReader | None) -> str | None:
    """The branch that a host is bound to; None while it has none of its own."""
    owner = store.owner() if store is not None else None
    return owner.bound_branch if owner else None


def choose_branch(source: Source, choice: BranchChoice, bound: str | None) -> str:
    """The name of the branch. `bound` is the one that the host has followed so far.

    Raises `UsageError` when nothing says which one it is.
    """
    name = choice.asked or choice.named
    if name is not None:
        return name.removeprefix(BRANCHES)
    head = source.head_branch() if choice.follows_checkout or bound is None else None
    name = head or bound
    if name is None:
        raise UsageError(
            "HEAD is detached, so it is not clear which branch to reconcile", hint="name one with --branch"
        )
    return name


def observe_branch(source: Source, choice: BranchChoice, bound: str | None, *, has_rows: bool) -> FollowedBranch:
    """The branch and what is to be said of it. `has_rows` tells whether a commit is live on this host.

    Raises `UsageError` for a branch of one call that is none, or that no branch can be called.
    """
    name = choose_branch(source, choice, bound)
    head, binds = source.branch_head(name), choice.asked is None or name == bound
    if head is None:
        return FollowedBranch(name, None, binds, _explain_missing(source, choice, name, bound, has_rows=has_rows))
    if choice.asked or choice.named or choice.follows_checkout:
        return FollowedBranch(name, head, binds)
    at_head = source.head_branch()
    if at_head is None or at_head == name:
        return FollowedBranch(name, head, binds)
    if source.has_checkout:
        return FollowedBranch(name, head, binds, hold=_switched(name, at_head))
    return FollowedBranch(name, head, binds, warning=_moved(name, at_head))


def planned_head(source: Source, choice: BranchChoice, bound: str | None) -> str:
    """The revision to plan for when nobody says: what is checked out, unless a branch is named.

    Raises as `FollowedBranch.planned_head`.
    """
    if choice.asked or choice.named or not source.has_checkout:
        return observe_branch(source, choice, bound, has_rows=False).planned_head()
    return HEAD


def check_asked(asked: str | None, bound: str | None) -> None:
    """Raise `UsageError` when a call names another branch than the one this host is bound to."""
    if asked is None or bound is None or asked.removeprefix(BRANCHES) == bound:
        return
    raise UsageError(
        f"this host follows {bound}, and --branch {asked} would be for one call: nothing was changed",
        hint="name it in repository.branch to follow it from now on, or try it with another --state; "
        "`plan --branch` shows what it would change",
    )


def gone(name: str, also: str = "", hint: str = "") -> BranchError:
    """The error for a branch that was there before."""
    message = f"the branch {name} is gone{also}: what is live stays live"
    return BranchError(GONE, message, hint=hint or "push it again, or name another one in repository.branch")


def repository_gone(error: UsageError) -> BranchError:
    """The error for a repository that was there before."""
    hint = "bring the folder back (is its disk mounted?), or set repository.url to where it is now"
    return BranchError(AWAY, f"{error}: what is live stays live", hint=hint)


def _explain_missing(
    source: Source, choice: BranchChoice, name: str, bound: str | None, *, has_rows: bool
) -> BranchError | None:
    """Why there is no such branch; None for one that HEAD stands for, and that has no commits yet."""
    others = source.branches()
    if bound == name or (has_rows and not others and not choice.asked):
        return _explain_gone(source, name, others)
    if source.head_branch() == name:
        if not has_rows:
            return None
        message = (
            f"the branch {name}, which HEAD stands for, has no commits yet; there are: {', '.join(others[:MAX_NAMED])}"
        )
        return BranchError(UNBORN, message, hint="commit to it, or name another one in repository.branch")
    error = source.no_such_branch(name)
    if choice.asked:
        raise error
    return BranchError(MISSING, f"{error}: what is live stays live" if has_rows else str(error), hint=error.hint)


MAX_NAMED = 5
"""Branches that a message names."""


def _explain_gone(source: Source, name: str, others: tuple[str, ...]) -> BranchError:
    if not others:
        return gone(
            name,
            ", and so is every other: the repository is empty, or its server answered with nothing",
            "see that the repository is the right one and whole, and push the branch again",
        )
    successor = source.head_branch()
    if successor is None or successor not in others:
        return gone(name)
    hint = f'if {successor} takes its place, set repository.branch = "{successor}"; otherwise push {name} again'
    return gone(name, f", and HEAD stands for {successor} now", hint)


def _switched(name: str, at_head: str) -> BranchError:
    return BranchError(
        SWITCHED,
        f"{at_head} is checked out, and this host follows {name}: what is live stays live",
        hint=f'`git switch {name}`, or set repository.branch = "{name}" to follow that whatever is checked out, '
        f'or repository.follow_checkout = "true" to follow the checkout',
    )


def _moved(name: str, at_head: str) -> BranchWarning:
    return BranchWarning(
        MOVED,
        f"the default branch is {at_head} now, and this host goes on following {name}",
        f'set repository.branch to "{at_head}" to follow that, or to "{name}" to stay',
    )
