"""Signing with an SSH key: what ssh-keygen makes, and that it never asks, nor keeps anybody waiting."""

from __future__ import annotations

import base64
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters import sshkeys
from reconciler.adapters.sshkeys import sign_as
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.evidence.chain import NAMESPACE

if TYPE_CHECKING:
    from pathlib import Path


def make_key(folder: Path, passphrase: str = "") -> Path:
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(key)], check=True)
    return key


def test_what_it_signs_ssh_keygen_accepts(tmp_path: Path) -> None:
    key, message = make_key(tmp_path), b'{"day":"2026-11-22"}'
    signed = sign_as(key, NAMESPACE, message)
    (tmp_path / "sig").write_text(signed.text)
    (tmp_path / "signers").write_text(f'desk-1 namespaces="{NAMESPACE}" {key.with_suffix(".pub").read_text()}')
    command = ["ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "signers"), "-I", "desk-1", "-n", NAMESPACE]
    command += ["-s", str(tmp_path / "sig")]
    assert subprocess.run(command, input=message, capture_output=True, check=False).returncode == 0
    assert subprocess.run(command, input=message + b" ", capture_output=True, check=False).returncode != 0
    shown = subprocess.run(["ssh-keygen", "-lf", str(key)], capture_output=True, text=True, check=True).stdout
    assert signed.key == shown.split()[1]
    assert len(base64.b64decode(signed.key.removeprefix("SHA256:") + "=")) == 32


def test_a_key_with_a_passphrase_is_a_condition_and_no_question(tmp_path: Path) -> None:
    with pytest.raises(NeedsHuman, match="passphrase") as caught:
        sign_as(make_key(tmp_path, "secret"), NAMESPACE, b"x")
    assert "no passphrase" in caught.value.hint


def test_a_key_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(NeedsHuman, match="there is no key") as caught:
        sign_as(tmp_path / "key", NAMESPACE, b"x")
    assert "ssh-keygen -t ed25519" in caught.value.hint


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "bin" / "ssh-keygen"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def test_a_token_that_nobody_touches_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key(tmp_path)
    put_on_path(tmp_path, monkeypatch, "exec sleep 600")
    monkeypatch.setattr(sshkeys, "SECONDS", 0.2)
    with pytest.raises(RetryLater, match="did not sign within"):
        sign_as(key, NAMESPACE, b"x")


def test_what_is_no_signature_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key(tmp_path)
    put_on_path(tmp_path, monkeypatch, "cat")
    with pytest.raises(NeedsHuman, match="it says nothing"):
        sign_as(key, NAMESPACE, b"x")
