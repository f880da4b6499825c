"""Where to listen: the setting `http.listen`, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.errors import UsageError

_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>[0-9]{1,5})")
MAX_PORT = 65_535
HINT = "http.listen is an address and a port: 127.0.0.1:8642, [::1]:8642; port 0 is any free one"


@dataclass(frozen=True, slots=True)
class Listen:
    """An address and a port; as text as it stands in a URL."""

    host: str
    port: int

    @property
    def local(self) -> Listen:
        """How programs on this host get there: an address that stands for all of them is not one to call."""
        return Listen({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host), self.port)  # noqa: S104  a key

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Listen:
    """Raises `UsageError` for what is no address and port."""
    found = _LISTEN.fullmatch(text.strip())
    if found is None or int(found["port"]) > MAX_PORT:
        raise UsageError(f"cannot listen on {text!r}", hint=HINT)
    return Listen(found["six"] or found["host"], int(found["port"]))
