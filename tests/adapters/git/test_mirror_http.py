"""Mirrors of repositories behind a real HTTP server and behind ssh: who is let in, what is shown, who else is asked."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git import mirror as mirrors
from reconciler.adapters.git import process
from reconciler.adapters.git.mirror import Mirror
from reconciler.adapters.git.transport import Credentials, Timeouts, build_transport, read_address
from reconciler.errors import NeedsHuman, RetryLater
from tests.support.githttp import GitServer, serving
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for ssh")
SECRET = "s3cret/tok%en"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine's proxies are is not asked."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def remote(tmp_path: Path) -> GitRepo:
    """A bare repository with one commit."""
    repo = GitRepo.create(tmp_path / "remote" / "config.git", bare=True)
    repo.commit({"a.yaml": "1"})
    return repo


@pytest.fixture
def server(remote: GitRepo) -> Iterator[GitServer]:
    """A server for it."""
    with serving(remote.path.parent) as running:
        yield running


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_over_http(remote: GitRepo, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors, "DEFAULT_COST_FACTOR", 1_000_000)
    with Mirror(f"{server.url}/config.git", tmp_path / "state") as mirror:
        mirror.fetch()
        head = remote.commit({"a.yaml": "2"})
        server.requests.clear()
        assert mirror.fetch().after == head
        assert len(server.requests) == 3  # references, negotiation, pack: one connection, nothing asked twice
        server.requests.clear()
        assert not mirror.fetch().changed
        assert len(server.requests) == 2


def test_credentials_let_in_and_are_written_nowhere(
    remote: GitRepo, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.login, server.password = "ann", SECRET
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
    for number, (url, held) in enumerate((
        (server.url.replace("//", "//ann:s3cret%2Ftok%25en@"), Credentials()),
        (server.url, Credentials("ann", SECRET)),
        (server.url.replace("//", "//ann:stale@"), Credentials(password=SECRET)),
    )):  # fmt: skip
        state = tmp_path / f"state-{number}"
        with Mirror(f"{url}/config.git", state, None, functools.partial(replace, held)) as mirror:
            assert mirror.fetch().after == remote.git("rev-parse", "main")
            with mirror.open() as source:
                assert source.repository == mirror.url == f"{server.url}/config.git"
        content = everything_in(state)
        assert b"s3cret" not in content
        assert b"stale" not in content
    assert not trace.exists()


def test_the_password_is_on_no_command_line(
    remote: GitRepo, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every program that git starts is recorded by git's own trace, which our environment otherwise shuts off."""
    server.login, server.password = "ann", SECRET
    monkeypatch.setitem(process.VARIABLES, "GIT_TRACE", str(tmp_path / "trace"))
    with Mirror(f"{server.url}/config.git", tmp_path / "state", None, lambda: Credentials("ann", SECRET)) as mirror:
        mirror.fetch()
    trace = (tmp_path / "trace").read_text()
    assert "remote-http" in trace
    assert "s3cret" not in trace


def test_a_refused_token_is_told_and_a_renewed_one_counts_at_once(
    remote: GitRepo, server: GitServer, tmp_path: Path
) -> None:
    server.login, server.password = "ann", SECRET
    held = ["old-t0ken"]
    with Mirror(
        f"{server.url}/config.git", tmp_path / "state", credentials=lambda: Credentials("ann", held[0])
    ) as mirror:
        for held[0] in ("old-t0ken", ""):
            with pytest.raises(RetryLater, match="this host is not let in to http://") as caught:
                mirror.fetch()
            assert "t0ken" not in f"{caught.value} {caught.value.hint}"
            assert "has not expired" in caught.value.hint
        held[0] = SECRET
        assert mirror.fetch().after


