"""Keeping secrets out of what is written: known ones wherever they stand, unknown ones where they usually stand."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

INSTEAD = "***"

USER_INFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<who>[^\s/?#\"'<>]*)@", re.IGNORECASE)
"""The user information of a URL (RFC 3986, section 3.2.1), up to the last `@` before its path."""

PARAMETER = re.compile(
    r"(?P<name>[?&;](?:access_token|api_?key|auth|credential|key|passw(?:or)?d|pwd|private_token|secret|sig|signature|"
    r"token)=)[^\s&;#\"'<>]+",
    re.IGNORECASE,
)
AUTHORIZATION = re.compile(r"\b(?P<scheme>Basic|Bearer) +[A-Za-z0-9+/._~-]{8,}=*")
"""The value of an Authorization header (RFC 9110, section 11.6.2)."""


class Redactor:
    """Takes secrets out of texts and values. Secrets may be added at any time, from any thread."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._guard = threading.Lock()
        self._spellings: set[str] = set()
        self._known: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Never show this text, nor as URLs, JSON and Python spell it. An empty one is none."""
        if not secret:
            return
        spellings = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), repr(secret)[1:-1]}
        spellings |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
        with self._guard:
            self._spellings |= spellings
            longest_first = sorted(self._spellings, key=lambda one: (-len(one), one))
            self._known = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """The text with `***` for each secret, and for the credentials of any URL."""
        if self._known is not None:
            text = self._known.sub(INSTEAD, text)
        if "://" in text:
            text = USER_INFO.sub(_without_password, text)
        if "=" in text:
            text = PARAMETER.sub(rf"\g<name>{INSTEAD}", text)
        return AUTHORIZATION.sub(rf"\g<scheme> {INSTEAD}", text)

    def value(self, value: Any) -> Any:
        """The same for anything that can be logged, inside lists and mappings too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(one) for key, one in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(one) for one in value]
        if value is None or isinstance(value, bool):
            return value
        told = str(value)
        redacted = self.text(told)
        return value if redacted == told and isinstance(value, (int, float)) else redacted


def _without_password(found: re.Match[str]) -> str:
    """Over ssh the name belongs to the address; anywhere else it may be a token."""
    if "ssh" in found["scheme"].lower() and ":" not in found["who"]:
        return found[0]
    return f"{found['scheme']}{INSTEAD}@"
