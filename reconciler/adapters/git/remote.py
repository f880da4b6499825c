"""The repository at the other end: what it has is brought into a bare one here, and why it could not be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct

from reconciler.adapters.git.bare import FETCHED
from reconciler.adapters.git.process import find_complaint
from reconciler.adapters.git.repository import without_credentials
from reconciler.adapters.git.revisions import TAGS
from reconciler.adapters.git.transport import build_transport
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater
from reconciler.model.commit import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.adapters.git.bare import Bare
    from reconciler.adapters.git.run import Outcome
    from reconciler.adapters.git.transport import Address, Credentials, Timeouts, Transport

FETCH = (
    *("fetch", "--quiet", "--prune", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"),
    *("--no-auto-maintenance", "--no-show-forced-updates", "--refmap=", "--"),
)
REFSPECS = (f"+{BRANCHES}*:{FETCHED}*", f"+refs/tags/*:{TAGS}*")
"""Tags are for questions about the past, and are put where they are never taken for a branch."""
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
        """Bring its branches and tags up to date, as `Bare.take_fetched` says.

        Raises `RetryLater` or `NeedsHuman` for what is wrong there, `DamagedError` for what is wrong here, and
        `OtherFormatError`.
        """
        self._fetch(bare, self._timeouts.fetch)

    def default_branch(self, bare: Bare) -> str | None:
        """The branch that its HEAD stands for; None when it is detached or has no commits."""
        how = self._transport()
        command = ("ls-remote", "--symref", "--", self.address.url, "HEAD")
        outcome = bare.git(*command, seconds=self._timeouts.fetch, transport=how)
        if outcome.code != 0:
            raise self._failure(outcome, how, self._timeouts.fetch)
        matched = SYMBOLIC.search(outcome.output)
        return matched["branch"] if matched else None

    def _fetch(self, bare: Bare, seconds: float) -> None:
        how = self._transport()
        outcome = bare.git(*FETCH, self.address.url, *REFSPECS, seconds=seconds, transport=how)
        if outcome.code == 0 and SHALLOW not in outcome.errors:
            bare.take_fetched()
            return
        other = OTHER_FORMAT.search(outcome.errors)
        if other:
            raise OtherFormatError(other["server"])
        if not outcome.overdue and not is_explained(outcome.errors):
            bare.check_fully()
        raise self._failure(outcome, how, seconds)

    def _failure(self, outcome: Outcome, how: Transport, seconds: float) -> Exception:
        if outcome.overdue:
            return RetryLater(
                f"{self.address.url} was not done after {seconds:.0f} s, and git was stopped",
                hint="see that the server answers and the network is fast enough",
            )
        return explain_failure(outcome.errors, outcome.code, self.address, how.secrets)

    def _transport(self) -> Transport:
        return build_transport(self.address, self._credentials(), self._timeouts)


MAX_TEXT = 300
HIDDEN = "***"
URL = re.compile(r"\w+://[^\s'\"]+")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
SHALLOW = "shallow roots are not allowed"


class Cause(Struct, frozen=True):
    """Words that git ends with, what happened in ours, and what to do."""

    words: re.Pattern[str]
    what: str
    hint: str
    error: type[ReconcilerError] = RetryLater


def _cause(words: str, what: str, hint: str, error: type[ReconcilerError] = RetryLater) -> Cause:
    return Cause(re.compile(rf"^.*(?:{words}).*$", re.IGNORECASE | re.MULTILINE), what, hint, error)


CAUSES = (
    _cause(
        "No space left on device|Disk quota exceeded|File too large|Read-only file system",
        "the disk has no room for what is fetched from",
        "make room on the disk that holds the state folder",
    ),
    _cause(
        "Could not resolve (?:host|proxy)",
        "no address is known for the host of",
        "see that the name is right, and that DNS and the network work",
    ),
    _cause(
        "Host key verification failed",
        "ssh does not know the host key of",
        "compare the key with what the forge publishes, and add it to the known_hosts file",
    ),
    _cause(
        r"Permission denied(?: \(|, )|Authentication failed|could not read (?:Username|Password)|Access denied|"
        "Too many authentication failures|returned error: 40[13]|Load key",
        "this host is not let in to",
        "see that the token or key is right, has not expired and may read the repository; a new one is tried at once",
    ),
    _cause(
        "certificate|self.signed|local issuer",
        "the certificate is not trusted of",
        "see that this host's clock is right and its list of authorities has the server's (git config http.sslCAInfo)",
    ),
    _cause(
        "detected dubious ownership",
        "git refuses to read another user's repository",
        "if you trust it: git config --global --add safe.directory and the repository's git folder",
    ),
    _cause(
        "transport '\\w+' not allowed",
        "git's configuration or the server leads elsewhere from",
        "see url.*.insteadOf in git config --list --show-origin, and write the address that is meant",
        NeedsHuman,
    ),
    _cause(
        "does not appear to be a git repository|repository '.*' not found|Repository not found|returned error: 404",
        "there is no repository at",
        "see that the address is right, the disk or share is there, and the token or key may read it",
    ),
    _cause(
        "Failed to connect|Connection (?:refused|timed out|reset)|Operation timed out|Operation too slow|early EOF|"
        "No route to host|Network is unreachable|hung up|unexpected disconnect|RPC failed|"
        "returned error: (?:429|5\\d\\d)|Empty reply|Connection closed|transfer closed|timeout|timed out|SSL_|gnutls",
        "there is no answer from",
        "see that the server and the network work",
    ),
    _cause(
        "Permission denied|insufficient permission",
        "a file may not be read or written while fetching from",
        "see who owns the repository and the state folder, and which account this runs as",
    ),
    _cause(
        SHALLOW,
        "history was cut off in",
        "run git fetch --unshallow there, or name a complete repository",
        NeedsHuman,
    ),
)


def explain_failure(errors: str, code: int, address: Address, secrets: Iterable[str]) -> ReconcilerError:
    """The error for a git that could not fetch and ended with `code`."""
    for cause in CAUSES:
        matched = cause.words.search(errors)
        if matched:
            message = without_secrets(find_complaint(matched[0]), secrets)
            return cause.error(f"{cause.what} {address.url}: {message}", hint=cause.hint)
    message = without_secrets(find_complaint(errors), secrets)
    how = "git was stopped" if code < 0 else "git failed"
    return RetryLater(f"{how} while fetching from {address.url}: {message}", hint="run git ls-remote on it by hand")


def is_explained(errors: str) -> bool:
    """Whether the words are those of a cause outside: otherwise the mirror itself may be damaged."""
    return any(cause.words.search(errors) for cause in CAUSES)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """A text that others wrote, fit to be shown: no secret in it, on one line, no control characters, not too long."""
    for secret in sorted(secrets, key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), quote(secret)}:
            text = text.replace(form, HIDDEN)
    text = URL.sub(lambda found: without_credentials(found[0]), text)
    return UNPRINTABLE.sub("\ufffd", text.encode("utf-8", "replace").decode())[:MAX_TEXT]
