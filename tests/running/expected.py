"""What a host should say: a model of it that knows the rules of the product, and none of its code.

A commit declares a risk for each user; `None` stands for a value that is no number, which makes the commit invalid. A
policy is against risks over a limit. What is live follows from the branch, the policy, and what people asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

LIMIT = 5.0
Risks = dict[str, float]
"""The risk of each user."""


@dataclass(frozen=True)
class Declared:
    """What a commit says of each user, and the commit before it."""

    risks: Mapping[str, float | None]
    parent: str | None

    @property
    def is_valid(self) -> bool:
        """Whether each risk is a number."""
        return None not in self.risks.values()


@dataclass(frozen=True)
class LivePeriod:
    """From one moment to another nothing happened, and this was live."""

    since: datetime
    until: datetime
    risks: Mapping[str, float]


@dataclass
class Expected:
    """The commits, the branch, and what is live by all that has happened."""

    branch: str = "main"
    head: str | None = None
    """The commit that the branch is at; None while there is no such branch."""
    checked_out: str = "main"
    named: bool = False
    """Whether the settings name the branch."""
    commits: dict[str, Declared] = field(default_factory=dict)
    applied: str = ""
    newest: str = ""
    """The newest commit that the host has recorded."""
    perhaps: set[str] = field(default_factory=set)
    """Those that it may have recorded besides: nobody knows how far it was."""
    compares: bool = False
    """Whether a daemon that started without the branch is to compare the history with it once it is there again."""
    once_live: set[str] = field(default_factory=set)
    once_refused: set[str] = field(default_factory=set)
    suspended: bool = False
    periods: list[LivePeriod] = field(default_factory=list)

    def add(self, sha: str, risks: Mapping[str, float | None], parent: str | None) -> None:
        """A commit was made; the branch is at it."""
        self.commits[sha] = Declared(dict(risks), parent)
        self.head = sha

    def line(self, head: str | None = None) -> list[str]:
        """The commits of the branch, or those up to one, the newest first."""
        found, commit = [], head or self.head
        while commit is not None:
            found.append(commit)
            commit = self.commits[commit].parent
        return found

    @property
    def live(self) -> Risks:
        """The risk of each user that trading programs see."""
        return {name: risk for name, risk in self.commits[self.applied].risks.items() if risk is not None}

    @property
    def hold(self) -> str | None:
        """The reason for which nothing goes live, whatever is committed."""
        if self.head is None:
            return "BranchGone"
        return "BranchSwitched" if not self.named and self.checked_out != self.branch else None

    def newest_valid(self) -> str | None:
        """The newest commit of the branch that is valid."""
        return next((commit for commit in self.line() if self.commits[commit].is_valid), None)

    def is_refused(self, commit: str) -> bool:
        """Whether the policy is against a valid commit that is not live. An approval is for one reconcile."""
        return commit != self.applied and self.is_too_much(commit)

    def is_too_much(self, commit: str) -> bool:
        """Whether a commit has a risk over the limit."""
        return any(risk is not None and risk > LIMIT for risk in self.commits[commit].risks.values())

    def reconcile(self, *, by_daemon: bool, approved: str | None = None) -> None:
        """The host looks at the branch, and brings its head live as far as that is allowed.

        A daemon records what is committed while reconciling is suspended; a command does nothing then.
        """
        if by_daemon and self.compares and self.head is not None:
            self.perhaps.add(self.head)
        if self.hold or self.head is None or (self.suspended and not by_daemon):
            return
        self._record_head()
        commit = self.newest_valid()
        if self.suspended or commit is None:
            return
        if commit != approved and self.is_refused(commit):
            self.once_refused.add(commit)
        else:
            self.applied = commit
            self.once_live.add(commit)

    def start(self) -> None:
        """A daemon starts, and compares the history with the branch, also while nothing of it may go live."""
        self.compares = self.head is None
        self._record_head()

    def kill(self) -> None:
        """A daemon is killed: nobody knows how far it was."""
        if self.head is not None:
            self.perhaps.add(self.head)

    def _record_head(self) -> None:
        if self.head is not None:
            self.newest, self.compares = self.head, False
            self.perhaps.clear()

    @property
    def newest_known(self) -> set[tuple[str, str]]:
        """The newest commit that the host has recorded, and its fate; several where that is open."""
        return {(commit, self.fate(commit)) for commit in (self.newest, *self.perhaps)}

    def fate(self, commit: str) -> str:
        """What became of a commit that was the head."""
        if commit == self.applied:
            return "live"
        if not self.commits[commit].is_valid:
            return "invalid"
        if commit in self.once_live:
            return "was-live"
        if commit in self.once_refused:
            return "refused"
        if commit in self.line(self.applied):
            return "skipped"
        return "held" if self.suspended else "pending"