def test_credentials_do_not_follow_to_another_server(remote: GitRepo, server: GitServer, tmp_path: Path) -> None:
    server.login, server.password = "ann", SECRET
    with serving(remote.path.parent) as other:
        other.login, other.password = "eve", "x"
        server.location = other.url
        server.login = ""
        with (
            Mirror(f"{server.url}/config.git", tmp_path / "state", None, lambda: Credentials("ann", SECRET)) as mirror,
            pytest.raises(RetryLater, match="is not let in"),
        ):
            mirror.fetch()
        assert other.requests
        assert not [said for said in other.seen if "s3cret" in said]


def test_a_server_cannot_lead_to_another_protocol(remote: GitRepo, server: GitServer, tmp_path: Path) -> None:
    server.location = f"file://{remote.path.parent}"
    with Mirror(f"{server.url}/config.git", tmp_path / "state") as mirror, pytest.raises((RetryLater, NeedsHuman)):
        mirror.fetch()


def test_configuration_cannot_lead_to_another_protocol(
    remote: GitRepo, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "ext::sh -c touch {tmp_path}/ran #"]\n\tinsteadOf = {server.url}/\n', newline="\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    config.rename(tmp_path / ".gitconfig")
    with (
        Mirror(f"{server.url}/config.git", tmp_path / "state") as mirror,
        pytest.raises(NeedsHuman, match="leads elsewhere") as caught,
    ):
        mirror.fetch()
    assert "insteadOf" in caught.value.hint
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "there is no repository at"),
        (403, "is not let in"),
        (500, "no answer"),
        (503, "no answer"),
        (429, "no ans"),
    ],
)
def test_what_a_server_answers_instead(status: int, said: str, server: GitServer, tmp_path: Path) -> None:
    with Mirror(f"{server.url}/config.git", tmp_path / "state") as mirror:
        server.status = status
        with pytest.raises(RetryLater, match=said):
            mirror.fetch()
        server.status = 200
        assert mirror.fetch().after


@pytest.mark.slow
def test_a_request_that_is_never_answered(server: GitServer, tmp_path: Path) -> None:
    server.silent.set()
    impatient = Timeouts(stall=1)
    with (
        Mirror(f"{server.url}/config.git", tmp_path / "state", timeouts=impatient) as mirror,
        pytest.raises(RetryLater, match=r"there is no answer from http://.*too slow"),
    ):
        mirror.fetch()


@posix
def test_over_ssh(remote: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program called `ssh` takes the place of the connection, and hands the command on to this machine's shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/arguments"\n'
        'while [ "${1#-}" != "$1" ]; do [ "$1" = -o ] && shift; shift; done\nshift\nexec sh -c "$1"\n',
        newline="\n",
    )
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    key = tmp_path / "a key"
    for url in (f"git@forge.example:{remote.path}", f"ssh://git@forge.example{remote.path}"):
        with Mirror(url, tmp_path / f"state-{url[:3]}", None, lambda: Credentials(key=key)) as mirror:
            assert mirror.fetch().after == remote.git("rev-parse", "main")
            with mirror.open() as source:
                assert source.repository == url
        arguments = (tmp_path / "arguments").read_text().splitlines()
        assert "BatchMode=yes" in arguments
        assert f'IdentityFile="{key}"' in arguments
        assert "git@forge.example" in arguments


@pytest.mark.skipif(sys.platform == "win32", reason="asks the ssh on PATH")
def test_ssh_understands_what_it_is_given(tmp_path: Path) -> None:
    odd = tmp_path / "100% o'key"
    how = build_transport(read_address("git@host:x"), Credentials(key=odd, known_hosts=odd), Timeouts())
    done = subprocess.run(
        ["sh", "-c", f"{how.variables['GIT_SSH_COMMAND']} -G -F /dev/null host"],
        capture_output=True,
        text=True,
        check=True,
    )
    settings = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    assert settings["identityfile"] in (str(odd), str(odd).replace("%", "%%"))
    assert settings["batchmode"] == "yes"
    assert settings["controlmaster"] in ("no", "false")
