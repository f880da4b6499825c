"""The address of a repository to fetch from: what people write, taken apart and held against what is safe. Pure.

Git takes far more for an address than the name of a place: options, programs to run (`ext::sh -c …`), helpers by name.
Only https, http, ssh (as a URL or as `git@host:path`), file and a plain path are let through. `git://` is not: nobody
who sits in between would be noticed. Source: git-clone(1), "Git URLs"; gitremote-helpers(7).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from reconciler.errors import UsageError

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
HELPER = re.compile(r"^[\w.+-]*::")
SCHEME = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
HOST = r"(?:[A-Za-z0-9_](?:[\w.-]*\w)?\.?|\[[0-9A-Fa-f:.]+\])"
LOGIN = r"[^\s:@/\\%-][^\s:@/\\%]*"
WEB = re.compile(rf"(?P<host>{HOST})(?P<port>:\d{{1,5}})?", re.ASCII)
SECURE_SHELL = re.compile(rf"ssh://(?:{LOGIN}@)?{HOST}(?::\d{{1,5}})?/\S+", re.ASCII)
SHORT = re.compile(rf"(?:{LOGIN}@)?{HOST}:[^\s:-]\S*", re.ASCII)
LOCAL = re.compile(r"file://(?:localhost)?/[^?#]+")
DRIVE = re.compile(r"[A-Za-z]:(?:[\\/]|$)")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
FORMS = "https://host/path.git, ssh://git@host/path.git, git@host:path.git, file:///path or a folder"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to fetch from. `url` is what git is given, without what could let anyone in (over ssh the login stays).

    `protocol` is https, http, ssh or file. `login` and `password` stood in the address; neither is ever shown.
    `site` is scheme, host and port of a web address, the only place that may see them.
    """

    url: str
    protocol: str
    site: str = ""
    login: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def read_address(text: str) -> Address:
    """The address that a text stands for. A path may be relative; it is made absolute.

    Raises `UsageError`, without any secret in it, for what is no address, or one that git could take for a command.
    """
    if not text or text != text.strip() or CONTROL.search(text):
        raise _refused(text, "has a control character, a line break or a space around it" if text else "is empty")
    if text.startswith("-"):
        raise _refused(text, "begins like an option of git")
    if HELPER.match(text):
        raise _refused(text, "names a program for git to run")
    found = SCHEME.match(text)
    if found is None:
        return _without_scheme(text)
    scheme = found["scheme"].lower()
    url = scheme + text[len(scheme) :]
    if scheme in ("https", "http"):
        return _web(url)
    if scheme == "ssh" and SECURE_SHELL.fullmatch(url):
        return Address(url, "ssh")
    if scheme == "ssh" and "@" in url and ":" in url[6:].rpartition("@")[0]:
        raise _refused(text, "has a password in it, and ssh takes none", hint="name a key file, or use https")
    if scheme == "file" and LOCAL.fullmatch(url):
        return Address(url, "file")
    raise _refused(text, "is nothing that can be fetched from")


def shown(text: str) -> str:
    """An address for people, as far as it can be told without its secrets, however broken it is."""
    scheme, mark, rest = text.partition("://")
    if mark:
        before, at, after = rest.rpartition("@")
        text = f"{scheme}://{'***@' if at else ''}{re.split('[?#]', after if at else before + after, maxsplit=1)[0]}"
    return CONTROL.sub("\ufffd", text)[:200]


def _without_scheme(text: str) -> Address:
    """`host:path` where a colon comes before any slash, as git has it; else a path. `C:` is a drive everywhere."""
    head, colon, _ = text.partition(":")
    if colon and "/" not in head and not DRIVE.match(text):
        if SHORT.fullmatch(text):
            return Address(text, "ssh")
        raise _refused(text, "is nothing that can be fetched from")
    return Address(Path(text).absolute().as_posix(), "file")


def _web(url: str) -> Address:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _refused(url, "is not written as a URL is") from None
    credentials, _, place = parts.netloc.rpartition("@")
    found = WEB.fullmatch(place)
    if found is None or not parts.path.strip("/") or re.search(r"[\s\\]", url):
        raise _refused(url, "is not written as a URL is")
    if "?" in url or "#" in url:
        raise _refused(url, "has a query in it", hint="give a token as the password")
    login, _, password = (unquote(part) for part in credentials.partition(":"))
    if CONTROL.search(login + password):
        raise _refused(url, "has a control character in its user information")
    site = f"{parts.scheme}://{place.lower()}"
    return Address(site + parts.path, parts.scheme, site, login, password)


def is_loopback(address: Address) -> bool:
    """Whether a web address is on this machine."""
    return re.sub(r":\d+$", "", address.site.partition("://")[2]) in LOOPBACK


def _refused(text: str, why: str, hint: str = f"write {FORMS}") -> UsageError:
    return UsageError(f"the repository's address {shown(text)!r} {why}", hint=hint)
