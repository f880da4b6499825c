"""deploy/windows, as far as it shows without Windows: syntax, names, and that the files speak of the same places."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import tree_sitter_powershell
from tree_sitter import Language, Parser

from reconciler import settings
from reconciler.cli.main import COMMANDS
from tests.docs.markdown import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

SCRIPT = read("deploy/windows/install-service.ps1")
SERVICE = ElementTree.fromstring(read("deploy/windows/reconciler-service.xml"))
DATA = r"%ProgramData%\reconciler"


def nodes(text: str) -> Iterator[Node]:
    """Every node of a script, as the grammar has it."""
    waiting = [Parser(Language(tree_sitter_powershell.language())).parse(text.encode()).root_node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children


def words(kind: str) -> list[str]:
    return [node.text.decode() for node in nodes(SCRIPT) if node.type == kind and node.text]


def faults(text: str) -> list[int]:
    """The lines that PowerShell could not read."""
    return [node.start_point.row + 1 for node in nodes(text) if node.is_error or node.is_missing]


def test_the_script_can_be_read() -> None:
    assert faults(SCRIPT) == []
    assert faults(SCRIPT.replace("@('install')", "@('install'")), "the grammar sees nothing"


def test_the_script_is_strict() -> None:
    lines = SCRIPT.splitlines()
    begun = lines.index("Set-StrictMode -Version Latest")
    assert lines[begun + 1] == "$ErrorActionPreference = 'Stop'"
    assert "#Requires -RunAsAdministrator" in lines
    assert "#Requires -Version 5.1" in lines
    assert SCRIPT.isascii(), "PowerShell 5.1 takes a file without a byte order mark for one of the old code page"


def test_the_script_starts_programs_in_one_place_which_looks_at_their_end() -> None:
    called = [word for word in words("command_name") if not re.fullmatch(r"[A-Z][a-z]+-[A-Z]\w+", word)]
    assert called == []
    assert SCRIPT.count("& $Command @Arguments") == 1
    assert "if ($LASTEXITCODE -ne 0) { throw" in SCRIPT


def test_the_script_and_the_service_speak_of_the_same() -> None:
    assert f"$Name = '{SERVICE.findtext('id')}'" in SCRIPT
    assert "'reconciler-service.exe'" in SCRIPT
    assert "'reconciler-service.xml'" in SCRIPT
    program = SERVICE.findtext("executable", "").removeprefix("%BASE%\\")
    assert f"(Join-Path $Program '{program}')" in SCRIPT
    writable = re.findall(r"Grant-Folder \(Join-Path \$Data '([\w-]+)'\) 'M'", SCRIPT)
    assert {rf"{DATA}\{name}" for name in writable} == {
        SERVICE.findtext("workingdirectory"),
        SERVICE.findtext("logpath"),
    }
    assert "Grant-Folder $Data 'RX'" in SCRIPT


def test_the_service_runs_the_daemon() -> None:
    arguments = SERVICE.findtext("arguments", "").split(" ", 2)
    assert arguments[0] in COMMANDS
    assert arguments[1:] == ["--config", rf'"{DATA}\reconciler.toml"']
    assert int(SERVICE.findtext("stoptimeout", "0 sec").split()[0]) > 5
    failure = SERVICE.find("onfailure")
    assert failure is not None
    assert failure.get("action") == "restart"


def test_the_settings_name_the_folders_that_the_script_makes() -> None:
    given = tomllib.loads(read("deploy/windows/reconciler.toml"))
    flat = {f"{section}.{key}": value for section, table in given.items() for key, value in table.items()}
    assert set(flat) <= set(settings.BY_NAME)
    assert flat["state.dir"] == r"C:\ProgramData\reconciler\state"
    for name, value in flat.items():
        assert value.startswith("file:C:\\ProgramData\\reconciler\\secrets\\") == settings.BY_NAME[name].secret
