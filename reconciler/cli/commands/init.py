"""The start of a config repository: `init`."""

from __future__ import annotations

import sys
from collections import Counter
from os import sep
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from reconciler.cli import output
from reconciler.cli.options import Choice, Globals, global_options
from reconciler.report.problems import plural
from reconciler.scaffold.repository import NewRepository, check_name, fit_name
from reconciler.wiring.newrepository import FIRST_COMMIT, begin_host, check_host, write_repository
from reconciler.wiring.scaffolding import bundled_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.scaffold.repository import RepositoryTemplate
    from reconciler.wiring.newrepository import StartedHost

PLATFORMS: Mapping[str, tuple[str, ...]] = {
    "github": ("github",),
    "gitlab": ("gitlab",),
    "both": ("github", "gitlab"),
    "none": (),
}
TEMPLATES = ("desk", "minimal")
DEFAULT_TEMPLATE = "minimal"
"""What is written where nobody can be asked."""


@click.command(short_help="start a config repository")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--template", type=Choice(TEMPLATES), help="What to start from (asked for, else minimal).")
@click.option("--name", metavar="NAME", help="What the desk is called (asked for, else as DIR).")
@click.option("--local/--forge", default=None, help="Whether all of it is on this machine (asked for, else not).")
@click.option("--ci", type=Choice(PLATFORMS), help="Where changes are checked (asked for, else both).")
@global_options
@click.pass_obj
def init(
    given: Globals, folder: Path, template: str | None, name: str | None, local: bool | None, ci: str | None
) -> None:
    """Write the files of a new config repository into DIR, and print their paths.

    DIR may be there and hold files: none of them is touched. It is put under git unless it is already. On a terminal
    it asks for what the options leave open. With --local it also makes what DIR pushes to, DIR.git, and the settings
    of a daemon on it, in DIR.host.
    """
    files = bundled_files()
    if sys.stdin.isatty() and sys.stderr.isatty():
        name = name or _ask("What is the desk called?", fit_name(folder.resolve().name))
        template = template or _ask_template(files.templates.templates)
        if local is None:
            local = _ask("On a forge, or on this machine alone?", "forge", ("forge", "local")) == "local"
        ci = ci or _ask("Where are changes checked?", "none" if local else "github", tuple(PLATFORMS))
    platforms = PLATFORMS[ci or ("none" if local else "both")]
    called = check_name(name or fit_name(folder.resolve().name))
    wanted = NewRepository(template or DEFAULT_TEMPLATE, called, platforms)
    if local:
        check_host(folder)
    made = write_repository(folder, wanted, lambda: str(uuid4()), files)
    _tell_files(folder, made.written)
    for path in made.kept:
        given.say(f"kept {folder / path}: it was there already")
    given.say(f"{folder} is a new git repository" if made.is_new else f"{folder} is inside a git repository already")
    if local:
        begun = begin_host(folder, files.templates.find_obeyed(wanted))
        for line in _advise_host(folder, begun, made.written if not made.is_new else ()):
            given.say(line)
        return
    given.say(f"next: reconciler validate{_repo_option(folder)}")
    given.say(f"      reconciler schema list{_repo_option(folder)}")


def _ask(question: str, default: str, choices: Sequence[str] = ()) -> str:
    kind = Choice(choices) if choices else None
    answer: str = click.prompt(question, default=default, type=kind, err=True)
    return answer


def _ask_template(templates: Mapping[str, RepositoryTemplate]) -> str:
    for name in TEMPLATES:
        click.echo(f"  {name:8} {templates[name].about}", err=True)
    return _ask("Start from which template?", TEMPLATES[0], TEMPLATES)


def _tell_files(folder: Path, written: Sequence[str]) -> None:
    """The paths; a person gets those of each folder in one line."""
    if not sys.stdout.isatty():
        for path in written:
            output.data(str(folder / path))
        return
    places = Counter(path.partition("/")[0] if "/" in path else "" for path in written)
    for place, number in sorted(places.items()):
        output.data(f"{folder / place}{sep if place else ''}  {plural(number, 'file')}")


def _advise_host(folder: Path, begun: StartedHost, uncommitted: Sequence[str]) -> Iterator[str]:
    """What was made beside the repository, and what to type next."""
    host = begun.host
    yield from (f"kept {path}: it was there already" for path in begun.kept)
    yield f"it pushes to {host.bare}"
    yield f"the host's settings are {begun.settings}"
    step = "next:"
    if begun.is_committed and uncommitted:
        yield f"{plural(len(uncommitted), 'new file')} in {folder} may not be committed yet: see git status"
    if not begun.is_committed:
        yield "git does not know who you are, so nothing is committed yet"
        yield f'next: cd "{host.folder}"'
        yield '      git config --global user.name "YOUR NAME"'
        yield "      git config --global user.email YOUR@ADDRESS"
        yield "      git add --all"
        yield f'      git commit -m "{FIRST_COMMIT}"'
        yield "      git push --set-upstream origin HEAD"
        step = "     "
    yield f'{step} cd "{host.home}"'
    yield "      reconciler run"
    yield f"then change a file in {folder}, git commit, git push: it is live"


def _repo_option(folder: Path) -> str:
    if folder == Path():
        return ""
    return f' --repo "{folder}"' if " " in str(folder) else f" --repo {folder}"
