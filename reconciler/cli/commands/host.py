"""The host itself: `backup`, `restore`, `doctor`, `token`, `completion`."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.adapters.daemonfile import new_token
from reconciler.cli import completion as shells
from reconciler.cli import output
from reconciler.cli.options import Choice, Globals, format_option, global_options
from reconciler.cli.output import Exit
from reconciler.cli.user import user_name
from reconciler.model.grants import Role, format_entry, hash_token
from reconciler.model.host import Diagnosis, Grade
from reconciler.report.commits import short_sha
from reconciler.report.status import DIAGNOSIS_WIDTH, build_diagnosis, diagnosis_lines, summarize_diagnoses
from reconciler.report.verification import difference_lines, is_drift
from reconciler.service.control import HostControl

RESTORED_DRIFT = "something else changed live rows in this backup: `reconciler drift --heal` puts them right"
RESTORED_OTHERS = (
    "this backup is not what git says at its commit, and healing does not put that right: restore another one, or move "
    "the store aside and sync"
)


@click.command(short_help="copy the store")
@global_options
@click.pass_obj
def backup(given: Globals) -> None:
    """Make a consistent copy of the store in the state folder, and print where it is."""
    with output.progress("copying"):
        copied = given.host().ask(HostControl.back_up, user_name())
    output.data(output.short_path(Path(copied.file)))


@click.command(short_help="bring a copy of the store back")
@click.argument("file", type=click.Path(path_type=Path))
@global_options
@click.pass_obj
def restore(given: Globals, file: Path) -> int:
    """Replace the store of this host by FILE, a backup, and compare its rows with git.

    The next sync brings it to the branch's head.
    """
    with output.progress("commits") as progress:
        found = given.host(progress).ask(HostControl.restore, user_name(), str(file.absolute()))
    output.data(f"live: {short_sha(found.applied.commit)}" if found.applied else "live: nothing yet")
    if found.aside is not None:
        given.say(f"the store before is kept as {output.short_path(Path(found.aside))}")
    if found.unread:
        given.say("that store could not be read: a suspension, and host events of it, are only there")
    for difference in found.differences:
        for text in difference_lines(difference):
            output.data(text)
    if found.differences:
        given.say(RESTORED_DRIFT if is_drift(found.differences) else RESTORED_OTHERS)
    else:
        given.say("the live rows are what git says at that commit")
    given.say("run `reconciler sync` to bring it to the branch's head; a daemon does so at once")
    if is_drift(found.differences):
        return Exit.DIFFERENT if found.differences else Exit.OK
    return Exit.PROBLEMS


@click.command(short_help="check this host")
@click.option("--notify", is_flag=True, help="Send a test message to each receiver of the setting notify.")
@format_option("text", "json")
@global_options
@click.pass_obj
def doctor(given: Globals, form: str, *, notify: bool) -> int:
    """Check git, the stores, clock, disk and permissions, and say how to fix what is wrong.

    Nothing is created or changed, and without --notify nobody is told.
    """
    from reconciler.wiring.doctor import diagnose

    found: list[Diagnosis] = []
    for diagnosis in diagnose(given.config, given.settings, notify=notify):
        found.append(diagnosis)
        if form == "text":
            _show(diagnosis)
    if form == "json":
        output.json_data([build_diagnosis(diagnosis) for diagnosis in found])
    else:
        output.data(summarize_diagnoses(found))
    return Exit.PROBLEMS if any(diagnosis.grade is Grade.PROBLEM for diagnosis in found) else Exit.OK


def _show(diagnosis: Diagnosis) -> None:
    for label, text in diagnosis_lines(diagnosis):
        output.labelled(label, text, DIAGNOSIS_WIDTH, state_in="label")


@click.command(short_help="a new token for HTTP")
@click.option("--role", required=True, type=Choice([role.word for role in Role]), help="What it allows.")
@format_option("text", "json")
@global_options
@click.pass_obj
def token(given: Globals, role: str, form: str) -> None:
    """Make a token with which programs elsewhere read or operate a daemon, and show the setting that admits it.

    The token is stored nowhere: if you lose it, make another one.
    """
    made = new_token()
    setting = format_entry(Role[role.upper()], made)
    if form == "json":
        output.json_data({"role": role, "token": made, "sha256": hash_token(made).hex(), "setting": setting})
    else:
        output.data(made)
    given.say(f'into reconciler.toml of that host, then start its daemon again:\n\n[http]\ntokens = ["{setting}"]')


@click.command(short_help="completion for a shell")
@click.argument("shell", type=Choice(shells.SHELLS))
@global_options
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that SHELL runs once to complete commands, options, kinds and names of live rows."""
    output.raw(shells.script(context.find_root().command, shell))
