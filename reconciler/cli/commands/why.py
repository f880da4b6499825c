"""Why things are as they are: `why`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli import completion, output, results
from reconciler.cli.options import format_option, global_options
from reconciler.cli.output import Exit
from reconciler.report.why import commit_lines, is_waiting, next_lines, resource_lines
from reconciler.service.why import Why

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.cli.options import Globals


@click.command(short_help="why it is not live, or has this value")
@click.argument("what", metavar="COMMIT|KIND", shell_complete=completion.kinds)
@click.argument("name", required=False, shell_complete=completion.names)
@click.argument("field", required=False)
@format_option("text", "json")
@global_options
@click.pass_obj
def why(given: Globals, /, what: str, name: str | None, field: str | None, form: str) -> Exit:
    """Say why a COMMIT is not live, or why a resource, of a KIND and with a NAME, has its values.

    Of a commit: what became of it on this host, what refused or holds it, and what to do. Of a resource: who set each
    field, since when it is live here, what waits, and what something else changed. With FIELD, that one alone.
    """
    host, moments = given.host(), output.read_moments(form, utc=given.utc)
    if name is None:
        commit = host.ask(Why.commit, what)
        if form == "json":
            results.answer(commit)
        else:
            _print(commit_lines(commit, moments), next_lines(commit.next, moments))
        return Exit.PROBLEMS if commit.is_wrong else Exit.DIFFERENT if is_waiting(commit.fate) else Exit.OK
    resource = host.ask(Why.resource, what, name, field)
    if form == "json":
        results.answer(resource)
    else:
        _print(resource_lines(resource, moments), next_lines(resource.next, moments))
    return Exit.DIFFERENT if resource.next else Exit.OK


def _print(lines: Iterable[str], steps: Iterable[str]) -> None:
    for line in lines:
        output.data(output.problem(line))
    for line in steps:
        output.note(line)
