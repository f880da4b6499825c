"""Rows that people have already, in spreadsheets and databases: `import`, and the workbook of `export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.adapters.files import Folder
from reconciler.cli import output
from reconciler.cli.options import Globals, global_options
from reconciler.cli.output import Exit
from reconciler.errors import NeedsHuman, UsageError
from reconciler.reconcile.importrows import plan_rows
from reconciler.report import problems
from reconciler.report.edits import edited_problem_lines
from reconciler.report.importing import (
    assumption_tables,
    commit_message,
    import_lines,
    question_text,
)
from reconciler.report.problems import plural
from reconciler.service.importing import MAX_QUESTIONS
from reconciler.values import replace
from reconciler.wiring.importing import WORKBOOKS, FileImport, write_declared
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.importing.interpret import Open
    from reconciler.reconcile.importrows import Imported


@click.command("import", short_help="spreadsheets and databases to YAML files")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--to", metavar="DIR", type=click.Path(path_type=Path), help="Folder of a repository for the new files.")
@click.option("--kind", metavar="KIND", help="The kind of the files' rows; of a DuckDB file, only this kind's.")
@click.option(
    "--map", "mapping", metavar="FILE", type=click.Path(path_type=Path), help="Read the columns by this mapping."
)
@click.option(
    "--write-map", metavar="FILE", type=click.Path(path_type=Path), help="Write the mapping and nothing else."
)
@click.option("--update", is_flag=True, help="Change also what the files declare otherwise; that is not committed.")
@click.option("--no-commit", is_flag=True, help="Write the files, and leave the commit to you.")
@global_options
@click.pass_obj
def import_(  # noqa: PLR0913, PLR0917 - one for each option
    given: Globals,
    files: tuple[Path, ...],
    to: Path | None,
    kind: str | None,
    mapping: Path | None,
    write_map: Path | None,
    update: bool,
    no_commit: bool,
) -> int:
    """Write the rows of spreadsheets (.xlsx, .csv, .set) and DuckDB FILEs as YAML files, and commit them.

    What a column is, is guessed from its header and its cells, and told; what would change money is asked. Nothing is
    written unless all of it is valid. What the repository declares already is compared, and changed only with --update.
    """
    if mapping is not None and len(files) > 1:
        raise UsageError("a mapping is of one file", hint="import the files one after the other")
    importing = FileImport(files, given.settings(), to, kind)
    with output.progress("rows"):
        planned = importing.plan(mapping, {})
    if write_map is not None:
        return _write_mapping(given, planned, write_map)
    if planned.open and sys.stdin.isatty() and len(planned.open) <= MAX_QUESTIONS:
        answers = _ask(planned.open)
        with output.progress("rows"):
            planned = importing.plan(mapping, answers)
    if planned.skipped:
        why = "" if planned.from_sheets else ", as no kind has such a table"
        given.say(f"left alone{why}: {list_words(planned.skipped)}")
    for remark in planned.remarks:
        given.say(remark)
    for title, table in assumption_tables(planned.assumptions):
        if title:
            output.data(f"{title}\n")
        output.table(table)
        output.data("")
    for line in problems.problem_lines(planned.row_import.problems):
        output.data(output.problem(line))
    if planned.errors:
        output.data(f"nothing was written: {plural(len(planned.errors), 'error')}")
        return Exit.PROBLEMS
    with output.progress("files"):
        importing.write(planned)
    updates = update and bool(planned.row_import.plan.changes)
    shown = replace(planned, row_import=plan_rows(planned.row_import)) if updates else planned
    for line in import_lines(shown):
        output.data(output.change(line))
    if updates:
        return _update(given, importing, planned)
    if planned.row_import.plan.changes:
        given.say("the files are as they were; --update writes the values of the rows into them")
    _finish(given, importing, planned, files, commit=not no_commit)
    return Exit.DIFFERENT if planned.row_import.plan.changes else Exit.OK


def _ask(questions: Sequence[Open]) -> Mapping[tuple[str, str, str], str]:
    """The answers of a person, by sheet, column and key of the mapping."""
    answers = {}
    for one in questions:
        output.note(f"{question_text(one)} {one.question.text}.")
        choices = list(one.question.choices)
        for number, choice in enumerate(choices, 1):
            output.note(f"  {number}  {one.question.choices[choice]}  ({choice})" if choice else f"  {number}")
        picked = click.prompt("Which is it", type=click.IntRange(1, len(choices)), err=True)
        answers[one.sheet, one.column, one.question.key] = choices[picked - 1]
    return answers


def _write_mapping(given: Globals, planned: Imported, file: Path) -> int:
    if not planned.mappings:
        raise UsageError("there is nothing to map", hint="DuckDB files and exact CSV files need no mapping")
    text = "".join(planned.mappings.values())
    if str(file) == "-":
        output.data(text.rstrip("\n"))
    else:
        Folder(file.resolve().parent).create(file.name, text.encode())
        given.say(f"{file} says what each column becomes: change what is wrong, then import with --map {file}")
    return Exit.OK


def _update(given: Globals, importing: FileImport, planned: Imported) -> int:
    """Change the files that are there. Their commit is left to a person, who sees there what changes money."""
    for path in (*planned.others, *planned.row_import.files):
        given.say(f"wrote {output.short_path(planned.root / path)}")
    edited = importing.update(planned)
    if not edited.is_valid:
        for line in edited_problem_lines(edited.problems):
            output.data(output.problem(line))
        given.say("the files that were there are as they were")
        return Exit.PROBLEMS
    for file in edited.files:
        given.say(f"wrote {output.short_path(planned.root / file.path)}")
    given.say("not committed, as files changed that were there")
    given.say("next: git diff, reconciler plan, then git add -A and git commit")
    return Exit.OK


def _finish(given: Globals, importing: FileImport, planned: Imported, files: Sequence[Path], *, commit: bool) -> None:
    """Say what else was written, and commit it where nothing is in the way."""
    for path in planned.others:
        given.say(f"wrote {output.short_path(planned.root / path)}")
    if not planned.row_import.files:
        return
    if not planned.from_sheets:
        given.say("created_at and updated_at are not imported: they come from the commits")
        return
    message = commit_message(planned, [str(file) for file in files])
    why = "" if commit else "as you asked"
    try:
        why = why or importing.blocked()
        if not why:
            sha = importing.commit(planned, message)
            output.data(f"committed as {sha}: {message.splitlines()[0]}")
            if left := importing.count_uncommitted():
                given.say(
                    f"{plural(left, 'file')} of the folder not committed: see git status, then git add and git commit"
                )
            return
    except NeedsHuman as error:
        why = str(error)
    given.say(f"not committed: {why}")
    given.say("next: git add -A, then git commit")


def is_workbook(word: str) -> bool:
    """Whether a word of the command line is the name of a workbook."""
    return word.lower().endswith(WORKBOOKS)


def export_workbook(given: Globals, file: Path, kinds: Sequence[str]) -> int:
    """Write what the repository declares into a workbook, with the mapping by which `import` reads it."""
    with output.progress("resources"):
        written = write_declared(given.settings(), file, kinds)
    errors = [problem for problem in written.problems if problem.is_error]
    for line in problems.problem_lines(written.problems):
        output.data(output.problem(line))
    if errors:
        output.data(f"nothing was written: {plural(len(errors), 'error')}")
        return Exit.PROBLEMS
    if written.kept is not None:
        given.say(f"kept the older {file.name} as {written.kept.name}")
    for name in written.left_out:
        given.say(f"left out, as no workbook can hold it: {name}")
    for title, rows in written.rows.items():
        output.data(f"{file}  {title}: {plural(rows, 'row')}")
    given.say(f"next: edit it, then reconciler import {file}")
    return Exit.OK
