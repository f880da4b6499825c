"""Completion for shells: the words that Tab offers, and the shells that can ask: those of click, and PowerShell.

A script asks this program for every Tab, by an environment variable. Of what click has for bash only the script is
used: it would start a bash to see which one it is, even to print it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from click.shell_completion import BashComplete, ShellComplete, add_completion_class, get_completion_class

from reconciler.cli.options import Globals
from reconciler.errors import UsageError
from reconciler.service.rows import Rows
from reconciler.service.sql import Sql
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click
    from click.shell_completion import CompletionItem

    from reconciler.wiring.host import Host


PROGRAM, VARIABLE = "reconciler", "_RECONCILER_COMPLETE"
SHELLS = ("bash", "zsh", "fish", "powershell")
WORDS, TYPED = "_RECONCILER_WORDS", "_RECONCILER_TYPED"
SCRIPT = r"""Register-ArgumentCompleter -Native -CommandName @('%(prog_name)s', '%(prog_name)s.exe') -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = $commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition }
    $env:_RECONCILER_WORDS = ($before | ForEach-Object { $_.Extent.Text.Trim([char[]]@(34, 39)) }) -join "`n"
    $env:_RECONCILER_TYPED = $wordToComplete
    $env:%(complete_var)s = 'powershell_complete'
    try {
        %(prog_name)s | ForEach-Object {
            $value, $type, $help = $_ -split "`t", 3
            if ($type -eq 'plain') {
                $shown = if ($help) { $help } else { $value }
                $word = if ($value -match '\s') { "'" + $value.Replace("'", "''") + "'" } else { $value }
                [Management.Automation.CompletionResult]::new($word, $value, 'ParameterValue', $shown)
            } else {
                [Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete)
            }
        }
    } finally {
        $ours = @('Env:_RECONCILER_WORDS', 'Env:_RECONCILER_TYPED', 'Env:%(complete_var)s')
        Remove-Item $ours -ErrorAction SilentlyContinue
    }
}
"""


class PowerShellComplete(ShellComplete):
    """Answers a line for each choice: its value, whether it is a word or a file, and what it is, with tabs between.

    Of PowerShell's documentation: `Register-ArgumentCompleter -Native`.
    """

    name = "powershell"
    source_template = SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is being typed, and that one."""
        return os.environ.get(WORDS, "").split("\n")[1:], os.environ.get(TYPED, "").strip("\"'")

    def format_completion(self, item: CompletionItem) -> str:
        """One choice."""
        words = (item.value, item.type, item.help or "")
        return "\t".join(" ".join(str(word).split()) for word in words)


class QuietBashComplete(BashComplete):
    """The same script, whichever bash is there."""

    @staticmethod
    def _check_version() -> None:
        """Nothing: bash before 4.4 says itself that it does not know what the script asks for."""


def install() -> None:
    """Have click know all of them."""
    add_completion_class(PowerShellComplete)
    add_completion_class(QuietBashComplete)


def script(root: click.Command, shell: str) -> str:
    """What a shell runs once to complete from then on. Raises `UsageError` for one that is not known."""
    install()
    known = get_completion_class(shell)
    if known is None:
        raise UsageError(f"there is no completion for {shell}", hint=suggest(shell, SHELLS))
    return known(root, {}, PROGRAM, VARIABLE).source()


def kinds(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The kinds that begin like this, in lower case as people write them."""
    given = _globals(context)
    choices = _try(lambda: (str(table.kind) for table in _host(given).ask(Sql.tables).tables))
    return _matching(incomplete, (name.lower() for name in choices or _try(_bundled_kinds)))


def names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The names of the live rows of the kind that stands before."""
    kind = context.params.get("kind")
    return _names_of(_globals(context), str(kind), incomplete) if kind else []


def pages(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The kinds, and behind one of them the names of its live rows."""
    first, *more = context.params.get("what") or ("",)
    if not first:
        return kinds(context, parameter, incomplete)
    return [] if more else _names_of(_globals(context), first, incomplete)


def _names_of(given: Globals, kind: str, incomplete: str) -> list[str]:
    choices = _try(lambda: (str(row.name) for row in _host(given).ask(Rows.page, kind).rows))
    return _matching(incomplete, choices)


def names_and_fields(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The same, and the fields of that kind with a `=` behind them."""
    given, kind = _globals(context), context.params.get("kind")
    choices = _try(lambda: (f"{one.field}=" for one in _host(given).ask(Rows.page, str(kind), limit=1).columns))
    return sorted({*names(context, parameter, incomplete), *_matching(incomplete, choices)})


def _globals(context: click.Context) -> Globals:
    return context.find_object(Globals) or Globals()


def _bundled_kinds() -> list[str]:
    from reconciler.wiring.bundled import bundled_kinds

    return [kind.name for kind in bundled_kinds().kinds]


def _host(given: Globals) -> Host:
    from reconciler.wiring.running import open_hurried_host

    return open_hurried_host(given.settings())


def _matching(incomplete: str, words: Iterable[str]) -> list[str]:
    """A word that does not print would be more than a word to the shell."""
    return sorted({word for word in words if word.startswith(incomplete.lower()) and word.isprintable()})


def _try(look: Callable[[], Iterable[str]]) -> list[str]:
    with suppress(Exception):  # whatever is wrong, the command itself says it
        return list(look())
    return []
