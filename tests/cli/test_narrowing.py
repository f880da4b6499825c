"""A schema that narrows, seen with all engines: live rows, history and verification say the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.reconcile.test_narrowing import DESK, EMPTY, SCHEMA, SETTINGS, WIDER, field, said, schema, venue

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Host, Past

pytestmark = pytest.mark.slow


def widened(host: Host) -> None:
    """A venue used a wider limit and left git."""
    venues = {"a.yaml": venue("ann"), "b.yaml": venue("bob")}
    host.repo.commit({"reconciler.yaml": SETTINGS, SCHEMA: schema(DESK), **venues})
    assert host.run("sync").code == 0
    host.repo.commit({SCHEMA: schema(WIDER["maximum"][0]), "odd.yaml": said({"latency": 400.0})})
    assert host.run("sync").code == 0
    host.repo.commit({"odd.yaml": None})
    assert host.run("sync").code == 0


def names(host: Host, *command: str) -> list[str]:
    return [row["name"] for row in json.loads(host.run(*command, "--format", "json").out)]


def test_refused_approved_and_seen_in_the_past(begin: Callable[[Past], Host]) -> None:
    host = begin(widened)
    before = host.repo.git("rev-parse", "main").strip()
    host.repo.commit({SCHEMA: schema()})
    for command in (("plan",), ("plan", "--base", "HEAD~1"), ("sync",)):
        answer = host.run(*command)
        assert answer.code == 1
        assert "schema-narrowed" in answer.out + answer.err
    assert host.run("validate").code == 0
    assert names(host, "get", "venue") == ["ann", "bob", "odd"]
    cut = host.repo.commit({"b.yaml": venue("bob", latency=1.0)})
    assert host.run("sync", "--approve", cut).code == 0
    assert names(host, "get", "venue") == ["ann", "bob"]
    assert host.run("show", "venue", "odd", "--at", cut).code == 3
    assert host.run("show", "venue", "odd", "--at", before).code == 0
    assert host.run("verify").code == 0


def test_a_kind_goes_and_comes_back(begin: Callable[[Past], Host]) -> None:
    host = begin(widened)
    before = host.repo.git("rev-parse", "main").strip()
    gone = host.repo.commit({SCHEMA: None, **EMPTY})
    assert host.run("sync").code == 0
    assert host.run("verify").code == 0
    assert host.run("show", "venue_config", "ann", "--at", gone).code == 3
    assert host.run("show", "venue_config", "ann", "--at", before).code == 0
    host.repo.commit({SCHEMA: schema(field("latency", maximum=50))})
    assert host.run("sync").code == 0
    assert names(host, "get", "venue") == ["ann", "bob"]
    assert host.run("show", "venue", "ann", "--at", "main").code == 0
    assert host.run("show", "venue", "odd", "--at", "main").code == 3
    assert host.run("verify").code == 0
