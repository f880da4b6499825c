"""The pages of `--help`: commands by what people do, an example first, 80 columns, nothing cut."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click
import pytest

from reconciler.cli.help import EXAMPLES, SECTIONS
from reconciler.cli.main import COMMANDS, cli, run

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = click.Context(cli, info_name="reconciler")
WIDTH = 80


def _below(name: str) -> Iterator[str]:
    command = cli.get_command(ROOT, name)
    yield name
    if isinstance(command, click.Group):
        yield from (f"{name} {sub}" for sub in command.list_commands(ROOT))


PATHS = [path for name in COMMANDS for path in _below(name)]


def test_each_command_is_in_one_section() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("path", PATHS)
def test_an_example_stands_first_and_can_be_typed(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path.split(), "--help"]) == 0
    first, example, *_ = capsys.readouterr().out.splitlines()
    assert (first, example) == ("Example:", f"  reconciler {EXAMPLES[path]}")
    assert EXAMPLES[path].startswith(path)
    words = shlex.split(EXAMPLES[path])
    command = cli.get_command(ROOT, words.pop(0))
    while isinstance(command, click.Group):
        command = command.get_command(ROOT, words.pop(0))
    assert command is not None
    command.make_context(path, words, parent=ROOT)  # raises what the parser does not take


def test_no_other_example_is_there() -> None:
    assert set(EXAMPLES) == {"", "history copy", *PATHS}


@pytest.mark.parametrize("path", ["", "history copy", *PATHS])
def test_a_page_fits_a_terminal_and_nothing_is_cut(
    path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    assert run([*path.split(), "--help"]) == 0
    page = capsys.readouterr().out
    assert max(map(len, page.splitlines())) <= WIDTH
    assert "..." not in page.replace("[ARGS]...", "").replace("COMMAND [ARGS]", "").replace("[KIND]...", "")
    assert page.index("Usage: ") < page.index("\nGlobal options:\n") < page.index("--repo PATH|URL")


def test_commands_are_listed_by_what_people_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    run(["--help"])
    page = capsys.readouterr().out
    places = [page.index(f"\n{title}:\n") for title in SECTIONS]
    assert places == sorted(places)
    lines = page.splitlines()
    for name, (_, text) in COMMANDS.items():
        assert f"  {name:<{max(map(len, COMMANDS))}}  {text}" in lines, "a text takes one line"


def test_without_a_command_the_page_is_shown_and_the_exit_code_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Example:\n  reconciler demo\n")
