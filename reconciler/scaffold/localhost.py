"""Where things are when one machine has all of it: the folder to work in, the repository it pushes to, the host.

Paths are texts in the form of the system: nothing is written here.
"""

from __future__ import annotations

import json

from msgspec import Struct


class LocalHost(Struct, frozen=True):
    """The places of a host without a server and a forge, and what its settings say.

    `obeyed` is the resource that it takes its own settings from, `bare` what `folder` pushes to, `home` the folder of
    the settings file, in which commands of the host run.
    """

    folder: str
    bare: str
    home: str
    state: str
    branch: str
    obeyed: str
    has_redis: bool


def write_settings(host: LocalHost) -> str:
    """The text of the daemon's settings file."""
    redis = "embedded" if host.has_redis else "none"
    return f"""\
# The daemon of this machine. Every setting, with its default: docs/settings.md. Commands in this folder read it.
[repository]
url = {_quote(host.bare)}
branch = {_quote(host.branch)}

[state]
dir = {_quote(host.state)}

[history]
url = "duckdb"  # a file in the state folder

[redis]
url = "{redis}"  # sessions, and the live view for programs: embedded, none or a server's URL

[host]
system = {_quote(host.obeyed)}  # the resource in the repository that the daemon obeys
"""


def _quote(text: str) -> str:
    """A text as TOML: plain, so that a backslash is one, unless it holds what ends such a text."""
    return json.dumps(text, ensure_ascii=False) if "'" in text or not text.isprintable() else f"'{text}'"
