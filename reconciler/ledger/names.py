"""What a repository is called in the history, however its URL is spelled.

The forms are git's: https://git-scm.com/docs/git-clone#_git_urls.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)(?P<path>.*)", re.DOTALL)
_SCP: Final = re.compile(r"(?:[^@/]+@)?(?P<host>\[[^]/]+\]|[^:/\[\]]{2,}):(?!\d+/)(?P<path>.+)", re.DOTALL)
"""`login@host:path`. One letter before the colon is a drive of Windows, a number after it a port in a name."""
_DRIVE: Final = re.compile(r"^/(?=[A-Za-z]:)")
_PORT: Final = re.compile(r":(?P<port>\d*)$")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443", "ssh": "22", "git": "9418"}
_SSH: Final = {"git+ssh": "ssh", "ssh+git": "ssh"}
FOLDER: Final = "//"
"""Between a repository and the folder in it where the configuration begins."""


def name_repository(url: str) -> str:
    """The name of the repository at a URL with or without `//folder`: `host/path`, or the path of one on this machine.

    Scheme, login, the scheme's own port, the case of the host, `.git` and a slash at the end make no difference. A name
    stands for itself.
    """
    while (name := _strip_spelling(url)) != url:
        url = name
    return name


def _strip_spelling(url: str) -> str:
    """One step to the name: what is left may be spelled as a URL again, as after a `%25`."""
    matched = _URL.fullmatch(url)
    if matched is None:
        matched = _SCP.fullmatch(url)
        if matched is None:
            return url
        return _join(matched["host"], matched["path"])
    scheme = matched["scheme"].lower()
    if scheme == "file":
        return _DRIVE.sub("", unquote(matched["path"]), count=1)
    host = matched["authority"].rpartition("@")[2]
    port = _PORT.search(host)
    if port and port["port"] in ("", _DEFAULT_PORTS.get(_SSH.get(scheme, scheme))):
        host = host[: port.start()]
    return _join(host, matched["path"])


def _join(host: str, path: str) -> str:
    repository, parted, folder = path.lstrip("/").partition(FOLDER)
    repository = unquote(repository).rstrip("/").removesuffix(".git").rstrip("/")
    return "/".join(part for part in (host.lower(), repository) if part) + parted * bool(folder) + folder
