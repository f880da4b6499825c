"""A log in a temporary folder, and what it wrote."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.log import DaemonLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Opened:
    """A log that is open, its stream, and its lines."""

    def __init__(self, folder: Path) -> None:
        self.stream = io.StringIO()
        self.log = DaemonLog(folder, self.stream)

    def lines(self) -> list[dict[str, Any]]:
        """What stands in the file."""
        return [json.loads(line) for line in self.log.file.read_text(encoding="utf-8").splitlines()]

    def console(self) -> list[str]:
        """What was written to the stream."""
        return self.stream.getvalue().splitlines()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """A log at level INFO."""
    found = Opened(tmp_path / "state")
    with found.log:
        yield found
