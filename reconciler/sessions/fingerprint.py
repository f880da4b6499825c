"""What is kept of a device: a hash that tells the devices of one owner apart, and nothing else.

HMAC-SHA-256 (RFC 2104) with the owner's key as a salt. Nobody can see that two owners share a device, and tables that
were computed beforehand are of no use. The salt is no secret: hosts need none in common, and any program that knows
owner and fingerprint can tell whether they match. Whoever has the hash and can guess the fingerprint can confirm the
guess: give one that cannot be guessed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "hmac-sha256:"


def fingerprint_hash(owner: str, fingerprint: str) -> str:
    """The hash that is kept: `hmac-sha256:` and 43 characters of base64url (RFC 4648). `owner` is in lower case.

    In hexadecimal it would be longer than the 64 bytes up to which Redis packs a hash: three times the memory.
    """
    digest = hmac.new(owner.encode(), fingerprint.encode(), hashlib.sha256).digest()
    return PREFIX + base64.urlsafe_b64encode(digest).decode().rstrip("=")
