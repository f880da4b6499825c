"""GitHub Actions as a job sees it: workflow commands on stdout, outputs, the job's summary, and the event.

The forms are those of docs.github.com, "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


@dataclass(frozen=True, slots=True)
class Actions:
    """The runner around this job."""

    environ: Mapping[str, str]

    def event(self) -> dict[str, Any]:
        """What started the workflow; empty outside of one."""
        place = self.environ.get("GITHUB_EVENT_PATH", "")
        told: dict[str, Any] = json.loads(Path(place).read_text(encoding="utf-8")) if place else {}
        return told

    def folder(self) -> Path:
        """A new folder that is there until the job ends."""
        return Path(tempfile.mkdtemp(prefix="reconciler-", dir=self.environ.get("RUNNER_TEMP") or None))

    def annotate(self, level: str, message: str, title: str = "reconciler") -> None:
        """An annotation without a place: `error`, `warning` or `notice`."""
        self.say(f"::{level} title={title.translate(_PROPERTY)}::{message.translate(_DATA)}")

    def say(self, text: str) -> None:
        """Lines that may hold workflow commands, and mean them."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def show(self, title: str, text: str) -> None:
        """Lines of other people's making, folded: what looks like a workflow command in them does nothing."""
        token = secrets.token_hex(16)
        self.say(f"::group::{title}\n::stop-commands::{token}\n{text.rstrip()}\n::{token}::\n::endgroup::")

    def output(self, name: str, value: object) -> None:
        """An output of the step."""
        mark = f"end-{secrets.token_hex(8)}"
        self._append("GITHUB_OUTPUT", f"{name}<<{mark}\n{value}\n{mark}\n")

    def summarise(self, markdown: str) -> None:
        """A part of the job's summary."""
        self._append("GITHUB_STEP_SUMMARY", f"{markdown.rstrip()}\n\n")

    def _append(self, variable: str, text: str) -> None:
        if place := self.environ.get(variable):
            with Path(place).open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.write(text)
