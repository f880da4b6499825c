"""Signatures of an SSH key, by ssh-keygen: within a deadline, and without ever asking anybody anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from reconciler.errors import NeedsHuman, RetryLater
from reconciler.evidence.chain import Signature
from reconciler.evidence.verify import key_fingerprint

KEYGEN: Final = "ssh-keygen"
SECONDS: Final = 20.0
"""Until ssh-keygen is ended: a key on a token waits for a touch that nobody gives at night."""


def sign_as(key: Path, namespace: str, message: bytes) -> Signature:
    """Sign with a private key, or with the public half of one that an agent holds.

    Raises `NeedsHuman` when the key cannot be used, a passphrase included; `RetryLater` when it takes too long.
    """
    if not key.is_file():
        raise NeedsHuman(f"there is no key {key} to sign with", hint=f"`{KEYGEN} -t ed25519 -N '' -f {key}` makes one")
    command = [find_keygen(), "-Y", "sign", "-q", "-f", str(key), "-n", namespace]
    quiet = {"SSH_ASKPASS_REQUIRE": "never", "SSH_ASKPASS": "", "DISPLAY": ""}
    try:
        done = subprocess.run(
            command,
            input=message,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            env={**os.environ, **quiet},
            **_without_terminal(),
        )
    except FileNotFoundError as error:
        raise NeedsHuman(f"{KEYGEN} is not installed", hint="install OpenSSH, version 8.2 or newer") from error
    except subprocess.TimeoutExpired as error:
        raise RetryLater(
            f"{KEYGEN} did not sign within {SECONDS:g} s", hint=f"see whether {key} needs a touch"
        ) from error
    text = done.stdout.decode(errors="replace")
    if done.returncode or "BEGIN SSH SIGNATURE" not in text:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise NeedsHuman(
            f"{KEYGEN} cannot sign with {key}: {said[-1] if said else 'it says nothing'}",
            hint="the key must be readable by this user, and have no passphrase",
        )
    return Signature(text, key_fingerprint(text))


def find_keygen() -> str:
    """What to start. Windows would look into the working folder first, where a repository may have one of its own."""
    if sys.platform == "win32":
        places = (Path(place, f"{KEYGEN}.exe") for place in os.environ.get("PATH", "").split(os.pathsep) if place)
        return str(next((place for place in places if place.is_absolute() and place.is_file()), KEYGEN))
    return KEYGEN


def _without_terminal() -> dict[str, Any]:
    """It would ask for a passphrase at the terminal of the process."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
