"""What changes fields in the files: `set`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from reconciler import answers
from reconciler.cli import completion, output
from reconciler.cli.options import format_option, global_options
from reconciler.cli.output import Exit
from reconciler.cli.problems import problems_code
from reconciler.editing.assignments import is_assignment, parse_assignments
from reconciler.errors import UsageError
from reconciler.report.edits import (
    build_edited,
    commit_command,
    compared_note,
    edited_plan_lines,
    edited_problem_lines,
    refused_note,
)
from reconciler.report.plans import LineStyle
from reconciler.service import editing
from reconciler.service.scaffolding import choose_kind
from reconciler.wiring.checkout import open_checkout, write_edited
from reconciler.wiring.planning import plan_edited
from reconciler.wiring.trusting import is_brought

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.cli.options import Globals
    from reconciler.editing.edited import Declared, EditedTree
    from reconciler.editing.text import Edit
    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan
    from reconciler.reconcile.check import CheckResult

STYLES = {LineStyle.CHANGE: output.change, LineStyle.PROBLEM: output.problem}
CHANGES = "[NAME]… FIELD=VALUE…"


@click.command("set", short_help="edit fields in the files")
@click.argument("kind", shell_complete=completion.kinds)
@click.argument("words", nargs=-1, required=True, metavar=CHANGES, shell_complete=completion.names_and_fields)
@click.option("-l", "--label", "labels", metavar="LABEL=VALUE", multiple=True, help="All with this label, and others.")
@click.option("--dry-run", is_flag=True, help="Write nothing; exit with 2 when a file would change.")
@click.option("--force", is_flag=True, help="Write also what is not valid yet, or what a rule would refuse.")
@format_option("text", "json")
@global_options
@click.pass_obj
def set_(
    given: Globals, /, kind: str, words: tuple[str, ...], labels: tuple[str, ...], form: str, **flags: bool
) -> Exit:
    """Change fields of a resource in its YAML file, and show what a commit of that would change.

    FIELD=VALUE sets a field, FIELD- leaves it out; labels.NAME, annotations.NAME and refs.ROLE are fields as well, and
    a dot leads into a mapping. All other bytes of the file stay. Several NAMEs are edited together or not at all. What
    is not valid, or what a rule would refuse, is not written. No commit is made.
    """
    names = [word for word in words if not is_assignment(word)]
    changes = [word for word in words if is_assignment(word)]
    if not changes:
        raise UsageError("nothing is to be changed", hint=f"such as `reconciler set {kind} NAME status=INACTIVE`")
    if not names and not labels:
        raise UsageError(
            f"which {kind}?", hint=f"`reconciler set {kind} NAME {changes[0]}`, or all with -l LABEL=VALUE"
        )
    settings = given.settings_to_judge(is_brought)
    checkout = open_checkout(settings.repository, settings.path, settings.limits)
    selected = dict(map(_parse_label, labels))
    edited = editing.edit_tree(checkout, partial(_choose, kind, names, selected, changes))
    found: tuple[Plan, Kinds, str] | None = None
    if edited.is_valid and edited.files:
        with output.progress("commits") as progress:
            found = plan_edited(settings, checkout, edited.contents, progress)
    plan = found[0] if found else None
    is_refused = not edited.is_valid or (plan is not None and plan.refused)
    writes = bool(edited.files) and not flags["dry_run"] and (flags["force"] or not is_refused)
    if writes:
        write_edited(checkout.root, edited.files)
    if form == "json":
        output.json_data(answers.to_json(build_edited(edited, found[:2] if found else None, written=writes)))
    else:
        _report(given, edited, found, is_refused=is_refused, writes=writes)
    if is_refused:
        return Exit.PROBLEMS
    return Exit.DIFFERENT if edited.files and flags["dry_run"] else problems_code(edited.problems)


def _choose(
    word: str, names: Sequence[str], labels: Mapping[str, str], changes: Sequence[str], checked: CheckResult
) -> dict[Declared, Sequence[Edit]]:
    kind = choose_kind(checked.kinds, word)
    edits = parse_assignments(kind, changes)
    return dict.fromkeys(editing.select_resources(checked, kind, names, labels), edits)


def _parse_label(text: str) -> tuple[str, str]:
    label, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text} is no label with its value", hint="such as -l desk=fx")
    return label, value


def _report(
    given: Globals, edited: EditedTree, found: tuple[Plan, Kinds, str] | None, *, is_refused: bool, writes: bool
) -> None:
    if not edited.files:
        given.say("nothing to change: the files say so already")
    if found is None:
        for line in edited_problem_lines(edited.problems):
            output.data(output.problem(line))
    else:
        for style, text in edited_plan_lines(found[0], found[1]):
            output.data(STYLES.get(style, str)(text))
        if note := compared_note(found[0], found[2]):
            given.say(note)
    if is_refused and not writes:
        given.say(refused_note(found[0] if found else None))
    if writes:
        for file in edited.files:
            given.say(f"wrote {file.path}")
        if not is_refused:
            given.say(f"next: {commit_command(edited, found[0].changes if found else (), edited.kinds)}")
