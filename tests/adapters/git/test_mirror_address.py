"""What is an address to fetch from, what could be taken for a command, and what is shown of either."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.adapters.git.mirror import Mirror
from reconciler.adapters.git.remote import explain_failure, without_secrets
from reconciler.adapters.git.transport import LOGIN, PASSWORD, Credentials, Timeouts, build_transport, read_address
from reconciler.errors import RetryLater, UsageError


@pytest.mark.parametrize(
    ("text", "url", "protocol", "login", "password"),
    [
        ("https://host/x.git", "https://host/x.git", "https", "", ""),
        ("HTTPS://Host:8443/X.git", "https://host:8443/X.git", "https", "", ""),
        ("https://ann:s3%40cret@host/x", "https://host/x", "https", "ann", "s3@cret"),
        ("https://ann:p@ss@host/x", "https://host/x", "https", "ann", "p@ss"),
        ("https://tok@host/a@b/x.git", "https://host/a@b/x.git", "https", "tok", ""),
        ("http://[::1]:80/x", "http://[::1]:80/x", "http", "", ""),
        ("ssh://git@host:22/x.git", "ssh://git@host:22/x.git", "ssh", "", ""),
        ("ssh://host/~ann/x.git", "ssh://host/~ann/x.git", "ssh", "", ""),
        ("git@host:desk/x.git", "git@host:desk/x.git", "ssh", "", ""),
        ("host.example:/srv/x.git", "host.example:/srv/x.git", "ssh", "", ""),
        ("file:///srv/x y.git", "file:///srv/x y.git", "file", "", ""),
        ("/srv/a:b.git", "/srv/a:b.git", "file", "", ""),
        ("./a:b.git", f"{Path.cwd().as_posix()}/a:b.git", "file", "", ""),
        ("desk", f"{Path.cwd().as_posix()}/desk", "file", "", ""),
    ],
)
def test_addresses(text: str, url: str, protocol: str, login: str, password: str) -> None:
    found = read_address(text)
    assert (found.url, found.protocol, found.login, found.password) == (url, protocol, login, password)
    assert "s3" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "", " https://host/x", "https://host/x\n", "https://host/\x1b[2Jx", "https://ho\tst/x", "-x",
        "--upload-pack=touch x", "-oProxyCommand=x", "ext::sh -c touch% x", "fd::17", "::x", "foo::https://host/x",
        "git://host/x", "ftp://host/x", "ssh://-oProxyCommand=x/y", "ssh://-oProxyCommand=x@host/y",
        "-oProxyCommand=x@host:y", "git@-oProxyCommand=x:y", "git@host:-x", "git@host:", "ssh://git@host",
        "ssh://%2doProxyCommand=x/y", "git+ssh://git@host/x", "file://host/x", "file://", "file:///x?y", "https://",
        "https:///x", "https://host", "https://host/", "https://host:port/x", "https://host:99999999/x",
        "https://host\\@evil/x", "https://host/x y", "https://host/x?token=s3cret", "https://host/x#s3cret",
        "https://ann:s3cret@host:port/x", "https://ann:s3/cret@host/x", "https://a%0ab:s3cret@host/x",
        "ssh://git:s3cret@host/x", "https://ann:s3cret@ho st/x", "https://-host/x", "https://[::1/s3cret@x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_its_secrets(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Mirror(text, tmp_path / "state")
    assert "s3" not in f"{caught.value} {caught.value.hint}".replace("[::1/s3cret@x", "").replace("s3cret@x", "")
    assert str(caught.value).isprintable()
    assert caught.value.hint
    assert not (tmp_path / "state").exists()


def test_one_protocol_and_no_other() -> None:
    for text, allowed in (
        ("https://host/x", "https"),
        ("http://host/x", "http:https"),
        ("git@host:x", "ssh"),
        ("/x", "file"),
    ):
        how = build_transport(read_address(text), Credentials(), Timeouts())
        assert how.variables["GIT_ALLOW_PROTOCOL"] == allowed
        assert how.variables["GIT_TERMINAL_PROMPT"] == "0"
        assert PASSWORD not in how.variables
        assert not any(name.endswith("helper") and value for name, value in how.config.items())


def test_a_password_is_in_the_environment_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Credentials(password="s3cret")
    for text in ("https://ann:older@host:8443/x", "https://host:8443/x"):
        how = build_transport(read_address(text), given, Timeouts())
        assert how.variables[PASSWORD] == "s3cret"
        assert how.variables[LOGIN] == ("ann" if "ann" in text else "git")
        assert "s3cret" in how.secrets
        assert "s3cret" not in repr((how, given)) + str(how.config)
        assert [name for name, value in how.config.items() if value.startswith("!")] == [
            "credential.https://host:8443.helper"
        ]
    for text in ("git@host:x", "/x"):
        assert "s3cret" not in build_transport(read_address(text), given, Timeouts()).variables.values()
    with pytest.raises(UsageError, match="for all to read"):
        build_transport(read_address("http://host/x"), given, Timeouts())
    assert build_transport(read_address("http://127.0.0.1:80/x"), given, Timeouts()).variables[PASSWORD] == "s3cret"


def test_ssh_asks_nobody_and_reads_the_files_it_is_given(tmp_path: Path) -> None:
    plain = build_transport(read_address("git@host:x"), Credentials(), Timeouts(connect=7))
    assert plain.variables["GIT_SSH_COMMAND"].startswith("ssh -o BatchMode=yes -o ConnectTimeout=7 -o Server")
    assert "Identit" not in plain.variables["GIT_SSH_COMMAND"]
    odd = tmp_path / "100% o'key"
    how = build_transport(read_address("git@host:x"), Credentials(key=odd, known_hosts=odd), Timeouts())
    assert "100%% o" in how.variables["GIT_SSH_COMMAND"]
    assert "IdentitiesOnly=yes" in how.variables["GIT_SSH_COMMAND"]
    with pytest.raises(UsageError, match="cannot read a file of this name"):
        build_transport(read_address("git@host:x"), Credentials(key=tmp_path / 'a"b'), Timeouts())


def test_what_others_write_is_fit_to_be_shown() -> None:
    said = "see https://ann:pw@host/x?token=abc and s3@cret, s3%40cret\x1b[2J\nnext"
    shown = without_secrets(said, ["s3@cret"])
    assert shown == "see https://host/x and ***, ***\ufffd[2J\ufffdnext"
    assert len(without_secrets("x" * 9999, [])) == 300
    answer = "remote: token s3@cret has expired\nfatal: Authentication failed for 'https://s3%40cret@host/'"
    error = explain_failure(answer, 128, read_address("https://host/x"), ["s3@cret"])
    assert isinstance(error, RetryLater)
    assert "s3" not in str(error)
    assert str(error) == "this host is not let in to https://host/x: Authentication failed for 'https://host/'"
