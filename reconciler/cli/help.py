"""What `--help` prints: an example first, commands by what people do, own options before the global ones."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli import output

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTIONS = {
    "Start": ("demo", "init", "new", "import", "schema"),
    "Change": ("set", "fmt", "validate", "policy", "plan"),
    "Go live": ("sync", "run", "suspend", "resume", "halt", "release", "rollback"),
    "Look": ("status", "get", "uses", "why", "drift", "sql", "export", "open"),
    "History": ("log", "history", "show", "diff", "blame", "verify"),
    "Operate": ("doctor", "logs", "backup", "restore", "session", "token", "service", "completion"),
}
"""Each command is in one of them."""

EXAMPLES = {
    "": "demo",
    "demo": "demo",
    "init": "init my-desk",
    "new": "new account cv-eurgbp",
    "import": "import desk.xlsx",
    "schema": "schema show account",
    "schema list": "schema list",
    "schema show": "schema show account",
    "schema export": "schema export --to .schemas",
    "schema new": "schema new Venue --from venue.json",
    "set": "set user fx-majors-01 risk_per_trade_percent=0.5",
    "fmt": "fmt --check",
    "validate": "validate",
    "policy": "policy test leverage-cap",
    "policy list": "policy list",
    "policy test": "policy test leverage-cap",
    "plan": "plan --base HEAD~1",
    "sync": "sync",
    "run": "run",
    "suspend": 'suspend --reason "the broker is down for the weekend" --until 2d',
    "resume": "resume",
    "rollback": 'rollback --reason "it trades ten times too large"',
    "halt": 'halt user fx-majors-01 --reason "the feed is wrong"',
    "release": 'release user fx-majors-01 --reason "the feed is well"',
    "status": "status",
    "open": "open account cv-eurusd",
    "logs": "logs --level warn -n 20",
    "get": "get account cv-eurusd",
    "uses": "uses broker ostrin-prime",
    "drift": "drift",
    "sql": 'sql --history "SELECT author_name, message FROM versions"',
    "export": "export --to exported --format csv",
    "log": "log --since 2025-01-01 --status valid",
    "history": "history account cv-eurusd",
    "history copy": "history copy --to clickhouse://history.example:8123/desk",
    "why": "why account cv-eurusd leverage",
    "show": "show account cv-eurusd --at HEAD~1",
    "diff": "diff HEAD~1 HEAD",
    "blame": "blame account cv-eurusd",
    "verify": "verify",
    "doctor": "doctor",
    "backup": "backup",
    "restore": "restore backups/state-20250321T183000Z.duckdb",
    "session": "session list fx-majors-01",
    "session create": "session create fx-majors-01 --ip 203.0.113.7 --device laptop-7",
    "session get": "session get 0190d2c4-7f9e-7c3a-9b1e-2f4f6a8c0e12",
    "session touch": "session touch 0190d2c4-7f9e-7c3a-9b1e-2f4f6a8c0e12",
    "session list": "session list fx-majors-01 --limit 10",
    "session expire": "session expire --all fx-majors-01",
    "token": "token --role read",
    "service": "service install --config reconciler.toml",
    "service install": "service install --config reconciler.toml",
    "service remove": "service remove",
    "completion": "completion bash",
}
"""A line to try for each command, in the example repository; of the program itself for an empty path."""

PROGRAM = "reconciler"


class HelpContext(click.Context):
    """A context that knows what the help of its command looks like."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.color = output.has_colour(sys.stdout)

    def get_help(self) -> str:
        """The whole page, at most 80 columns wide, of which nothing is cut."""
        formatter = self.make_formatter()
        if example := EXAMPLES.get(self.command_path.removeprefix(PROGRAM).strip()):
            formatter.write(f"{_heading('Example')}:\n  {PROGRAM} {example}\n\n")
        self.command.format_usage(self, formatter)
        self.command.format_help_text(self, formatter)
        own, shared = self._options()
        if own:
            with formatter.section(_heading("Options")):
                formatter.write_dl(own)
        if isinstance(self.command, click.Group):
            self._write_commands(formatter, self.command)
        with formatter.section(_heading("Global options")):
            formatter.write_dl(shared)
        return formatter.getvalue().rstrip("\n")

    def _write_commands(self, formatter: click.HelpFormatter, group: click.Group) -> None:
        if self.parent is None:
            group.format_commands(self, formatter)
            return
        found = [(name, group.get_command(self, name)) for name in group.list_commands(self)]
        with formatter.section(_heading("Commands")):
            formatter.write_dl([(name, _first_sentence(command.help or "")) for name, command in found if command])

    def _options(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """What the options of this command and those that each command has are called, and what they do."""
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for parameter in self.command.get_params(self):
            record = parameter.get_help_record(self)
            if record is not None and isinstance(parameter, click.Option):
                (own if parameter.expose_value else shared).append(record)
        return own, shared


def write_sections(formatter: click.HelpFormatter, commands: Mapping[str, str]) -> None:
    """The commands of the program with what they do, by section."""
    width = max(map(len, commands))
    for title, names in SECTIONS.items():
        if listed := [(name.ljust(width), commands[name]) for name in names if name in commands]:
            with formatter.section(_heading(title)):
                formatter.write_dl(listed)


def explain_itself(command: click.Command) -> click.Command:
    """Have a command and those below it print their help like this."""
    for one in (command, *(command.commands.values() if isinstance(command, click.Group) else ())):
        one.context_class = HelpContext
    return command


def _heading(text: str) -> str:
    return click.style(text, bold=True)


def _first_sentence(text: str) -> str:
    first = " ".join(text.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
    return first[:1].lower() + first[1:]
