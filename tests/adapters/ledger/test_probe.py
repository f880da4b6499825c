"""Who the history's engine is, and what time it has."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.clickhouse.connection import probe
from reconciler.errors import RetryLater, UsageError
from tests.support.cases import some
from tests.support.fronts import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=some(["chdb", "http"], 1))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An engine of its own, of each make in turn."""
    if request.param == "chdb":
        yield "chdb"
        return
    with running(tmp_path / "engine") as front:
        yield front.url("probe")


def test_an_engine_tells_its_version_and_time(url: str, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    answer = probe(url, tmp_path)
    after = datetime.now(UTC)
    assert re.match(r"ClickHouse \d+\.\d+", answer.version)
    assert before - timedelta(seconds=1) <= answer.now <= after + timedelta(seconds=1)
    assert answer.now.tzinfo is UTC
    assert answer.place.startswith("the embedded history in" if url == "chdb" else "the ClickHouse server at 127.0.0.1")


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1:1 "):
        probe("clickhouse://default:not-for-messages@127.0.0.1:1/x", tmp_path)
    with pytest.raises(UsageError):
        probe("nonsense", tmp_path)
