"""The embedded engine on its folder: locked, missing, damaged."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.clickhouse.ledger import ClickHouseLedger, open_ledger
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.ledger.connection import RecordedBranch
from tests.adapters.ledger.versions import sha, version
from tests.support.fronts import running
from tests.support.kinds import KINDS, FixedClock

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT_CHDB = """
import sys
from pathlib import Path
sys.modules["chdb"] = None
from reconciler.adapters.clickhouse.ledger import open_ledger
from reconciler.errors import NeedsHuman
from reconciler.ledger.connection import RecordedBranch
try:
    open_ledger("chdb", Path(sys.argv[1]), RecordedBranch("origin", "main"), None)
except NeedsHuman as error:
    print(f"{error}\\n{error.hint}")
"""


def opened(folder: Path) -> ClickHouseLedger:
    return open_ledger("chdb", folder, RecordedBranch("origin", "main"), FixedClock())


def test_the_history_outlives_its_engine_and_is_its_owners_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        ledger.prepare(KINDS)
        ledger.record([version(1)])
    with opened(tmp_path) as ledger:
        assert sha(1) in ledger.recorded_commits([sha(1)])
    assert stat.S_IMODE((tmp_path / "history").stat().st_mode) == 0o700


def test_two_ledgers_of_one_process_share_the_engine(tmp_path: Path) -> None:
    with opened(tmp_path) as one, opened(tmp_path) as other:
        one.prepare(KINDS)
        one.record([version(1)])
        assert sha(1) in other.recorded_commits([sha(1)])


def test_a_folder_that_another_process_uses_is_for_later(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path / "history") as front:
        with pytest.raises(RetryLater, match=f"in use by process {front.process.pid}$"):
            opened(tmp_path)
        assert capfd.readouterr().err == ""
    with opened(tmp_path) as ledger:
        assert ledger.recorded_commits() == {}


def test_without_the_engine_the_message_says_what_to_install(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_CHDB, str(tmp_path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.startswith("the embedded history engine (chDB) is not installed\n")
    assert 'pip install "reconciler[embedded]"' in told


def test_a_folder_that_cannot_be_made_needs_a_human(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("not a folder")
    with pytest.raises(NeedsHuman, match="cannot be made"):
        opened(tmp_path)


def test_a_damaged_folder_needs_a_human(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    os.mkfifo(folder / "data")
    with pytest.raises(NeedsHuman, match="cannot be opened") as caught:
        opened(tmp_path)
    assert "can be deleted" in caught.value.hint
    capfd.readouterr()
