"""Small disks of their own, to be filled or made read-only: nothing else stops root from writing."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Disk:
    """A file system of a few kilobytes in memory."""

    folder: Path

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.folder / "filler").open("ab", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while file.write(b"x" * size):
                        pass
                except OSError:
                    continue

    def empty(self) -> None:
        """Take away what filled it."""
        (self.folder / "filler").unlink()

    def protect(self) -> None:
        """Let nothing be written."""
        _run("mount", "-o", "remount,ro", str(self.folder))

    def release(self) -> None:
        """Let it be written again."""
        _run("mount", "-o", "remount,rw", str(self.folder))


@contextmanager
def tiny_disk(folder: Path, kilobytes: int = 64) -> Iterator[Disk]:
    """Mount a disk of that size; a test that may not mount anything is skipped."""
    folder.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a disk")
    try:
        yield Disk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)
