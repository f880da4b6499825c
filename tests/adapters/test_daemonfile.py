"""`daemon.json`: where a daemon listens, for its owner only, and nothing once that daemon is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from reconciler.adapters.daemonfile import Daemon, announced, find, new_token
from reconciler.adapters.files import retry_while_read
from reconciler.adapters.processes import UNKNOWN, birth
from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS = "127.0.0.1:8642"
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP) as started:
        yield started
        started.kill()


def test_it_is_there_while_the_daemon_is(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    with announced(tmp_path, ADDRESS, "secret"):
        assert find(tmp_path) == Daemon(os.getpid(), ADDRESS, "secret")
        said = json.loads((tmp_path / "daemon.json").read_text(encoding="utf-8"))
        assert (said["pid"], said["address"], said["token"]) == (os.getpid(), ADDRESS, "secret")
    assert list(tmp_path.iterdir()) == []
    assert find(tmp_path) is None


def test_it_is_gone_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), announced(tmp_path, ADDRESS, "secret"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes: the folder's access list counts")
def test_only_its_owner_reads_it_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        modes.append(self.stat().st_mode & 0o777)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    before = os.umask(0)
    try:
        with announced(tmp_path, ADDRESS, "secret"):
            modes.append((tmp_path / "daemon.json").stat().st_mode & 0o777)
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600]


def test_the_token_shows_in_no_repr() -> None:
    assert "secret" not in repr(Daemon(1, ADDRESS, "secret"))


def test_tokens_are_long_and_differ() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43


def test_what_a_killed_daemon_left_is_nothing(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    mark = birth(process.pid)
    _say(tmp_path, process.pid, mark)
    assert find(tmp_path) == Daemon(process.pid, ADDRESS, "secret")
    process.kill()
    process.wait(5)
    assert find(tmp_path) is None


def test_a_process_with_the_same_id_is_another_one(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    mark = birth(process.pid)
    assert mark
    _say(tmp_path, process.pid, f"{mark}0")
    assert find(tmp_path) is None


def test_a_system_that_tells_no_beginnings_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "no-proc"))
    assert birth(os.getpid()) == UNKNOWN
    with announced(tmp_path, ADDRESS, "secret"):
        monkeypatch.undo()
        assert find(tmp_path) is not None


def test_a_beginning_is_one_of_one_process(process: subprocess.Popen[bytes]) -> None:
    assert birth(os.getpid()) == birth(os.getpid())
    assert birth(os.getpid()) != birth(process.pid)
    assert birth(2**22 + 1) is None
    assert birth(2**70) is None


def test_a_beginning_stays_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    before, boot_time = birth(os.getpid()), psutil.boot_time
    moved = boot_time() + 3600
    monkeypatch.setattr(psutil, "boot_time", lambda: moved)
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: moved)
    assert birth(os.getpid()) == before


def test_a_newer_daemon_keeps_its_file(tmp_path: Path) -> None:
    with announced(tmp_path, ADDRESS, "old"):
        _say(tmp_path, os.getpid(), birth(os.getpid()), token="new")
    assert find(tmp_path) == Daemon(os.getpid(), ADDRESS, "new")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "{}", '{"pid": 1}', "\xff"),
        *(f'{{"pid": {pid}, "began": "", "address": "a", "token": "t"}}' for pid in ('"1"', "-1", "0", "null")),
    ],
)
def test_what_is_no_announcement_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "daemon.json").write_text(text, encoding="latin-1")
    assert find(tmp_path) is None


def test_a_folder_that_cannot_be_written_needs_a_human(tmp_path: Path) -> None:
    with pytest.raises(NeedsHuman, match="cannot write"), announced(tmp_path / "missing", ADDRESS, "secret"):
        pass
    assert not (tmp_path / "missing").exists()


def test_a_file_that_may_not_be_read_needs_a_human(tmp_path: Path) -> None:
    (tmp_path / "daemon.json").mkdir()
    with pytest.raises(NeedsHuman, match="cannot read"):
        find(tmp_path)
    with pytest.raises(NeedsHuman, match="cannot write"), announced(tmp_path, ADDRESS, "secret"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["daemon.json"], "nothing is left beside it"


def test_windows_readers_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def held() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise PermissionError

    with pytest.raises(PermissionError):
        retry_while_read(held)
    monkeypatch.setattr(sys, "platform", "win32")
    tries.clear()
    retry_while_read(held)
    assert len(tries) == 3


def _say(state: Path, pid: int, began: str | None, token: str = "secret") -> None:
    said = {"pid": pid, "began": began, "address": ADDRESS, "token": token}
    (state / "daemon.json").write_text(json.dumps(said), encoding="utf-8")
