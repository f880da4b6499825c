"""Who the history's engine is, and what time it has."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.clickhouse.probe import ask
from reconciler.errors import RetryLater, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fronts import RunningFront


@pytest.mark.parametrize("make", ["chdb", "http"])
def test_an_engine_tells_its_version_and_time(make: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = "chdb"
    if make == "http":
        front: RunningFront = request.getfixturevalue("front")
        url = front.url("probe")
    before = datetime.now(UTC)
    answer = ask(url, tmp_path)
    after = datetime.now(UTC)
    assert re.match(r"\d+\.\d+", answer.version)
    assert before - timedelta(seconds=1) <= answer.now <= after + timedelta(seconds=1)
    assert answer.now.tzinfo is UTC
    assert answer.place.startswith(
        "the embedded history in" if make == "chdb" else "the ClickHouse server at 127.0.0.1"
    )


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1:1 "):
        ask("clickhouse://default:not-for-messages@127.0.0.1:1/x", tmp_path)
    with pytest.raises(UsageError):
        ask("nonsense", tmp_path)
