"""The start of a config repository: `init`."""

from __future__ import annotations

import re
import shlex
import sys
from collections import Counter
from os import sep
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from reconciler.cli import output
from reconciler.cli.options import Choice, Globals, global_options
from reconciler.cli.output import Exit
from reconciler.report.problems import plural
from reconciler.scaffold.repository import PROGRAM_FOLDER, NewRepository, check_name, fit_name
from reconciler.wiring.newrepository import FIRST_COMMIT, check_folder, make_repository, plan_repository, resolve_folder
from reconciler.wiring.scaffolding import bundled_files
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.scaffold.repository import RepositoryTemplate
    from reconciler.wiring.newrepository import MadeRepository, PlannedRepository, StartedHost

PLATFORMS: Mapping[str, tuple[str, ...]] = {
    "github": ("github",),
    "gitlab": ("gitlab",),
    "both": ("github", "gitlab"),
    "none": (),
}
TEMPLATES = ("desk", "minimal")
DEFAULT_TEMPLATE = "minimal"
"""What is written where nobody can be asked."""
MAX_NAMED = 5
"""Files that are named in a line."""
MAX_LINES = 12
"""Of kept files; a person gets one line for more."""
_PLAIN = re.compile(r"[\w@%+=:,./\\-]+")
"""What no shell reads otherwise."""
_UNSAFE = frozenset('"$`!\\')
"""What POSIX shells read otherwise between double quotes."""


@click.command(short_help="start a config repository")
@click.argument("place", metavar="DIR", type=click.Path())
@click.option("--template", type=Choice(TEMPLATES), help="What to start from (asked for, else minimal).")
@click.option("--name", metavar="NAME", help="What the desk is called (asked for, else as DIR).")
@click.option("--local/--forge", default=None, help="Whether all of it is on this machine (asked for, else not).")
@click.option("--ci", type=Choice(PLATFORMS), help="Where changes are checked (asked for, else both).")
@global_options
@click.pass_obj
def init(
    given: Globals, place: str, template: str | None, name: str | None, local: bool | None, ci: str | None
) -> Exit:
    """Write the files of a new config repository into DIR, and print their paths.

    DIR may be there and hold files: none of them is touched. It is put under git unless it is already. On a terminal
    it asks for what the options leave open. With --local it also makes what DIR pushes to, DIR.git, and the settings
    of a daemon on it, in DIR.host.
    """
    folder, whole = Path(place), resolve_folder(place)
    files = bundled_files()
    if sys.stdin.isatty() and sys.stderr.isatty():
        check_folder(whole)
        name = name or _ask("What is the desk called?", fit_name(whole.name))
        template = template or _ask_template(files.templates.templates)
        if local is None:
            local = _ask("On a forge, or on this machine alone?", "forge", ("forge", "local")) == "local"
        ci = ci or _ask("Where are changes checked?", "none" if local else "github", tuple(PLATFORMS))
    platforms = PLATFORMS[ci or ("none" if local else "both")]
    called = check_name(name or fit_name(whole.name))
    wanted = NewRepository(template or DEFAULT_TEMPLATE, called, platforms)
    planned = plan_repository(whole, wanted, lambda: str(uuid4()), files, with_host=bool(local))
    if planned.obstacles:
        output.failures(planned.obstacles)
        return Exit.FAILED
    made = make_repository(planned)
    _tell_files(folder, tuple(planned.new))
    for line in _tell_rest(folder, planned, made):
        given.say(line)
    return Exit.OK


def _tell_rest(folder: Path, planned: PlannedRepository, made: MadeRepository) -> Iterator[str]:
    if planned.written:
        yield f"went on with {plural(len(planned.written), 'file')} that an earlier run has written"
    if sys.stderr.isatty() and len(planned.kept) > MAX_LINES:
        yield f"kept {plural(len(planned.kept), 'file')} that were there already"
    else:
        yield from (f"kept {folder / path}: it was there already" for path in planned.kept)
    yield from (f"removed {folder / path}: an older version of the program" for path in planned.replaced)
    if len(wheels := [path for path in planned.kept if path.startswith(f"{PROGRAM_FOLDER}/")]) > 1:
        yield f"{folder / PROGRAM_FOLDER} has {len(wheels)} versions of the program, and pip takes one: remove others"
    shown = folder if folder.name else planned.place.folder
    yield f"{shown} is a new git repository" if made.is_new else f"{shown} is inside a git repository already"
    if made.host is not None:
        yield from _advise_host(shown, made.host, planned)
        return
    yield f"next: reconciler validate{_repo_option(folder)}"
    yield f"      reconciler schema list{_repo_option(folder)}"


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


def _advise_host(folder: Path, begun: StartedHost, planned: PlannedRepository) -> Iterator[str]:
    """What was made beside the repository, and what to type next."""
    host = begun.host
    yield from (f"kept {path}: it was there already" for path in begun.kept)
    if begun.is_begun and planned.new:
        yield f"{plural(len(planned.new), 'new file')} in {folder} may not be committed yet: see git status"
    elif begun.is_committed and begun.uncommitted:
        yield f"not committed, as init did not write it: {list_words(begun.uncommitted, MAX_NAMED)}"
    yield f"it pushes to {host.bare}"
    if begun.is_committed and not begun.is_pushed:
        yield f"{host.bare} has other commits of {host.branch}: see git fetch, git status"
    yield f"the host's settings are {begun.settings}"
    step = "next:"
    if not begun.is_committed:
        why = "git does not know who you are" if begun.is_staged else "none of the files is of this init"
        yield f"{why}, so nothing is committed yet"
        yield f"next: cd {_quote(host.folder)}"
        if begun.is_staged:
            yield '      git config --global user.name "YOUR NAME"'
            yield "      git config --global user.email YOUR@ADDRESS"
        else:
            yield "      git add FILE…"
        yield f'      git commit -m "{FIRST_COMMIT}"'
        yield "      git push --set-upstream origin HEAD"
        step = "     "
    yield f"{step} cd {_quote(host.home)}"
    yield "      reconciler run"
    yield f"then git commit and git push a change in {folder}; status says when it is live"


def _quote(path: str) -> str:
    """A path as an argument of a shell."""
    return shlex.quote(path) if _UNSAFE.intersection(path) and sys.platform != "win32" else f'"{path}"'


def _repo_option(folder: Path) -> str:
    if folder == Path():
        return ""
    path = str(folder)
    return f" --repo {path if _PLAIN.fullmatch(path) else _quote(path)}"
