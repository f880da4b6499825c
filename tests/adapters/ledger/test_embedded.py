"""The embedded engine on its folder: locked, missing, damaged."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.clickhouse.ledger import ClickHouseLedger, open_ledger
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.ledger.connection import RecordedBranch
from tests.adapters.ledger.versions import sha, version
from tests.support.disks import tiny_disk
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
    with pytest.raises(NeedsHuman, match="cannot be opened"):
        opened(tmp_path)


def _is_left_alone(hint: str) -> bool:
    return "delete" not in hint and "keep it and sync" in hint and "host events and live intervals" in hint


def test_a_damaged_folder_needs_a_human(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    os.mkfifo(folder / "data")
    with pytest.raises(NeedsHuman, match="cannot be opened, it is damaged") as caught:
        opened(tmp_path)
    assert f"move {folder} aside" in caught.value.hint
    assert _is_left_alone(caught.value.hint)
    capfd.readouterr()


DAMAGES = {
    "a statement cut": ("metadata/*.sql", lambda file: os.truncate(file, file.stat().st_size // 2), "is damaged"),
    "a statement of garbage": ("store/*/*/*.sql", lambda file: file.write_bytes(b"\xff\0" * 90), "is damaged"),
    "a format cut": ("store/*/*/format_version.txt", lambda file: os.truncate(file, 0), "is damaged"),
    "values of garbage": (
        "store/*/*/all_*/data.bin",
        lambda file: file.write_bytes(random.Random(1).randbytes(file.stat().st_size)),
        "failed",
    ),
    "values cut": ("store/*/*/all_*/data.bin", lambda file: os.truncate(file, 50), ""),
    "no checksums": ("store/*/*/all_*/checksums.txt", lambda file: os.truncate(file, 9), ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_has_words_and_a_remedy(damage: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What the engine sets aside by itself is found missing, and recorded again."""
    pattern, spoil, words = DAMAGES[damage]
    with opened(tmp_path) as ledger:
        ledger.prepare(KINDS)
        ledger.record([version(1)])
    for file in sorted((tmp_path / "history").glob(pattern)):
        spoil(file)
    if words:
        with pytest.raises(NeedsHuman, match=words) as caught:
            _look(tmp_path)
        assert _is_left_alone(caught.value.hint)
        (tmp_path / "history").rename(tmp_path / "aside")
    _look(tmp_path)
    capfd.readouterr()


def _look(folder: Path) -> None:
    with opened(folder) as ledger:
        ledger.prepare(KINDS)
        if not ledger.recorded_commits():
            ledger.record([version(1)])
        assert list(ledger.recorded_commits()) == [sha(1)]
        assert ledger.versions(limit=2)


@pytest.mark.slow
def test_a_disk_that_refuses_is_no_damage(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with tiny_disk(tmp_path / "disk", 40_000) as disk:
        _look(disk.folder)
        disk.protect()
        with pytest.raises(NeedsHuman, match="its disk is read-only") as caught:
            _look(disk.folder)
        assert "let the disk be written again" in caught.value.hint
        disk.release()
        disk.fill()
        with pytest.raises(RetryLater, match="disk"):
            _record_much(disk.folder)
        disk.empty()
        _look_again(disk.folder)
    capfd.readouterr()


def _record_much(folder: Path) -> None:
    with opened(folder) as ledger:
        for _ in range(20):
            ledger.record([version(number) for number in range(2, 400)])


def _look_again(folder: Path) -> None:
    with opened(folder) as ledger:
        ledger.record([version(1)])
        assert sha(1) in ledger.recorded_commits()
