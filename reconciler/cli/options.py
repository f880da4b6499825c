"""The global options. They may stand before the command or after it; what stands last counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler import settings
from reconciler.cli import output
from reconciler.report.escape import escape_line
from reconciler.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.service.context import Progress
    from reconciler.settings import Settings
    from reconciler.wiring.host import Host

F = TypeVar("F", bound="Callable[..., Any]")

SETTING_OF = {
    "repo": "repository.url",
    "branch": "repository.branch",
    "path": "repository.path",
    "state": "state.dir",
}


class Choice(click.Choice[str]):
    """One of some words; of another one the error says which may be meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """What the error says."""
        words = list(map(str, self.choices))
        return f"{value} is none of {', '.join(words)}{did_you_mean(str(value), words)}"


@dataclass(slots=True)
class Globals:
    """What was given on the command line so far; the only state that commands share."""

    config: Path | None = None
    flags: dict[str, str] = field(default_factory=dict)
    verbosity: int = 0
    utc: bool = False

    def settings(self) -> Settings:
        """The settings in force for this command."""
        return settings.load(self.config or settings.find_file(), self.flags)

    def settings_to_judge(self, is_brought: Callable[[Path, Settings], bool]) -> Settings:
        """The same for a command that judges files or commits: a settings file that these may bring does not count."""
        file = settings.find_file() if self.config is None else None
        if file is None:
            return self.settings()
        without = settings.load(None, self.flags)
        if not is_brought(file, without):
            return self.settings()
        place = escape_line(str(file.absolute()))
        self.say(f"warning: {place} does not count here: a change to what is judged could bring it")
        self.say(f"to let it count, name it: --config {file}; or set {settings.PREFIX}… variables")
        return without

    @property
    def branch(self) -> str | None:
        """The branch that was given for this command: a daemon does not know of it."""
        return self.flags.get(SETTING_OF["branch"])

    def host(self, progress: Progress | None = None) -> Host:
        """The host that the settings name; `progress` hears how far an operation in this process has come."""
        from reconciler.wiring.host import open_host

        return open_host(self.settings(), progress, self.warn)

    def say(self, text: str) -> None:
        """Print something that is worth knowing, unless `--quiet`."""
        if self.verbosity >= 0:
            output.note(text)

    def warn(self, text: str) -> None:
        """Print a note on what was done or answered otherwise than usual, also with `--quiet`."""
        output.note(f"note: {text}")

    def explain(self, text: str) -> None:
        """Print a detail, with `--verbose` only."""
        if self.verbosity > 0:
            output.note(text)


def _take(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    given = context.ensure_object(Globals)
    name = str(parameter.name)
    if not value:
        return
    if name == "config":
        given.config = Path(value)
    elif name == "utc":
        given.utc = True
    elif name in SETTING_OF:
        given.flags[SETTING_OF[name]] = str(value)
    else:
        given.verbosity = 1 if name == "verbose" else -1


def global_options(command: F) -> F:
    """Add the global options to a command."""
    option = partial(click.option, expose_value=False, callback=_take)
    options = (
        option("--config", metavar="FILE", help="Settings file (default: reconciler.toml here)."),
        option("--repo", metavar="PATH|URL", help="The config repository (default: the one around this folder)."),
        option("--branch", metavar="NAME", help="Branch to reconcile (default: the one checked out)."),
        option("--path", metavar="SUBFOLDER", help="Where in the repository the configuration begins."),
        option("--state", metavar="DIR", help="This host's state folder (default: inside the git folder)."),
        option("--utc", is_flag=True, help="Times in UTC and to the second on terminals, too."),
        option("-q", "--quiet", is_flag=True, help="Only errors on stderr."),
        option("-v", "--verbose", is_flag=True, help="Tell more on stderr."),
    )
    for add in reversed(options):
        command = add(command)
    return command


def paths_argument(command: F) -> F:
    """Add PATHs: the files and folders of a working tree that a command is about."""
    return click.argument("paths", nargs=-1, metavar="[PATH]…", type=click.Path(path_type=Path))(command)


def host_option(command: F) -> F:
    """Add `--host`, for questions to the history."""
    about = "What happened on this host (default: this one)."
    return click.option("--host", "on", metavar="NAME", help=about)(command)


def format_option(*formats: str) -> Callable[[F], F]:
    """Add `--format` with the formats a command knows; the first is its default. `-o` is the same, as in kubectl."""
    return click.option(
        "--format", "-o", "--output", "form", type=Choice(formats), default=formats[0], help="Output format."
    )
