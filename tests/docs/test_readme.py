"""README.md is a session: its commands are run in order, its edits made, its programs run, and their output compared.

`reconciler` runs in this process, all else in a shell; the tour is a process of its own, and runs once. A command
that is followed by `echo $?` may fail, with the code that is shown; every other one must succeed. Shas, moments and the
place of the repository differ from run to run: they are replaced by how many-th one of its kind it is. A line of `…`
stands for any lines. Each section starts in the folder of the checkout, as in a new terminal.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docs.commandline import reconciler
from tests.docs.markdown import EXAMPLE, Block, blocks, edit, read
from tests.support.daemons import until

README = read("README.md")
PLACE = "/srv/desk"
CUT = "…"

NOT_RUN = frozenset(
    {
        "make run",  # its output is compared with that of the command it runs, below
        "make test",  # would run this test
        "python -m venv .venv",
        '.venv/bin/pip install ".[embedded]"',
        r'.venv\Scripts\pip install ".[embedded]"',
    }
)
TOUR = "reconciler demo"
OF_SHELLS = frozenset("|&;<>$`*?#~=(){}[]\\")
"""What no command holds that is run without a shell."""
PREFIXES = (".venv/bin/", ".venv\\Scripts\\")
VARYING = re.compile(
    r"\b[0-9a-f]{40}\b|\b[0-9a-f]{8}\b(?!-)|(?P<moment>\b\d{4}-\d\d-\d\dT[\d:.]+Z)|(?P<duration>\d+\.\d+s)"
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
    """Somebody who reads the README and does what it says."""

    checkout: Path
    tour: str
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
        assert self.shown or self.code == 0, f"the last command exits with {self.code}, and the README does not say so"

    def _console(self, body: str) -> None:
        lines, running = body.splitlines(), True
        for line in lines:
            if line.startswith("$ "):
                running = line[2:] not in NOT_RUN
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
            self.folder = Path(self._here(command[3:]))
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


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the tour prints, by the console script."""
    folder = tmp_path_factory.mktemp("tour")
    done = subprocess.run(
        TOUR.split(),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory, tour: str) -> Terminal:
    checkout = tmp_path_factory.mktemp("readme") / "checkout"
    shutil.copytree(EXAMPLE, checkout / "config-repo-example")
    return Terminal(checkout, tour)


@pytest.mark.slow
def test_the_session_of_the_readme(terminal: Terminal) -> None:
    for block in blocks(README):
        terminal.follow(block)
        told, real = normal("\n".join(terminal.told)), normal("\n".join(terminal.real))
        if block.language != "python":  # its output is the block after it
            assert matches(told, real), "\n".join(["told:", *told, "", "real:", *real])
    terminal.finish()
    assert sum(line.startswith("$ reconciler sync") for line in terminal.real) >= 3
    assert terminal.skipped == NOT_RUN, "a command of the list is not in the README any more"


@pytest.mark.slow
def test_make_run_shows_what_is_told(tmp_path: Path) -> None:
    """The daemon of `make run`; what it says to type in another terminal is typed there."""
    told = next(block.body for block in blocks(README, "console") if block.body.startswith("$ make run\n"))
    command = next(line for line in read("Makefile").splitlines() if "reconciler run" in line).partition("/")[2]
    assert f"\nrun: setup\n\t@$(BIN)/{command}\n" in read("Makefile")
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "reconciler").symlink_to(Path(sys.executable).with_name("reconciler"))
    said = _followed([f".venv/bin/{command.split()[0]}", *command.split()[1:]], tmp_path)
    place = re.compile(r"=\S+/\.run/config|(?<=127\.0\.0\.1:)\d+")
    real = normal(place.sub("", said))
    assert real.pop().endswith(" INFO  Stopping")
    assert sorted(real) == sorted(normal(place.sub("", told.partition("\n")[2])))


def _followed(command: list[str], folder: Path) -> str:
    """What a daemon on the example says, until what it told to type has gone live."""
    alone = {"RECONCILER_HTTP_LISTEN": "127.0.0.1:0", "RECONCILER_HISTORY_URL": "none", "RECONCILER_REDIS_URL": "none"}
    without = [one for one in os.environ["PATH"].split(os.pathsep) if not (Path(one) / "reconciler").exists()]
    around = {**environment(folder), **alone, "PATH": os.pathsep.join(without)}
    said = folder / "said"
    with said.open("wb") as stream:
        daemon = subprocess.Popen(command, cwd=folder, env=around, stderr=stream)
    try:
        until(lambda: said.read_text(encoding="utf-8").count(" Applied ") == 1, said.read_text)
        change, look = (line for line in said.read_text(encoding="utf-8").splitlines() if line.startswith("  "))
        subprocess.run(["bash", "-c", change], cwd=folder, env=around, capture_output=True, timeout=60, check=True)
        until(lambda: said.read_text(encoding="utf-8").count(" Applied ") == 2, said.read_text)
        shown = subprocess.run(
            ["bash", "-c", look], cwd=folder, env=around, capture_output=True, timeout=60, check=True
        )
        assert b"risk_per_trade_percent    0.5 percent\n" in shown.stdout
    finally:
        daemon.send_signal(signal.SIGINT)
        code = daemon.wait(60)
    assert code == 130
    return said.read_text(encoding="utf-8")


def recipe(target: str) -> list[str]:
    """The lines of a target of the Makefile that are run."""
    found = re.search(rf"^{target}:(?: .*)?\n((?:\t.*\n)+)", read("Makefile"), re.MULTILINE)
    assert found, target
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in found[1].splitlines()]


def test_make_test_runs_what_is_told() -> None:
    told = next(block.body for block in blocks(README, "console") if block.body.startswith("$ make test\n"))
    commands = [line for line in told.splitlines() if line.startswith(".venv/bin/")]
    *ruff, both_types, contracts = recipe("lint")
    assert both_types.endswith(" types types-of-windows")
    assert [*ruff, *recipe("types"), *recipe("types-of-windows"), contracts, *recipe("test")] == commands
    contracts = read("pyproject.toml").count("[[tool.importlinter.contracts]]")
    assert f"\nContracts: {contracts} kept, 0 broken.\n" in told


@pytest.mark.parametrize(
    ("told", "real", "same"),
    [
        ("live: 3cab8fd6\nhead: 3cab8fd6", "live: 11111111\nhead: 11111111", True),
        ("live: 3cab8fd6\nhead: 3cab8fd6", "live: 11111111\nhead: 22222222", False),
        ("a\n…\nc", "a\nb\nb\nc", True),
        ("a\n…\nc", "a\nb", False),
        ("a", "a\nb", False),
        ("user_id d7df3d7e-89aa-53ee", "user_id d7df3d7f-89aa-53ee", False),
        ("since 2026-11-22T17:04:50Z", "since 2027-01-01T00:00:00.5Z", True),
    ],
)
def test_how_outputs_are_compared(told: str, real: str, same: bool) -> None:
    assert matches(normal(told), normal(real)) is same
