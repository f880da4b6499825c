"""Of hosts that share a server one writes the live view: the one that is furthest, for as long as it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.redis.cache import LEASE_MS, Lease, RedisCache
from reconciler.errors import NeedsHuman
from tests.adapters.redis.views import MB, mark, write
from tests.support.patience import until

if TYPE_CHECKING:
    from reconciler.adapters.redis.connection import Connection


def test_the_first_of_equals_keeps_it(link: Connection) -> None:
    one, other = Lease(link, "desk-1 a"), Lease(link, "desk-2 b")
    assert one(7) == ""
    assert other(7) == "desk-1 a"
    assert other(6) == "desk-1 a"
    assert one(7) == ""


def test_who_is_further_takes_it_over(link: Connection) -> None:
    one, other = Lease(link, "one"), Lease(link, "other")
    assert (one(9), other(10), one(9), one(10)) == ("", "", "other", "other")
    assert one(100) == ""


def test_who_keeps_it_may_go_back(link: Connection) -> None:
    one, other = Lease(link, "one"), Lease(link, "other")
    assert (one(10), one(8), other(8), other(9)) == ("", "", "one", "")


def test_who_is_silent_loses_it(link: Connection) -> None:
    one, other = Lease(link, "one"), Lease(link, "other")
    assert one(10) == ""
    link.ask("PEXPIRE", "config:keeper", LEASE_MS // 2)  # so much time goes by
    assert one(10) == ""
    assert link.ask("PTTL", "config:keeper") > LEASE_MS // 2, "it was heard of since"
    assert other(3) == "one"
    link.ask("PEXPIRE", "config:keeper", 1)
    until(lambda: other(3) == "")
    assert 2_000 < LEASE_MS <= 10_000  # some looks may be late; nobody waits long


def test_what_somebody_else_wrote_there_is_nobodys_claim(link: Connection) -> None:
    link.ask("SET", "config:keeper", "nonsense")
    assert Lease(link, "one")(1) == ""


def test_a_full_server_takes_claims(link: Connection) -> None:
    link.ask("CONFIG", "SET", "maxmemory", 1)
    try:
        assert Lease(link, "one")(1) == ""
    finally:
        link.ask("CONFIG", "SET", "maxmemory", 0)


def test_what_took_the_place_of_the_claim_is_written_over_where_the_view_is_ours(link: Connection) -> None:
    link.ask("LPUSH", "config:keeper", "x")
    with pytest.raises(NeedsHuman, match="holds something else under our keys"):
        Lease(link, "one")(1)
    RedisCache(link, MB).rebuild([write("ann", "1")], mark(1))
    assert (Lease(link, "one")(1), link.ask("GET", "config:keeper")) == ("", b"1 one")
