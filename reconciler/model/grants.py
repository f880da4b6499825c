"""What tokens and secrets allow. Only the SHA-256 of a token is kept: a random one of 32 bytes needs no slower hash."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_TOKEN = 16
"""The fewest characters of a token."""
FORM = "ROLE:sha256:HEX"
SHA256 = "sha256"
REFERENCE_SCHEMES = ("file", "env")
HINT = (
    "`reconciler token --role read` makes a token and its entry; of one that you have, "
    "`printf %s TOKEN | sha256sum` tells the HEX: read:sha256:HEX or operate:sha256:HEX. "
    "read:file:/path and read:env:NAME take it from elsewhere"
)
_HEX = re.compile("[0-9a-f]{64}")
_GOOD = re.compile(f"[!-~]{{{MIN_TOKEN},}}")


class Role(IntEnum):
    """What a token allows; a higher role includes the lower."""

    READ = 1
    OPERATE = 2

    @property
    def word(self) -> str:
        """The role as settings write it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Grant:
    """A token's role, and its SHA-256."""

    role: Role
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the setting `http.tokens`: a role, and `sha256`, `file` or `env` with what follows."""

    role: Role
    scheme: str
    rest: str = field(repr=False)


PATH_LENGTH = 32


def path_secret(secret: str) -> str:
    """The last part of the webhook address, which follows from the secret: only one of them has to be kept."""
    return hmac.digest(secret.encode(), b"path", "sha256").hex()[:PATH_LENGTH]


def make_grant(token: str, role: Role) -> Grant:
    return Grant(role, hash_token(token))


def hash_token(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def format_entry(role: Role, token: str) -> str:
    """The entry of a token for settings."""
    return f"{role.word}:{SHA256}:{hash_token(token).hex()}"


def parse_grants(lines: str, read_reference: Callable[[str, str], str]) -> tuple[tuple[Grant, ...], tuple[str, ...]]:
    """What the entries of `http.tokens`, one a line, allow; and those tokens that `read_reference` found elsewhere.

    Raises `UsageError` for what is no entry. It is not repeated: it may be a token.
    """
    grants: list[Grant] = []
    tokens: list[str] = []
    for number, line in enumerate((text for text in lines.splitlines() if text.strip()), 1):
        entry = parse_entry(line)
        if entry is None:
            raise UsageError(f"http.tokens: entry {number} is not {FORM}", hint=HINT)
        if entry.scheme == SHA256:
            grants.append(Grant(entry.role, bytes.fromhex(entry.rest)))
            continue
        token = read_reference(entry.scheme, entry.rest)
        if not _GOOD.fullmatch(token):
            message = f"http.tokens: the token of entry {number} is shorter than {MIN_TOKEN} characters"
            raise UsageError(f"{message}, or has some that no header takes", hint="`reconciler token` makes one")
        grants.append(make_grant(token, entry.role))
        tokens.append(token)
    return tuple(grants), tuple(tokens)


def parse_entry(text: str) -> Entry | None:
    """An entry of `http.tokens`; None for anything else."""
    word, _, reference = text.strip().partition(":")
    scheme, _, rest = reference.partition(":")
    role = next((candidate for candidate in Role if candidate.word == word), None)
    if role is None or not rest:
        return None
    if scheme == SHA256:
        is_valid = _HEX.fullmatch(rest.lower()) and bytes.fromhex(rest) != hash_token("")
        return Entry(role, scheme, rest.lower()) if is_valid else None
    return Entry(role, scheme, rest) if scheme in REFERENCE_SCHEMES else None
