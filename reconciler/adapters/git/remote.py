"""The repository at the other end: what it has is brought into a bare one here, and its default branch is asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.adapters.git.refusals import SHALLOW, is_explained, refusal
from reconciler.adapters.git.revisions import BRANCHES
from reconciler.adapters.git.transport import transport
from reconciler.errors import RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.adapters.git.address import Address
    from reconciler.adapters.git.bare import Bare
    from reconciler.adapters.git.errand import Outcome
    from reconciler.adapters.git.transport import Credentials, Timeouts, Transport

FETCH = (
    *("fetch", "--quiet", "--prune", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"),
    *("--no-auto-maintenance", "--no-show-forced-updates", "--refmap=", "--"),
)
REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
OTHER_FORMAT = re.compile(r"mismatched algorithms: client \w+; server (?P<server>\w+)")
SYMBOLIC = re.compile(rf"^ref: {BRANCHES}(?P<branch>.+)\tHEAD$", re.MULTILINE)


class OtherFormatError(RetryLater):
    """Its objects have another hash than ours."""

    def __init__(self, object_format: str) -> None:
        super().__init__(f"the repository's objects are {object_format} now", hint="the mirror is cloned again")
        self.object_format = object_format


class Remote:
    """An address, how to get in, and how long to wait. The credentials are asked for before each use."""

    def __init__(self, address: Address, credentials: Callable[[], Credentials], timeouts: Timeouts) -> None:
        self.address = address
        self._credentials = credentials
        self._timeouts = timeouts

    def clone_into(self, bare: Bare) -> None:
        """Bring all branches and tags into a new repository. Raises as `fetch_into`."""
        self._fetch(bare, self._timeouts.clone)

    def fetch_into(self, bare: Bare) -> None:
        """Bring its branches and tags up to date, and take away those that are no longer there.

        Raises `RetryLater` or `NeedsHuman` for what is wrong there, `DamagedError` for what is wrong here, and
        `OtherFormatError`.
        """
        self._fetch(bare, self._timeouts.fetch)

    def default_branch(self, bare: Bare) -> str | None:
        """The branch that its HEAD stands for; None when it is detached or has no commits."""
        how = self._transport()
        asked = ("ls-remote", "--symref", "--", self.address.url, "HEAD")
        outcome = bare.git(*asked, seconds=self._timeouts.fetch, transport=how)
        if outcome.code != 0:
            raise self._failure(outcome, how, self._timeouts.fetch)
        found = SYMBOLIC.search(outcome.output)
        return found["branch"] if found else None

    def _fetch(self, bare: Bare, seconds: float) -> None:
        how = self._transport()
        outcome = bare.git(*FETCH, self.address.url, *REFSPECS, seconds=seconds, transport=how)
        if outcome.code == 0 and SHALLOW not in outcome.errors:
            return
        other = OTHER_FORMAT.search(outcome.errors)
        if other:
            raise OtherFormatError(other["server"])
        if not outcome.overdue and not is_explained(outcome.errors):
            bare.examine()
        raise self._failure(outcome, how, seconds)

    def _failure(self, outcome: Outcome, how: Transport, seconds: float) -> Exception:
        if outcome.overdue:
            return RetryLater(
                f"{self.address.url} was not done after {seconds:.0f} s, and git was stopped",
                hint="see that the server answers and the network is fast enough",
            )
        return refusal(outcome.errors, outcome.code, self.address, how.secrets)

    def _transport(self) -> Transport:
        return transport(self.address, self._credentials(), self._timeouts)
