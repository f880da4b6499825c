"""What must not be anywhere in a document, whatever its schema says: secrets, and numbers that are none."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reconciler.kinds.pointers import child
from reconciler.validate.finding import SECRET, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRETS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "token", "login", "credential", "credentials"}
    | {"apikey", "accesskey", "authkey", "privatekey", "secretkey"}
)
_BEYOND_DOUBLE = 1024
"""Bits of an integer that no double holds any more."""

_SECRET_MESSAGE = "no secrets in configuration: what is committed stays in the history of every clone"  # noqa: S105
_SECRET_HINT = "delete it, change the secret itself, and let the program read it from its host instead"  # noqa: S105


def odd_values(value: Any) -> Iterator[Finding]:
    """Every key that names a secret (its value is in no message), and every number beyond a double."""
    if _is_plain(value):  # nearly all documents: pointers are made only when there is something to point at
        return
    yield from _odd(value, "")


@lru_cache(maxsize=4096)
def names_secret(key: str) -> bool:
    """Whether a key names a secret, however it is spelt: `password`, `API-Key`, `apiKey`, `mt5_login`."""
    words = [word.lower() for word in _WORD.findall(key)]
    return any("".join(words[-count:]) in _SECRETS for count in (1, 2) if words)


def _is_plain(value: Any) -> bool:
    """Whether nothing is odd; a loop, as every document of a repository passes through it."""
    ahead = [value]
    for one in ahead:
        if isinstance(one, dict):
            if any(map(names_secret, one)):
                return False
            ahead.extend(one.values())
        elif isinstance(one, list):
            ahead.extend(one)
        elif isinstance(one, (int, float)) and not _is_finite(one):
            return False
    return True


def _odd(value: Any, pointer: str) -> Iterator[Finding]:
    if isinstance(value, dict):
        for key, member in value.items():
            if names_secret(key):
                yield Finding(child(pointer, key), SECRET, _SECRET_MESSAGE, _SECRET_HINT, at_key=True)
            else:
                yield from _odd(member, child(pointer, key))
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from _odd(member, child(pointer, position))
    elif isinstance(value, (int, float)) and not _is_finite(value):
        yield Finding(pointer, "not-finite", "this is not a finite number", "write the number itself, such as 0.75")


def _is_finite(value: float) -> bool:
    return value.bit_length() <= _BEYOND_DOUBLE if isinstance(value, int) else math.isfinite(value)
