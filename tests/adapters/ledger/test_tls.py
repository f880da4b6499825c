"""A server with a certificate of a private authority, and one that wants its clients'."""

from __future__ import annotations

import ssl
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from reconciler.adapters.clickhouse.connection import probe
from reconciler.errors import NeedsHuman, ReconcilerError, UsageError
from tests.support.proxies import proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.fronts import RunningFront
    from tests.support.proxies import Proxy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """One that no system knows."""
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    """Its certificate."""
    authority.cert_pem.write_to_path(tmp_path / "c+a.pem")
    return tmp_path / "c+a.pem"


@contextmanager
def behind_tls(front: RunningFront, authority: trustme.CA, name: str, *, asks: bool = False) -> Iterator[Proxy]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    if asks:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    with proxy(front.port, context) as running:
        yield running


def ask(port: int, query: str = "", login: str = "") -> str:
    return probe(f"clickhouses://{login}127.0.0.1:{port}/x{query}", Path("unused")).version


def test_a_private_authority(front: RunningFront, authority: trustme.CA, ca: Path) -> None:
    with behind_tls(front, authority, "127.0.0.1") as server:
        assert ask(server.port, f"?ca_cert={ca}").startswith("ClickHouse")
        with pytest.raises(NeedsHuman, match=r"cannot be trusted.*unable to get local issuer") as caught:
            ask(server.port)
        assert "ca_cert=FILE" in caught.value.hint
        trustme.CA().cert_pem.write_to_path(other := ca.with_name("other.pem"))
        with pytest.raises(NeedsHuman, match="cannot be trusted"):
            ask(server.port, f"?ca_cert={other}")
    with behind_tls(front, authority, "ch.example.com") as server, pytest.raises(NeedsHuman, match=r"127\.0\.0\.1"):
        ask(server.port, f"?ca_cert={ca}")


@pytest.mark.parametrize("login", ["", "ann@", "ann:s3cret@"])
def test_a_server_that_wants_a_certificate(front: RunningFront, authority: trustme.CA, ca: Path, login: str) -> None:
    own = authority.issue_cert("desk@example.com")
    own.private_key_and_cert_chain_pem.write_to_path(both := ca.with_name("both.pem"))
    own.private_key_pem.write_to_path(key := ca.with_name("key.pem"))
    own.cert_chain_pems[0].write_to_path(certificate := ca.with_name("own.pem"))
    with behind_tls(front, authority, "127.0.0.1", asks=True) as server:
        for query in (f"client_cert={both}", f"client_cert={certificate}&client_cert_key={key}"):
            assert ask(server.port, f"?ca_cert={ca}&{query}", login).startswith("ClickHouse")
        with pytest.raises(ReconcilerError, match="the ClickHouse server at") as caught:
            ask(server.port, f"?ca_cert={ca}", login)
        for query in (f"client_cert={certificate}", f"client_cert={certificate}&client_cert_key={ca}"):
            with pytest.raises(UsageError, match="client_cert is no certificate with its key") as wrong:
                ask(server.port, f"?{query}", login)
            assert "s3cret" not in "".join(traceback.format_exception(wrong.value))
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))
