"""Reading the log while it is written, rotated, emptied and deleted: every line once, in order."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.adapters.logfile import KEPT_FILES
from reconciler.adapters.logreading import BLOCK, MAX_LINE, LogFiles


def everything(line: bytes) -> bool:
    return True


class Writer:
    """Writes numbered lines, and rotates as the daemon does."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "x.jsonl"
        self.numbers = count()
        self.written: list[bytes] = []

    def write(self, lines: int = 1) -> None:
        with self.file.open("ab") as file:
            for _ in range(lines):
                self.written.append(b"%d" % next(self.numbers))
                file.write(self.written[-1] + b"\n")

    def rotate(self) -> None:
        for number in range(KEPT_FILES - 1, 0, -1):
            older = self.file.with_name(f"{self.file.name}.{number}")
            if older.exists():
                older.replace(self.file.with_name(f"{self.file.name}.{number + 1}"))
        if self.file.exists():
            self.file.replace(self.file.with_name(f"{self.file.name}.1"))


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


@given(
    st.lists(st.lists(st.sampled_from(["write", "rotate", "half"]), max_size=6), max_size=5),
    st.integers(0, 5),
    st.integers(0, 8),
)
def test_whoever_follows_sees_each_line_once(looks: list[list[str]], before: int, lines: int) -> None:
    with TemporaryDirectory() as folder:
        writer = Writer(Path(folder))
        writer.write(before)
        files = LogFiles(writer.file)
        seen = files.last_lines(lines, everything)
        assert seen == (writer.written[-lines:] if lines else [])
        expected = len(writer.written) - len(seen)
        for actions in looks:
            rotations = 0
            for action in actions:
                if action == "rotate" and rotations < KEPT_FILES - 1 and writer.file.exists():
                    writer.rotate()
                    rotations += 1
                elif action == "half" and writer.file.exists():
                    with writer.file.open("ab") as file:
                        file.write(b"half of ")
                        file.flush()
                        seen += files.new_lines()
                        writer.written.append(b"half of a line")
                        file.write(b"a line\n")
                else:
                    writer.write()
            seen += files.new_lines()
        assert seen == writer.written[expected:]


def test_the_last_lines_come_from_as_many_files_as_it_takes(writer: Writer) -> None:
    for _ in range(3):
        writer.write(4)
        writer.rotate()
    assert LogFiles(writer.file).last_lines(6, everything) == writer.written[-6:]
    assert LogFiles(writer.file).last_lines(100, everything) == writer.written
    assert LogFiles(writer.file).last_lines(2, lambda line: line.endswith(b"1")) == [b"1", b"11"]


def test_lines_longer_than_what_is_read_at_once_are_whole_and_endless_ones_are_cut(writer: Writer) -> None:
    lines = [b"a" * (BLOCK + 1), b"b" * (3 * BLOCK), b"c"]
    writer.file.write_bytes(b"\n".join(lines) + b"\n")
    assert LogFiles(writer.file).last_lines(9, everything) == lines
    writer.file.write_bytes(b"x" * (2 * MAX_LINE) + b"\ny\n")
    first, last = LogFiles(writer.file).last_lines(9, everything)
    assert (len(first) <= MAX_LINE + BLOCK, last) == (True, b"y")


def test_a_log_that_begins_later_is_read_from_its_beginning(writer: Writer) -> None:
    files = LogFiles(writer.file)
    assert not files.exist()
    assert files.last_lines(5, everything) == list(files.new_lines()) == []
    writer.write(2)
    assert list(files.new_lines()) == writer.written


def test_half_a_line_is_shown_once_its_file_is_no_longer_written(writer: Writer) -> None:
    writer.write()
    files = LogFiles(writer.file)
    files.last_lines(0, everything)
    with writer.file.open("ab") as file:
        file.write(b"half")
    assert list(files.new_lines()) == []
    writer.rotate()
    writer.write()
    assert list(files.new_lines()) == [b"half", b"1"]


@pytest.mark.parametrize("gone", [Path.unlink, lambda file: file.write_bytes(b"")], ids=["deleted", "emptied"])
def test_a_log_that_somebody_takes_away_is_followed_on(writer: Writer, gone: object) -> None:
    writer.write(3)
    files = LogFiles(writer.file)
    files.last_lines(0, everything)
    gone(writer.file)  # type: ignore[operator]
    writer.write()
    assert list(files.new_lines()) == writer.written[3:]
