"""The example repository: a copy to run a daemon on, and the tour, which really runs every command in it."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
import textwrap
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.adapters.bundled import find_example_repository
from reconciler.adapters.git.scratch import ScratchRepository
from reconciler.cli import output
from reconciler.cli.main import run
from reconciler.cli.output import Exit
from reconciler.errors import BugError
from reconciler.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


OPERATIONS = ("Maren Holt", "maren@desk.example")
RISK = ("Teo Alvarado", "teo@desk.example")
ACCOUNT = Path("accounts/cv-eurusd.yaml")
USER = Path("users/fx-majors-01.yaml")


class Tour:
    """A scratch copy of the example repository, described as it changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.copytree(find_example_repository(), folder, dirs_exist_ok=True)
        self._repository = ScratchRepository(folder)
        self._chapter = 0

    def chapter(self, title: str, text: str) -> None:
        """A heading and what is going to happen."""
        self._chapter += 1
        output.data(f"\n{click.style(f'{self._chapter}. {title}', bold=True)}")
        output.data(textwrap.fill(text, 100) + "\n")

    def edit(self, file: Path, old: str, new: str) -> None:
        """Change one line of a file, and show it as a reviewer sees it."""
        before = (self._folder / file).read_text(encoding="utf-8")
        if before.count(old) != 1:
            raise BugError(f"the example has changed: {file} does not hold {old!r} once")
        after = before.replace(old, new)
        (self._folder / file).write_text(after, encoding="utf-8")
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), file.as_posix(), n=0, lineterm=""):
            if not line.startswith(("---", "+++", "@@")):
                output.data("    " + output.change(f"{line[:1]} {line[1:].strip()}"))

    def commit(self, message: str, author: tuple[str, str]) -> None:
        """Commit what was changed."""
        self.show_command(f'git commit -am "{message}"')
        self._repository.commit(message, author)

    def run(self, *arguments: str, exits: Exit = Exit.OK) -> None:
        """Run a command as a user would, in the repository."""
        self.show_command(" ".join(("reconciler", *arguments)))
        code = run(arguments)
        if code != exits:
            raise BugError(f"the tour went wrong: exit code {code} instead of {int(exits)}")

    @staticmethod
    def show_command(command: str) -> None:
        """Show a command line."""
        output.data(click.style(f"$ {command}", fg="cyan"))


def take_tour() -> None:
    """Run the tour in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="reconciler-demo-") as folder, chdir(folder), _own_settings():
        _guide(Tour(Path(folder)))


@contextmanager
def _own_settings() -> Iterator[None]:
    """The settings of this host, which could lead to its real stores, do not count in the tour."""
    before = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    for name in before:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


def _guide(tour: Tour) -> None:
    tour.chapter(
        "Git is the only way in",
        "A desk keeps its MetaTrader 5 configuration as YAML: one file for each user, account, terminal and signal. "
        "The first commit goes live as rows that trading programs read.",
    )
    tour.commit("Bring the desk's configuration under review", OPERATIONS)
    tour.run("sync")
    tour.run("get", "accounts")
    tour.chapter(
        "A slip that costs money elsewhere",
        "The broker's site says 1:30, so that is what somebody types. Most YAML readers take that for the number 90: "
        "minutes and seconds in base 60. Here it is refused, with the place and what to write.",
    )
    tour.edit(ACCOUNT, "leverage: 30", "leverage: 1:30")
    tour.run("validate", exits=Exit.PROBLEMS)
    tour.commit("Write leverage as the broker does", OPERATIONS)
    tour.run("sync", exits=Exit.PROBLEMS)
    tour.show_command("# what is live has not moved")
    tour.run("get", "account", "cv-eurusd")
    tour.chapter(
        "A good change goes live",
        "The slip is mended, and risk is cut before the election week. One transaction: all of it or nothing.",
    )
    tour.edit(ACCOUNT, "leverage: 1:30", "leverage: 30")
    tour.edit(USER, "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")
    tour.commit("Cut risk on the majors for election week", RISK)
    tour.run("sync")
    tour.run("status")
    tour.chapter(
        "And nothing is forgotten",
        "Every commit is a version row in the history, the refused one too: who, when and what it changed.",
    )
    tour.run("log")
    output.data(
        "\nYours next: `reconciler init my-desk` starts a repository with files like these, rules and examples;\n"
        "`reconciler init --local my-desk` one for this machine alone, with a host beside it."
    )


CONFIG, STATE = "config", "state"
MAINTAINER = ("Maren Holt", "maren@desk.example")
FILE, FIELD, VALUES = "users/fx-majors-01.yaml", "risk_per_trade_percent", ("0.75", "0.5")
"""What a newcomer is told to change, from one of the values to the other."""


def prepare(folder: Path) -> Mapping[str, str]:
    """Make the copy a repository in `folder`, unless it is there; the settings that lead to it and its state folder."""
    config = folder / CONFIG
    if not (config / ".git").exists():
        shutil.copytree(find_example_repository(), config, dirs_exist_ok=True)
        repository = ScratchRepository(config)
        repository.commit("Bring the desk's configuration under review", MAINTAINER)
        repository.sign_as(MAINTAINER)
    return {"repository.url": str(config), "state.dir": str(folder / STATE)}


def advice(folder: Path, address: str, program: str) -> tuple[str, ...]:
    """What to look at, and a change to try: lines for people. `program` is how they start this one."""
    config = folder / CONFIG
    old, new = VALUES if f"{FIELD}: {VALUES[0]}" in (config / FILE).read_text(encoding="utf-8") else VALUES[::-1]
    change = f"sed -i.bak 's/{FIELD}: {old}/{FIELD}: {new}/' {config / FILE}"
    commit = f"git -C {config} commit -qam 'Set the risk on the majors to {new}'"
    look = f"{program} get user fx-majors-01 --repo {config} --state {folder / STATE}"
    return (
        f"the example is a git repository in {config}",
        f"the dashboard is at http://{address}",
        "in another terminal, change a value and watch it go live here:",
        f"  {change} && {commit}",
        f"  {look}",
        "^C ends it",
    )
