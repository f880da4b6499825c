"""What history.url says of a server: several hosts, a cluster, certificates. Nothing of it is ever repeated."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from reconciler import settings
from reconciler.adapters.clickhouse.connection import Timeouts, connect_server
from reconciler.adapters.clickhouse.server import (
    CONSISTENT_READS,
    PARAMETERS,
    Address,
    definition_settings,
    insert_settings,
    parse_url,
)
from reconciler.errors import UsageError
from reconciler.service.hostpage import without_secret
from reconciler.tables.clickhouse import ONE_SERVER, Placement

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("hosts", "addresses"),
    [
        ("one", ["one:8123"]),
        ("one:1,two", ["one:1", "two:8123"]),
        ("[::1],[fe80::2]:9,ch-3.desk.local:10", ["[::1]:8123", "[fe80::2]:9", "ch-3.desk.local:10"]),
        ("u:p%2Cq,r@s@one:1,Two:65535", ["one:1", "two:65535"]),
    ],
)
def test_hosts_are_asked_in_this_order(hosts: str, addresses: list[str]) -> None:
    server = parse_url(f"clickhouse://{hosts}/desk?engine=Replicated")
    assert server is not None
    assert list(map(str, server.addresses)) == addresses
    assert server.password == ("p,q,r@s" if "@" in hosts else "")


def test_everything_at_once() -> None:
    url = f"clickhouses://ann%40desk:{SECRET}@a,b:9/my%20desk?cluster=desk-1&engine=Replicated&ca_cert=/c+a.pem"
    server = parse_url(url)
    assert server is not None
    assert (server.addresses, server.login, server.database) == (
        (Address("a", 8443), Address("b", 9)),
        "ann@desk",
        "my desk",
    )
    assert server.placement == Placement("desk-1", replicated=True)
    assert server.certificates is not None
    assert server.certificates.authority.endswith("c+a.pem")
    assert SECRET not in repr(server)
    plain = parse_url("clickhouse://a")
    assert plain is not None
    assert (plain.placement, plain.certificates, plain.database) == (ONE_SERVER, None, "config_history")


@pytest.mark.parametrize(
    ("url", "told", "hint"),
    [
        ("clickhouse://u:s3cret@h/d?clustre=s3cret", "not known", "did you mean cluster?"),
        ("clickhouse://u:s3cret@h/d?verify=false", "not known", "always verified"),
        ("clickhouse://u:s3cret@h/d?s3cret", "not known", ", ".join(PARAMETERS)),
        ("clickhouse://u:s3cret@h/d?", None, ""),
        ("clickhouse://u:s3cret@h/d?cluster=a&", "not known", "engine"),
        ("clickhouse://u:s3cret@h/d?CLUSTER=a", "not known", "did you mean cluster?"),
        ("clickhouse://u:s3cret@h/d?cluster=a&cluster=a", "cluster more than once", ""),
        ("clickhouse://u:s3cret@h/d?cluster=", "cluster without a value", ""),
        ("clickhouse://u:s3cret@h/d?cluster", "cluster without a value", ""),
        ("clickhouse://u:s3cret@h/d?cluster=s3cret%60", "no name of a cluster", "system.clusters"),
        ("clickhouse://u:s3cret@h/d?cluster=a%20b", "no name of a cluster", "system.clusters"),
        ("clickhouse://u:s3cret@h/d?engine=s3cret", "engine is not one", "engine=Replicated"),
        ("clickhouse://u:s3cret@h/d?engine=replicated", "engine is not one", "engine=Replicated"),
        ("clickhouse://u:s3cret@h,i/d?cluster=a", "several hosts of a cluster without engine", "engine=Replicated"),
        ("clickhouse://u:s3cret@h/d?ca_cert=/s3cret", "ca_cert and no TLS", "clickhouses://"),
        ("clickhouse://u:s3cret@h/d?client_cert=/s3cret", "client_cert and no TLS", "clickhouses://"),
        ("clickhouses://u:s3cret@h/d?client_cert_key=/s3cret", "client_cert_key without client_cert", ""),
        ("clickhouse://u:s3cret@h/d#s3cret", "a # in it", "%XX"),
        ("clickhouse://u:s3cret@h,/d", "a host is missing", ""),
        ("clickhouse://u:s3cret@,h/d", "a host is missing", ""),
        ("clickhouse://u:s3cret@h:0/d", "malformed", "host1:8123,host2:8123"),
        ("clickhouse://u:s3cret@h:65536/d", "malformed", ""),
        ("clickhouse://u:s3cret@h,i:s3cret/d", "malformed", ""),
        ("clickhouse://u:s3cret@::1/d", "malformed", "[::1]:8123"),
        ("clickhouse://u:s3cret@[::g]/d", "malformed", ""),
        ("clickhouse://u:s3cret@[::1:2/d", "malformed", ""),
        ("clickhouse://u:s3/cret@h/d", "malformed", "%XX"),
        ("clickhouse://u:s3?s3cret@h/d", "malformed", "%XX"),
        ("clickhouse://a b/d", "malformed", ""),
        ("http://u:s3cret@h/d", "names no ClickHouse server", "clickhouse://"),
    ],
)
def test_what_cannot_be_meant_is_refused(url: str, told: str | None, hint: str) -> None:
    if told is None:
        assert parse_url(url)
        return
    with pytest.raises(UsageError, match=told) as caught:
        parse_url(url)
    assert hint in caught.value.hint
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


@pytest.mark.parametrize("name", ["ca_cert", "client_cert"])
@pytest.mark.parametrize(("holds", "told"), [(None, "cannot be read: no such file"), ("", "no certificate")])
def test_a_file_that_is_no_certificate_is_refused(name: str, holds: str | None, told: str, tmp_path: Path) -> None:
    file = tmp_path / SECRET
    if holds is not None:
        file.write_text(holds)
    server = parse_url(f"clickhouses://u:{SECRET}@127.0.0.1:1/d?{name}={file}")
    assert server is not None
    with pytest.raises(UsageError, match=f"{name}.*{told}") as caught:
        connect_server(server, Timeouts(1, 1))
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


def test_the_password_of_several_hosts_is_shown_nowhere() -> None:
    url = "clickhouse://ann:s3%2Fcret@one:8123,[::1]:8123/desk?cluster=a"
    loaded = settings.load(None, {"history.url": url}, {})
    assert set(loaded.secrets) == {"s3%2Fcret", "s3/cret"}
    assert without_secret(url) == "clickhouse://one:8123,[::1]:8123/desk"


def test_replicas_agree_before_a_write_has_happened() -> None:
    """Reads on a replica that lacks an acknowledged row fail, in place of not finding it (decision 47)."""
    replicated = Placement("desk", replicated=True)
    inserts, definitions = insert_settings(replicated, 60), definition_settings(replicated, 60)
    assert (inserts["insert_quorum"], inserts["insert_quorum_parallel"], inserts["insert_deduplicate"]) == (
        "auto",
        0,
        0,
    )
    assert inserts["insert_quorum_timeout"] == 48_000
    assert (definitions["distributed_ddl_task_timeout"], definitions["distributed_ddl_output_mode"]) == (48, "throw")
    assert definitions["alter_sync"] == 2
    assert CONSISTENT_READS == {"select_sequential_consistency": 1}
    assert "insert_quorum" not in insert_settings(ONE_SERVER, 60)
    assert definition_settings(ONE_SERVER, 60) == {}
