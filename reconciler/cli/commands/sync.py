"""`reconciler sync`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.people import who
from reconciler.pipeline.suspending import suspended
from reconciler.pipeline.syncing import Consent
from reconciler.report import commits, problems, states, suspensions

if TYPE_CHECKING:
    from reconciler.pipeline.syncing import SyncResult


@click.command(short_help="one reconcile")
@click.option("--approve", metavar="SHA", help="Let this commit through although a guard or policy refuses it.")
@click.option("--force", is_flag=True, help="Reconcile this once although it is suspended.")
@format_option("text", "json")
@global_options
@click.pass_obj
def sync(given: Globals, approve: str | None, force: bool, form: str) -> int:
    """Bring the live rows to the branch's head, and record every commit.

    An invalid head changes no row: the last valid commit stays live. Nor does one that a guard or policy refuses, until
    it is changed or approved: for this one commit, and on record.
    """
    consent = Consent(approve, f"{who()} with --approve") if approve else None
    with wiring.reconciler(given.settings()) as reconciler:
        given.explain(f"{reconciler.repository}, branch {reconciler.branch}")
        pause = None if force else suspended(reconciler.store)
        if pause is not None:
            output.note(f"refused: reconciling is suspended {suspensions.line(pause)}; no row was changed")
            output.hint("`reconciler resume` ends it, `reconciler sync --force` reconciles this once")
            return Exit.PROBLEMS
        with output.progress("commits") as progress:
            result = reconciler.sync(progress, consent)
        kinds = reconciler.kinds()
    if form == "json":
        output.json_data(states.sync_json(result))
    else:
        for line in states.sync_lines(result, kinds):
            output.data(output.change(line))
    return _tell(given, result)


def _tell(given: Globals, result: SyncResult) -> Exit:
    """What did not go through, on stderr, and the exit code for it."""
    if result.head is None:
        given.say("the branch has no commits yet: nothing to do")
    for problem in result.plan.problems:
        tell = output.note if problem.is_error else given.say
        tell(output.problem(problems.line(problem)))
    refused = [problem for problem in result.plan.problems if problem.is_error]
    if refused and result.head:
        count = problems.plural(len(refused), "error")
        output.note(f"refused: {commits.short(result.head)} has {count}; no row was changed by it")
    if result.history is not None and result.history.error is not None:
        output.failure(result.history.error)
        output.note("the rows are live all the same; the next sync records what is missing")
        return Exit.FAILED
    return Exit.PROBLEMS if refused else Exit.OK
