"""How to fetch from an address: by one protocol and no other, nobody asked, secrets only where no one can read along.

Git takes far more for an address than the name of a place: options, programs to run (`ext::sh -c …`), helpers by
name. Only https, http, ssh (as a URL or as `git@host:path`), file and a plain path are let through. `git://` is not:
nobody who sits in between would be noticed.

What is taken away from git elsewhere stays away, but for the one protocol. A password goes through the environment to
a credential helper of one line, which git asks for one site only: it is on no command line, in no file, and follows
no redirection to elsewhere. Sources: git(1), git-clone(1) "Git URLs", git-config(1), gitcredentials(7),
gitremote-helpers(7), ssh_config(5).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from reconciler.adapters.git.process import OVERRIDES, environment
from reconciler.errors import UsageError

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
REMOTE_HELPER = re.compile(r"^[\w.+-]*::")
SCHEME = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
HOST = r"(?:[A-Za-z0-9_](?:[\w.-]*\w)?\.?|\[[0-9A-Fa-f:.]+\])"
USER_NAME = r"[^\s:@/\\%-][^\s:@/\\%]*"
WEB = re.compile(rf"(?P<host>{HOST})(?P<port>:\d{{1,5}})?", re.ASCII)
SECURE_SHELL = re.compile(rf"ssh://(?:{USER_NAME}@)?{HOST}(?::\d{{1,5}})?/\S+", re.ASCII)
SHORT = re.compile(rf"(?:{USER_NAME}@)?{HOST}:[^\s:-]\S*", re.ASCII)
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
    if REMOTE_HELPER.match(text):
        raise _refused(text, "names a program for git to run")
    matched = SCHEME.match(text)
    if matched is None:
        return _without_scheme(text)
    scheme = matched["scheme"].lower()
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


def redact_address(text: str) -> str:
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
    matched = WEB.fullmatch(place)
    if matched is None or not parts.path.strip("/") or re.search(r"[\s\\]", url):
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
    return UsageError(f"the repository's address {redact_address(text)!r} {why}", hint=hint)


ANY_LOGIN = "git"
"""With a token the forges take any login, or none of them asks for this one to be right."""

LOGIN, PASSWORD = "RECONCILER_FETCH_LOGIN", "RECONCILER_FETCH_PASSWORD"
HELPER = (
    f"""!f() {{ if [ "$1" = get ]; then printf 'username=%s\\npassword=%s\\n' "${LOGIN}" "${PASSWORD}"; fi; }}; f"""
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What lets this host in. For https a login (any will do for most forges' tokens) and a password or token.

    For ssh the file of a private key without a passphrase, and a `known_hosts` file; without them, what ssh finds.
    """

    login: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    key: Path | None = None
    known_hosts: Path | None = None


class Timeouts(Struct, frozen=True):
    """In seconds. `connect`: ssh's first answer; `stall`: silence over http or ssh; `fetch`, `clone`: all of it.

    `turn` is how long another process that fetches into the same mirror is waited for.
    """

    connect: int = 15
    stall: int = 30
    fetch: float = 120.0
    clone: float = 1800.0
    turn: float = 10.0


@dataclass(frozen=True, slots=True)
class Transport:
    """The environment and the configuration of a git that may fetch, and the texts that must never be shown."""

    variables: dict[str, str] = field(repr=False)
    config: dict[str, str]
    secrets: tuple[str, ...] = field(repr=False)


def build_transport(address: Address, credentials: Credentials, timeouts: Timeouts) -> Transport:
    """How to fetch from an address. `Credentials` win over what stands in the address.

    Raises `UsageError` for a password that would cross a network in the clear.
    """
    variables = environment() | {"GIT_ALLOW_PROTOCOL": "http:https" if address.protocol == "http" else address.protocol}
    config = OVERRIDES | {
        "http.lowSpeedLimit": "1",  # bytes a second: a server that packs for a while still sends signs of life
        "http.lowSpeedTime": str(timeouts.stall),
        "transfer.fsckObjects": "false",  # old histories have commits that fsck would refuse
        "fetch.fsckObjects": "false",
        "fetch.writeCommitGraph": "false",
        "submodule.recurse": "false",
        "gc.autoDetach": "false",
    }
    secrets: tuple[str, ...] = ()
    if address.protocol == "ssh":
        variables |= {"GIT_SSH_COMMAND": _ssh(credentials, timeouts), "GIT_SSH_VARIANT": "ssh"}
    elif address.site:
        login, password = credentials.login or address.login, credentials.password or address.password
        passwords = {address.password, credentials.password} - {""}
        secrets = tuple(passwords or {address.login} - {""})  # a login without a password is a token
        if login or password:
            if address.protocol == "http" and not is_loopback(address):
                raise UsageError(
                    f"a password for {address.url} would cross the network for all to read", hint="write https://"
                )
            variables |= {LOGIN: login or ANY_LOGIN, PASSWORD: password}
            config[f"credential.{address.site}.helper"] = HELPER
    return Transport(variables, config, secrets)


def _ssh(credentials: Credentials, timeouts: Timeouts) -> str:
    """The ssh command. Git gives it to a shell, on Windows too, and ssh expands percent signs in file names."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": str(timeouts.connect),
        "ServerAliveInterval": str(max(timeouts.stall // 3, 1)),
        "ServerAliveCountMax": "3",
        "ControlMaster": "no",  # a shared connection would go on in the background
        "ControlPath": "none",
    }
    if credentials.known_hosts is not None:
        options["UserKnownHostsFile"] = f'"{_file(credentials.known_hosts)}"'
    if credentials.key is not None:
        options["IdentitiesOnly"] = "yes"
        options["IdentityFile"] = f'"{_file(credentials.key)}"'
    return shlex.join(["ssh", *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))])


def _file(path: Path) -> str:
    name = path.absolute().as_posix()
    if '"' in name or "\n" in name:
        raise UsageError(f"ssh cannot read a file of this name: {name!r}", hint="give it another name")
    return name.replace("%", "%%")
