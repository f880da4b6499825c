"""A page is a session: its commands are run in order, its edits made, its programs run, and their output compared.

`reconciler` runs in this process, all else in a shell; the tour is a process of its own, and runs once. A command
that is followed by `echo $?` may fail, with the code that is shown; every other one must succeed. Shas, moments and the
place of the repository differ from run to run: they are replaced by how many-th one of its kind it is. A line of `…`
stands for any lines. Each section starts in the folder of the checkout, as in a new terminal.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.commandline import reconciler
from tests.docs.markdown import Block, edit

PLACE = "/srv/desk"
CUT = "…"

TOUR = "reconciler demo"
OF_SHELLS = frozenset("|&;<>$`*?#~=(){}[]\\")
"""What no command holds that is run without a shell."""
PREFIXES = (".venv/bin/", ".venv\\Scripts\\")
VARYING = re.compile(
    r"\b[0-9a-f]{64}\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{8}\b(?!-)|(?P<moment>\b\d{4}-\d\d-\d\dT[\d:.]+Z)|(?P<duration>\d+\.\d+s)"
)


def normal(text: str) -> list[str]:
    """The lines of an output with what varies numbered; runs of blanks count as one, as shas make no column wider."""
    shas: dict[str, str] = {}

    def replaced(found: re.Match[str]) -> str:
        if found["moment"]:
            return "<moment>"
        return "<duration>" if found["duration"] else shas.setdefault(found.group()[:8], f"<sha {len(shas) + 1}>")

    return [re.sub(r" {2,}", "  ", VARYING.sub(replaced, line)).rstrip() for line in text.splitlines()]


def matches(told: list[str], real: list[str]) -> bool:
    """Whether the real lines are those told, each `…` standing for any number of lines."""
    pattern = "".join(r"(?:[^\n]*\n)*" if line == CUT else re.escape(line) + r"\n" for line in told)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in real)) is not None


@dataclass
class Terminal:
    """Somebody who reads a page and does what it says."""

    checkout: Path
    tour: str = ""
    not_run: frozenset[str] = frozenset()
    told: list[str] = field(default_factory=list)
    real: list[str] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    section: str = ""
    folder: Path = Path()
    code: int = 0
    shown: bool = True

    @property
    def place(self) -> str:
        return str(self.checkout.parent / "desk")

    def follow(self, block: Block) -> None:
        if block.section != self.section:
            self.section, self.folder = block.section, self.checkout
        match block.language:
            case "console":
                self._console(block.body)
            case "diff":
                edit(block).apply(self.folder)
            case "python":
                self._run([sys.executable, "-c", self._here(block.body)])
            case "text":
                self.told += block.body.splitlines()

    def finish(self) -> None:
        assert self.shown or self.code == 0, f"the last command exits with {self.code}, and the page does not say so"

    def _console(self, body: str) -> None:
        lines, running = body.splitlines(), True
        for line in lines:
            if line.startswith("$ "):
                running = line[2:] not in self.not_run
                if running:
                    self.told.append(line)
                    self._command(line[2:])
                else:
                    self.skipped.add(line[2:])
            elif running:
                self.told.append(line)

    def _command(self, command: str) -> None:
        self.real.append(f"$ {command}")
        if command == "echo $?":
            self.real.append(str(self.code))
            self.shown = True
        elif command.startswith("cd "):
            self.folder /= self._here(command[3:])
        else:
            for prefix in PREFIXES:
                command = command.removeprefix(prefix)
            self._start(self._here(command))

    def _start(self, command: str) -> None:
        words = [] if OF_SHELLS & set(command) else shlex.split(command)
        if command == TOUR:
            self._done(self.tour, 0)
        elif words[:1] == ["reconciler"]:
            said = reconciler(words[1:], self.folder, environment(self.checkout))
            self._done(said.both, said.code)
        else:
            self._run(["bash", "-c", command])

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment(self.checkout),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        self._done(done.stdout, done.returncode)

    def _done(self, output: str, code: int) -> None:
        self.finish()
        self.real += output.replace(self.place, PLACE).splitlines()
        self.code, self.shown = code, code == 0

    def _here(self, text: str) -> str:
        return text.replace(PLACE, self.place)


def environment(home: Path) -> dict[str, str]:
    """A trader's environment: a name for git, and the tools on the path."""
    people = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "Maren Holt"), ("EMAIL", "maren@desk.example"))
    }
    kept = {name: os.environ[name] for name in ("TMPDIR", "SYSTEMROOT") if name in os.environ}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {
        **kept,
        **people,
        "PATH": path,
        "LOGNAME": "maren",
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
    }
