"""The shells that can complete: those that click knows, and PowerShell.

A script asks this program for every Tab, by an environment variable. Of what click has for bash only the script is
used: it would start a bash to see which one it is, even to print it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from click.shell_completion import BashComplete, ShellComplete, add_completion_class, get_completion_class

from reconciler.errors import UsageError

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

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
        raise UsageError(f"there is no completion for {shell}", hint=f"there is: {', '.join(SHELLS)}")
    return known(root, {}, PROGRAM, VARIABLE).source()
