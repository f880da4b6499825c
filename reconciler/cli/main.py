"""The entry point: finds the command, and turns whatever happens into an exit code."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import __version__
from reconciler.cli import output
from reconciler.cli.help import HelpContext, explain_itself, write_sections
from reconciler.cli.mistyped import understand_usage
from reconciler.cli.options import Globals, global_options
from reconciler.cli.output import Exit
from reconciler.errors import ReconcilerError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

GC_THRESHOLD = 200_000
"""Objects before the garbage collector looks for cycles: more than any command imports, which would cost it 90 ms.

A snapshot is many values without a cycle: it would take a third of the time.
"""

COMPLETING = "_RECONCILER_COMPLETE"
"""What a shell sets to ask for completions."""

COMMANDS = {
    "demo": ("start", "take a two-minute tour on the example repository"),
    "init": ("init", "create a config repository"),
    "new": ("start", "create a resource: a commented file that validates"),
    "validate": ("check", "check files; needs no store, no history, no network"),
    "set": ("edit", "change fields in a YAML file, and show what that would change"),
    "fmt": ("author", "rewrite YAML files in the canonical layout; comments stay"),
    "plan": ("plan", "show what a commit would change, and which rules refuse it"),
    "policy": ("author", "list the rules in policies/, and run their tests"),
    "run": ("daemon", "run the daemon: every commit goes live at once"),
    "service": ("service", "let Windows run the daemon as a service"),
    "logs": ("observe", "show what the daemon did, from its log; also when it is down"),
    "sync": ("sync", "reconcile once to the branch's head"),
    "suspend": ("reconcile", "stop reconciling for a while, and say why"),
    "resume": ("reconcile", "resume reconciling"),
    "halt": ("halt", "switch resources off at once, whatever else is down"),
    "release": ("halt", "end a halt: the rows are what git says again"),
    "rollback": ("rollback", "go back to an earlier applied commit, and skip the bad one"),
    "status": ("status", "show what is live, and whether it is what git says"),
    "open": ("observe", "open the dashboard in the browser, or print its address"),
    "get": ("rows", "show the live rows of a kind, or one of them"),
    "uses": ("rows", "show what refers to a resource, directly and through others"),
    "drift": ("reconcile", "show where something else changed live rows"),
    "backup": ("host", "make a consistent copy of the store"),
    "restore": ("host", "replace the store by a copy"),
    "session": ("session", "begin, show, use and end sessions of users"),
    "log": ("history", "show every recorded commit, newest first"),
    "history": ("history", "show who changed a resource, when and how; also when git is away"),
    "why": ("why", "say why a commit is not live, or why a resource has its values"),
    "show": ("history", "show a live row as it was at a commit or point in time"),
    "diff": ("history", "compare two commits or points in time"),
    "blame": ("history", "show for each field of a live row the commit that last set it"),
    "sql": ("rows", "run read-only SQL on the live rows, or on the history"),
    "export": ("rows", "write rows to Parquet, CSV or JSON files"),
    "doctor": ("host", "check this host, and say how to fix what is wrong"),
    "verify": ("reconcile", "compare both databases with git, from the first commit on"),
    "import": ("spreadsheets", "write the rows of spreadsheets and databases as YAML files"),
    "token": ("host", "make a token to read or operate a daemon over HTTP"),
    "completion": ("host", "print completion of commands, kinds and names for a shell"),
    "schema": ("start", "show the kinds, and write their JSON Schemas for editors"),
}
"""Each command: the module of `reconciler.cli.commands` that has it, imported when it is called, and what it does.

Where Python has the name for something else, an underscore follows it in the module.
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed: `validate` has no time for drivers."""

    context_class = HelpContext

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of a newcomer's way."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"reconciler.cli.commands.{COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_", None) or getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return explain_itself(command)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands, without importing any of them, or the global options."""
        from click.shell_completion import CompletionItem

        items = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The lists in `--help`, without importing any of them."""
        write_sections(formatter, {name: text for name, (_, text) in COMMANDS.items()})


@click.group(
    cls=LazyGroup,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="reconciler")
@global_options
@click.pass_context
def cli(context: click.Context) -> None:
    """GitOps for trading configuration.

    YAML in a git repository becomes live rows in DuckDB; every commit becomes a version in ClickHouse.
    """
    context.ensure_object(Globals)
    if context.invoked_subcommand is None:
        output.note(context.get_help())
        context.exit(Exit.FAILED)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; whatever goes wrong is told on stderr."""
    if COMPLETING in os.environ:
        from reconciler.cli.completion import install

        install()
    try:
        code = cli.main(list(arguments), prog_name="reconciler", standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        return Exit.INTERRUPTED
    except RefusedError as error:
        output.refusal(error)
        return Exit.PROBLEMS
    except Exception as error:  # noqa: BLE001  the last line of defence: nobody is shown a traceback
        output.failure(_understood(error))
        return Exit.FAILED
    return code if isinstance(code, int) else Exit.OK


class TraceHandler(logging.Handler):
    """For a command, which has no log: shows the first line of a warning, and writes a trace to a file."""

    def emit(self, record: logging.LogRecord) -> None:
        first, _, _ = record.getMessage().partition("\n")
        error = record.exc_info[1] if record.exc_info else None
        where = f"; {_traced(error)}" if error else ""
        output.note(f"{record.levelname.lower()}: {first}{where}")


def main() -> None:
    """The console script."""
    gc.set_threshold(GC_THRESHOLD)
    logging.lastResort = TraceHandler(logging.WARNING)
    code = run(sys.argv[1:])
    if "_duckdb" not in sys.modules:  # its binding calls a leak what the last collection did not free, and says so
        gc.freeze()  # Python would look at all that was imported once more on its way out
    sys.exit(code)


def _understood(error: Exception) -> ReconcilerError:
    if isinstance(error, ReconcilerError):
        return error
    if isinstance(error, click.ClickException):
        return understand_usage(error)
    return _unexpected(error)


def _unexpected(error: Exception) -> ReconcilerError:
    first = next(iter(str(error).splitlines()), "")
    return ReconcilerError(f"unexpected {type(error).__name__}: {first}", hint=f"this is a bug; {_traced(error)}")


def _traced(error: BaseException) -> str:
    """Write a trace down; where it is, or why it is nowhere."""
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="reconciler-", suffix=".traceback", delete=False
        ) as file:
            traceback.print_exception(error, file=file)
    except OSError as refused:
        return f"its trace could be written nowhere: {refused.strerror or refused}"
    return f"its trace is in {Path(file.name)}"
