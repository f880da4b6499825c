"""How git is started to fetch: one protocol and no other, nobody asked, secrets only where no one can read along.

What `isolation` takes away from git stays away, but for the one protocol. A password goes through the environment to a
credential helper of one line, which git asks for one site only: it is on no command line, in no file, and follows no
redirection to elsewhere. Sources: git(1), git-config(1), gitcredentials(7), ssh_config(5).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.adapters.git.address import is_loopback
from reconciler.adapters.git.isolation import OVERRIDES, environment
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.git.address import Address

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


@dataclass(frozen=True, slots=True)
class Timeouts:
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


def transport(address: Address, credentials: Credentials, timeouts: Timeouts) -> Transport:
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
