"""The log file: its size, its rotation while it runs, disks that are full or read-only, and who deletes it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.logfile import KEPT_FILES
from tests.adapters.logs.conftest import Opened
from tests.support.disks import tiny_disk
from tests.support.patience import DEADLINE

if TYPE_CHECKING:
    from typing import Any

ROOT = Path(__file__).parents[3]


def _numbers(opened: Opened) -> list[int]:
    """The numbers in all files, from the oldest line on."""
    folder = opened.log.file.parent
    names = [f"{opened.log.file.name}.{number}" for number in range(KEPT_FILES + 3, 0, -1)] + [opened.log.file.name]
    texts = [(folder / name).read_text(encoding="utf-8") for name in names if (folder / name).exists()]
    return [json.loads(line)["number"] for text in texts for line in text.splitlines()]


def _say(opened: Opened, *numbers: int) -> None:
    for number in numbers:
        opened.log.events.event("Said", "x" * 100, number=number)


def _sizes(opened: Opened) -> list[int]:
    return [file.stat().st_size for file in opened.log.file.parent.iterdir()]


def test_it_is_rotated_and_bounded(opened: Opened) -> None:
    opened.log.set_max_size(1000)
    _say(opened, *range(200))
    assert len(_sizes(opened)) == KEPT_FILES + 1
    assert max(_sizes(opened)) <= 1000
    kept = _numbers(opened)
    assert kept == list(range(200 - len(kept), 200))
    assert len(kept) > 20


def test_the_size_is_obeyed_without_a_restart(opened: Opened) -> None:
    _say(opened, *range(30))
    assert len(_sizes(opened)) == 1
    opened.log.set_max_size(2000)
    _say(opened, 30)
    assert len(_sizes(opened)) == 2
    assert opened.log.file.stat().st_size < 300
    opened.log.set_max_size(1_000_000)
    _say(opened, *range(31, 100))
    assert len(_sizes(opened)) == 2
    assert _numbers(opened) == list(range(100))


def test_a_line_longer_than_the_file_may_be_stands_alone(opened: Opened) -> None:
    opened.log.set_max_size(50)
    _say(opened, 1, 2)
    assert _numbers(opened) == [1, 2]
    assert len(_sizes(opened)) == 2


def test_a_new_process_goes_on(tmp_path: Path) -> None:
    for number in range(2):
        opened = Opened(tmp_path)
        with opened.log:
            _say(opened, number)
    assert _numbers(opened) == [0, 1]


def test_half_a_line_of_one_who_was_killed_spoils_no_other(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.log.file.parent.mkdir(parents=True)
    opened.log.file.write_text('{"time": "20', encoding="utf-8")
    with opened.log:
        _say(opened, 7)
    half, whole = opened.log.file.read_text(encoding="utf-8").splitlines()
    assert half == '{"time": "20'
    assert json.loads(whole)["number"] == 7


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_it_comes_back_when_somebody_deletes_it(opened: Opened) -> None:
    _say(opened, 1)
    opened.log.file.unlink()
    opened.log.file.parent.rmdir()
    _say(opened, 2)
    assert _numbers(opened) == [2]


def test_many_threads_lose_and_mix_nothing(opened: Opened) -> None:
    opened.log.set_max_size(100_000)
    threads = [threading.Thread(target=_say, args=(opened, *range(start, start + 100))) for start in range(0, 800, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert sorted(_numbers(opened)) == list(range(800))


def test_rotating_that_is_refused_loses_no_line_and_is_bounded(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "The process cannot access the file because it is being used by another process")

    opened.log.set_max_size(1000)
    _say(opened, 0)
    with monkeypatch.context() as windows:
        windows.setattr(Path, "replace", refuse)
        _say(opened, *range(1, 100))
        assert len(_sizes(opened)) == 1
        assert 1000 < opened.log.file.stat().st_size <= 2000
        assert "being used by another process" in opened.log.trouble
    kept = _numbers(opened)
    _say(opened, 100)
    assert _numbers(opened) == [*kept, 100]
    assert opened.log.trouble == ""


def test_a_full_disk_is_told_once_and_survived(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk") as disk:
        opened = Opened(disk.folder)
        with opened.log:
            _say(opened, 0)
            disk.fill()
            _say(opened, *range(1, 50))
            assert "no space left" in opened.log.trouble
            whole = [json.loads(line) for line in opened.log.file.read_text(encoding="utf-8").splitlines()]
            assert opened.log.file.read_bytes().endswith(b"\n")
            disk.empty()
            _say(opened, 50)
            assert opened.log.trouble == ""
        told = [line for line in opened.console() if "Said" not in line]
        assert len(told) == 2
        assert "cannot write the log" in told[0]
        assert f"{50 - len(whole)} lines are missing" in told[1]
        assert _numbers(opened) == [*range(len(whole)), 50]
        assert len([line for line in opened.console() if "Said" in line]) == 51


def test_a_read_only_disk_is_told_once_and_survived(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk") as disk:
        disk.protect()
        opened = Opened(disk.folder)
        with opened.log:
            _say(opened, 1, 2)
            assert "read-only file system" in opened.log.trouble
            disk.release()
            _say(opened, 3)
        assert _numbers(opened) == [3]
        assert sum("cannot write the log" in line for line in opened.console()) == 1


LIMITED = """
import resource, sys
from pathlib import Path
from tests.adapters.logs.conftest import Opened
opened = Opened(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with opened.log:
    for number in range(50):
        opened.log.events.event("Said", "x" * 100, number=number)
print(opened.log.trouble)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")
def test_a_write_that_stops_in_the_middle_leaves_no_half_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "file too large" in done.stdout
    text = (tmp_path / "log" / "reconciler.jsonl").read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert [json.loads(line)["number"] for line in text.splitlines()] == list(range(5))
