"""TLS with a private CA, which a proxy ends in front of a real server; and servers that are of another kind."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from reconciler.adapters.redis.connection import connect
from reconciler.errors import NeedsHuman, RetryLater
from tests.support.patience import until
from tests.support.proxies import proxy
from tests.support.sentinels import SENTINEL_PASSWORD, SERVICE, Group, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.proxies import Proxy

pytestmark = pytest.mark.slow
LOGIN = ":p%40ss%2Fw0rd@"
PATIENT = 5


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """A server without TLS, and one of a Cluster."""
    running = Group(tmp_path_factory.mktemp("servers"))
    plain, node = free_port(), free_port()
    try:
        running.serve(plain)
        running.serve(node, "cluster-enabled yes")
        for port in (plain, node):
            until(lambda port=port: answers(running, port))  # type: ignore[misc]
        yield running
    finally:
        for process in (*running.servers.values(), *running.sentinels.values()):
            process.kill()
            process.wait()


def answers(group: Group, port: int) -> bool:
    """Whether a server is up."""
    try:
        with group.ask(port) as client:
            return bool(client.ping())
    except Exception:  # noqa: BLE001  whatever it is, it passes
        return False


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A CA that no system knows."""
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    """Its certificate."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


@contextmanager
def behind_tls(group: Group, authority: trustme.CA, name: str, *, asks: bool = False) -> Iterator[Proxy]:
    """The server, behind a certificate for a name; with `asks` it wants one of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    if asks:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    with proxy(next(iter(group.servers)), context) as running:
        yield running


def ping(url: str) -> object:
    """What a server answers."""
    with connect(url, answer_timeout=PATIENT) as link:
        return link.ask("PING")


def test_a_private_ca(group: Group, authority: trustme.CA, ca: Path) -> None:
    with behind_tls(group, authority, "127.0.0.1") as server:
        url = f"rediss://{LOGIN}127.0.0.1:{server.port}/0?socket_connect_timeout=5"
        assert ping(f"{url}&ssl_ca_certs={ca}") == b"PONG"
        assert ping(f"{url}&ssl_cert_reqs=none") == b"PONG"
        with pytest.raises(NeedsHuman, match="has a certificate that is not trusted: unable to get local") as caught:
            ping(url)
        assert "?ssl_ca_certs=FILE" in caught.value.hint
        other = ca.with_name("other.pem")
        trustme.CA().cert_pem.write_to_path(other)
        with pytest.raises(NeedsHuman, match="not trusted"):
            ping(f"{url}&ssl_ca_certs={other}")


def test_a_certificate_for_another_name(group: Group, authority: trustme.CA, ca: Path) -> None:
    with behind_tls(group, authority, "redis.example.com") as server:
        url = f"rediss://{LOGIN}127.0.0.1:{server.port}?socket_connect_timeout=5&ssl_ca_certs={ca}"
        with pytest.raises(NeedsHuman, match="has a certificate for another name") as caught:
            ping(url)
        assert "ssl_check_hostname=false" in caught.value.hint
        assert ping(f"{url}&ssl_check_hostname=false") == b"PONG"


def test_a_server_that_wants_a_certificate(group: Group, authority: trustme.CA, ca: Path) -> None:
    own = authority.issue_cert("desk@example.com")
    own.private_key_and_cert_chain_pem.write_to_path(both := ca.with_name("own.pem"))
    with behind_tls(group, authority, "127.0.0.1", asks=True) as server:
        url = f"rediss://{LOGIN}127.0.0.1:{server.port}?socket_connect_timeout=5&ssl_ca_certs={ca}"
        assert ping(f"{url}&ssl_certfile={both}") == b"PONG"
        with pytest.raises((NeedsHuman, RetryLater)) as caught:
            ping(url)
        assert "certificate" in str(caught.value) + caught.value.hint


def test_the_wrong_one_of_both(group: Group, authority: trustme.CA, ca: Path) -> None:
    plain = next(iter(group.servers))
    url = f"rediss://{LOGIN}127.0.0.1:{plain}?ssl_ca_certs={ca}"
    with connect(url) as link, pytest.raises(RetryLater, match="does not answer in time") as silent:
        link.ask("PING")
    assert "speaks TLS" in silent.value.hint
    with behind_tls(group, authority, "127.0.0.1") as server, pytest.raises(RetryLater) as closed:
        ping(f"redis://{LOGIN}127.0.0.1:{server.port}")
    assert "rediss://" in closed.value.hint


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("ssl_ca_certs={gone}", "cannot read ssl_ca_certs, {gone}: no such file"),
        ("ssl_ca_certs={bad}", "cannot use ssl_ca_certs, {bad}: no certificate or crl found"),
        ("ssl_keyfile={bad}", "has ssl_keyfile without ssl_certfile"),
        ("ssl_certfile={ca}&ssl_keyfile={gone}", "cannot read ssl_certfile and ssl_keyfile, {ca} and {gone}: no such"),
        ("ssl_certfile={ca}", "cannot use ssl_certfile and ssl_keyfile, {ca}: no key"),
    ],
)
def test_files_that_cannot_be_used(ca: Path, parameters: str, words: str) -> None:
    bad = ca.with_name("bad.pem")
    bad.write_text("x", encoding="utf-8")
    names = {"ca": ca, "bad": bad, "gone": ca.with_name("gone.pem")}
    with pytest.raises(NeedsHuman) as caught:
        connect(f"rediss://:hidden@h?{parameters.format(**names)}")
    assert words.format(**names) in str(caught.value)
    assert "hidden" not in str(caught.value) + caught.value.hint


def test_sentinels_and_servers_with_tls(group: Group, authority: trustme.CA, ca: Path) -> None:
    """This Sentinel cannot reach what it watches, and yet says where it is."""
    with behind_tls(group, authority, "127.0.0.1") as server:
        group.watch(own := free_port(), server.port)
        certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(certificate)
        with proxy(own, certificate) as sentinel:
            until(lambda: group.primary() == server.port if is_up(group) else False)
            query = f"sentinel_password={SENTINEL_PASSWORD.replace('+', '%2B')}&socket_connect_timeout=5"
            url = f"rediss+sentinel://{LOGIN}localhost:{sentinel.port}/{SERVICE}?{query}"
            assert ping(f"{url}&ssl_ca_certs={ca}") == b"PONG"
            with pytest.raises(NeedsHuman, match=r"the Sentinel at localhost:.* has a certificate that is not trusted"):
                ping(url)


def is_up(group: Group) -> bool:
    """Whether its Sentinel answers."""
    try:
        return bool(group.primary())
    except Exception:  # noqa: BLE001  whatever it is, it passes
        return False


@pytest.mark.parametrize("database", ["", "/1"])
def test_a_cluster_is_refused(group: Group, database: str) -> None:
    node = list(group.servers)[1]
    with pytest.raises(NeedsHuman, match=f"the Redis server at 127.0.0.1:{node} is a node of a Cluster") as caught:
        ping(f"redis://{LOGIN}127.0.0.1:{node}{database}")
    assert "a Cluster spreads keys" in caught.value.hint
