"""What git says when a fetch fails, as one of our errors. Pure: the texts of git, curl, ssh and the forges.

The rule: what can be mended without a change to this host's settings may be mended at any moment, and nobody tells us.
That is `RetryLater`, an expired token and a missing repository too; the hint says what a human could do meanwhile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from reconciler.adapters.git.failures import complaint
from reconciler.adapters.git.repository import without_credentials
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.adapters.git.address import Address

LONGEST = 300
HIDDEN = "***"
URL = re.compile(r"\w+://[^\s'\"]+")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
SHALLOW = "shallow roots are not allowed"


@dataclass(frozen=True, slots=True)
class Cause:
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


def refusal(errors: str, code: int, address: Address, secrets: Iterable[str]) -> ReconcilerError:
    """The error for a git that could not fetch and ended with `code`."""
    for cause in CAUSES:
        found = cause.words.search(errors)
        if found:
            said = without_secrets(complaint(found[0]), secrets)
            return cause.error(f"{cause.what} {address.url}: {said}", hint=cause.hint)
    said = without_secrets(complaint(errors), secrets)
    how = "git was stopped" if code < 0 else "git failed"
    return RetryLater(f"{how} while fetching from {address.url}: {said}", hint="run git ls-remote on it by hand")


def is_explained(errors: str) -> bool:
    """Whether the words are those of a cause outside: otherwise the mirror itself may be damaged."""
    return any(cause.words.search(errors) for cause in CAUSES)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """A text that others wrote, fit to be shown: no secret in it, on one line, no control characters, not too long."""
    for secret in sorted(secrets, key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), quote(secret)}:
            text = text.replace(form, HIDDEN)
    text = URL.sub(lambda found: without_credentials(found[0]), text)
    return UNPRINTABLE.sub("\ufffd", text.encode("utf-8", "replace").decode())[:LONGEST]
