"""One daemon per state folder, with real processes that are really killed."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import lock_descriptor

from reconciler.adapters import lock
from reconciler.adapters.lock import DAEMON_FILE, LOCK_FILE, find_holder, find_stale_files, hold_folder
from reconciler.errors import NeedsHuman, RetryLater
from tests.support.disks import Disk, tiny_disk
from tests.support.kinds import FixedClock

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
HOLDING = """
import sys, time
from pathlib import Path
from reconciler.adapters.machine import SystemClock
from reconciler.adapters.lock import hold_folder
with hold_folder(Path(sys.argv[1]), SystemClock(), "reconciler run --state x") as trouble:
    print(trouble or "held", flush=True)
    sys.stdin.read()
print("done", flush=True)
"""


class Other:
    """A process that holds a folder until its input ends, or until it is killed."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDING, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline().strip()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=30)

    def stop(self) -> None:
        self.process.communicate("", timeout=30)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Other]:
    """A process that holds `tmp_path/state`."""
    started = Other(tmp_path / "state")
    yield started
    started.kill()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for what will not come."""
    monkeypatch.setattr(lock, "LOCK_PAUSE", 0.001)


def test_a_second_one_hears_who_holds_it(tmp_path: Path, other: Other) -> None:
    folder = tmp_path / "state"
    daemon = {"pid": other.process.pid, "address": "http://127.0.0.1:8642", "token": "not-for-messages"}
    (folder / DAEMON_FILE).write_text(json.dumps(daemon), encoding="utf-8")
    with pytest.raises(RetryLater) as refused, hold_folder(folder, FixedClock(), "reconciler run"):
        pass
    told = str(refused.value)
    assert f"process {other.process.pid}, since 20" in told
    assert "at http://127.0.0.1:8642 (reconciler run --state x)" in told
    assert "not-for-messages" not in told
    assert "--state" in refused.value.hint
    second = Other(folder)
    assert second.said == ""
    second.kill()


def test_nobody_in_this_process_gets_it_either(tmp_path: Path) -> None:
    with hold_folder(tmp_path, FixedClock(), "a"):
        with (
            pytest.raises(RetryLater, match=f"process {os.getpid()}, since 2026"),
            hold_folder(tmp_path, FixedClock(), "b"),
        ):
            pass
        assert find_holder(tmp_path) is not None
    assert find_holder(tmp_path) is None


def test_the_address_of_another_process_is_not_the_holders(tmp_path: Path) -> None:
    (tmp_path / DAEMON_FILE).write_text('{"pid": 1, "address": "http://elsewhere"}', encoding="utf-8")
    with hold_folder(tmp_path, FixedClock(), "a"):
        found = find_holder(tmp_path)
    assert found is not None
    assert (found.pid, found.command, found.address) == (os.getpid(), "a", None)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal")
def test_after_kill_9_nothing_has_to_be_mended(tmp_path: Path, other: Other) -> None:
    folder = tmp_path / "state"
    pid = other.process.pid
    assert find_holder(folder) is not None
    other.kill()
    assert json.loads((folder / LOCK_FILE).read_text(encoding="utf-8"))["pid"] == pid
    assert find_holder(folder) is None
    assert find_stale_files(folder) == (LOCK_FILE,)
    with hold_folder(folder, FixedClock(), "next") as trouble:
        assert trouble == ""
        assert json.loads((folder / LOCK_FILE).read_text(encoding="utf-8"))["command"] == "next"
    assert find_stale_files(folder) == ()


def test_what_is_written_is_read_behind_the_locked_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "FIRST_READABLE", 1)  # as on Windows
    with hold_folder(tmp_path, FixedClock(), "a"):
        found = find_holder(tmp_path)
    assert found is not None
    assert (found.pid, found.command) == (os.getpid(), "a")


def test_a_longer_name_before_leaves_nothing_of_itself(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text('{"pid": 1, "command": "' + "x" * 5000 + '"}\n', encoding="utf-8")
    with hold_folder(tmp_path, FixedClock(), "short"):
        assert str(find_holder(tmp_path)).endswith("(short)")


@pytest.mark.skipif(os.name == "nt", reason="children inherit no descriptor there")
def test_a_child_of_the_daemon_does_not_hold_it(tmp_path: Path) -> None:
    with hold_folder(tmp_path, FixedClock(), "a"):
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    with hold_folder(tmp_path, FixedClock(), "b"):
        pass
    child.communicate(b"", timeout=30)


def test_whoever_only_asks_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / LOCK_FILE).touch()
    fd = os.open(tmp_path / LOCK_FILE, os.O_RDWR)
    assert lock_descriptor(fd, blocking=False)
    waits: list[float] = []

    def let_go(seconds: float) -> None:
        waits.append(seconds)
        os.close(fd)

    monkeypatch.setattr(time, "sleep", let_go)
    with hold_folder(tmp_path, FixedClock(), "a"):
        assert waits == [lock.LOCK_PAUSE]


def test_a_folder_deleted_between_opening_and_locking_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "state"

    def delete_first(fd: int, *, blocking: bool) -> bool:
        monkeypatch.setattr(lock, "lock_descriptor", lock_descriptor)
        (folder / LOCK_FILE).unlink()
        return lock_descriptor(fd, blocking=blocking)

    monkeypatch.setattr(lock, "lock_descriptor", delete_first)
    with hold_folder(folder, FixedClock(), "a"):
        assert find_holder(folder) is not None


@pytest.mark.skipif(os.name == "nt", reason="modes say nothing there")
def test_only_its_owner_may_look(tmp_path: Path) -> None:
    with hold_folder(tmp_path / "new" / "state", FixedClock(), "a"):
        assert stat.S_IMODE((tmp_path / "new" / "state").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "new" / "state" / LOCK_FILE).stat().st_mode) == 0o600


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(NeedsHuman, match=r"cannot use .*daemon\.lock"),
        hold_folder(tmp_path / "file", FixedClock(), "a"),
    ):
        pass


def test_a_read_only_disk_is_told(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk") as disk:
        _hold_once(disk)
        disk.protect()
        with pytest.raises(NeedsHuman, match="read-only file system") as refused:
            _hold_once(disk)
        assert "writable" in refused.value.hint


def test_a_full_disk_keeps_nobody_from_starting(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk") as disk:
        (disk.folder / LOCK_FILE).touch()
        disk.fill()
        with hold_folder(disk.folder, FixedClock(), "a") as trouble:
            assert trouble == "cannot write daemon.lock: no space left on device"
            assert str(find_holder(disk.folder)).startswith("another process, which could not write down")
        disk.empty()
        with hold_folder(disk.folder, FixedClock(), "a") as trouble:
            assert trouble == ""


def _hold_once(disk: Disk) -> None:
    with hold_folder(disk.folder, FixedClock(), "a"):
        pass
