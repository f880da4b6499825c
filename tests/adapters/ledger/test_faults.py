"""A ClickHouse server that misbehaves: what the caller is told, and that nothing is lost or doubled."""

from __future__ import annotations

import logging
import socket
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.clickhouse.ledger import ClickHouseLedger, open_ledger
from reconciler.errors import NeedsHuman, RetryLater, UsageError
from reconciler.ledger.connection import RecordedBranch
from tests.adapters.ledger.conftest import IMPATIENT
from tests.adapters.ledger.versions import created, sha, version
from tests.support.fronts import RunningFront, running
from tests.support.history import state_at
from tests.support.kinds import KINDS, WIDGET, FixedClock, widget

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

BATCH = [version(1, created(widget("a"), 1)), version(2, created(widget("b"), 2))]
SECRET = "s3/cret"


def opened(url: str) -> ClickHouseLedger:
    return open_ledger(url, Path("unused"), RecordedBranch("origin", "main"), FixedClock(), timeouts=IMPATIENT)


@pytest.fixture
def ledger(front: RunningFront, databases: Iterator[int]) -> Iterator[ClickHouseLedger]:
    with opened(front.url(f"faults{next(databases)}")) as ledger:
        ledger.prepare(KINDS)
        yield ledger
    front.fault("", times=0)


def test_a_server_that_is_down_is_for_later() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(RetryLater, match=f"the ClickHouse server at 127.0.0.1:{port} did not answer: .*refused"):
            opened(f"clickhouse://127.0.0.1:{port}/x")


@pytest.mark.parametrize("insert", ["widget_config", "config_versions"])
@pytest.mark.parametrize(
    ("fault", "told"),
    [("refuse", "did not answer: .*500.*something broke"), ("code-202", "cannot answer now"), ("hang", "timed out")],
)
def test_a_fault_while_recording_is_for_later(
    front: RunningFront, ledger: ClickHouseLedger, insert: str, fault: str, told: str
) -> None:
    front.fault(fault, match=f"`{insert}` (")
    with pytest.raises(RetryLater, match=told) as caught:
        ledger.record(BATCH)
    assert "for url" not in str(caught.value)
    assert ledger.recorded_commits() == {}
    assert state_at(ledger, WIDGET, 9) == ()
    ledger.record(BATCH)
    assert ledger.recorded_commits() == {sha(1): True, sha(2): True}
    assert len(state_at(ledger, WIDGET, 9)) == 2


def test_an_answer_lost_after_recording_doubles_nothing(front: RunningFront, ledger: ClickHouseLedger) -> None:
    front.fault("lose", times=100, match="INSERT INTO")
    with pytest.raises(RetryLater):
        ledger.record(BATCH)
    front.fault("lose", times=100, match="`config_versions` (")
    with pytest.raises(RetryLater):
        ledger.record(BATCH)
    assert ledger.recorded_commits() == {sha(1): True, sha(2): True}
    front.fault("", times=0)
    ledger.record(BATCH)
    assert [row.commit.sha for row in ledger.versions(limit=9)] == [sha(2), sha(1)]
    assert len(state_at(ledger, WIDGET, 9)) == 2


@pytest.mark.parametrize(("fault", "told"), [("hang", "timed out"), ("cut", "did not answer")])
def test_a_fault_while_reading_is_for_later(
    front: RunningFront, ledger: ClickHouseLedger, fault: str, told: str
) -> None:
    ledger.record(BATCH)
    front.fault(fault, times=9, match="config_versions FINAL")
    with pytest.raises(RetryLater, match=told):
        ledger.recorded_commits()
    front.fault("", times=0)
    assert ledger.recorded_commits() == {sha(1): True, sha(2): True}


@pytest.mark.parametrize(("code", "told"), [(497, "does not let this login do that"), (62, "failed: .*Code: 62")])
def test_what_another_try_will_not_change_needs_a_human(
    front: RunningFront, ledger: ClickHouseLedger, code: int, told: str
) -> None:
    front.fault(f"code-{code}", match="INSERT")
    with pytest.raises(NeedsHuman, match=told):
        ledger.record(BATCH)


def test_a_server_without_tls_is_told_from_one_that_is_down(front: RunningFront) -> None:
    with pytest.raises(NeedsHuman, match="does not speak TLS") as caught:
        opened(front.url("x").replace("clickhouse://", "clickhouses://"))
    assert "clickhouses:// is TLS" in caught.value.hint


def test_a_refused_login_needs_a_human_and_keeps_the_password_to_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with running(tmp_path / "engine", user="ann", password=SECRET) as front:
        with opened(front.url("x", login="ann:s3%2Fcret@")) as ledger:
            ledger.prepare(KINDS)
            front.fault("refuse")
            with pytest.raises(RetryLater) as unlucky:
                ledger.recorded_commits()
        with pytest.raises(NeedsHuman, match=r"refused the login: \S") as wrong:
            opened(front.url("x", login=f"ann:not{SECRET.replace('/', '%2F')}@"))
    told = "".join("".join(traceback.format_exception(one.value)) + one.value.hint for one in (unlucky, wrong))
    for text in (told, caplog.text, *capfd.readouterr(), repr(vars(ledger))):
        assert SECRET not in text
        assert "s3%2Fcret" not in text


@pytest.mark.parametrize(
    "url", ["postgres://u:s3cret@h/db", "clickhouse://", "s3cret", "clickhouse://u:s3cret@h:x1/db", ""]
)
def test_a_url_that_names_nothing_is_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match=r"history\.url") as caught:
        opened(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
