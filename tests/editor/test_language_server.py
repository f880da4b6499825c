"""Completion, hover texts and red squiggles, by the real yaml-language-server on files of real repositories.

`npm ci --prefix tests/editor` installs it. Without it these tests are skipped, unless REQUIRE_EDITOR_TESTS is 1.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from reconciler.adapters.bundled import find_example_repository
from reconciler.cli.main import run
from tests.editor.client import Editor

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SERVER = HERE / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
ERROR = 1
"""DiagnosticSeverity.Error"""


def _missing() -> str:
    if shutil.which("node") is None:
        return "node is not installed"
    return "" if SERVER.exists() else "run `npm ci --prefix tests/editor`"


class Repository(NamedTuple):
    """A repository with an editor open in it."""

    folder: Path
    editor: Editor

    def text(self, path: str) -> str:
        return (self.folder / path).read_text(encoding="utf-8")

    def squiggles(self, path: str, text: str) -> list[tuple[int, str]]:
        """The lines (from 1) and messages of what is marked red in a text, opened beside a file."""
        _, found = self.editor.open((self.folder / path).parent, text)
        assert all(one["severity"] == ERROR for one in found)
        return [(one["range"]["start"]["line"] + 1, one["message"]) for one in found]

    def hover(self, path: str, text: str, word: str) -> str:
        """What shows when the mouse rests on a field."""
        file, _ = self.editor.open((self.folder / path).parent, text)
        return self.editor.hover(file, *_place(text, word))

    def completions(self, path: str, text: str, marked: str) -> dict[str, str]:
        """What is offered at the end of the first line that is exactly so."""
        file, _ = self.editor.open((self.folder / path).parent, text)
        return self.editor.completions(file, text.splitlines().index(marked), len(marked))


def _place(text: str, word: str) -> tuple[int, int]:
    line = next(number for number, line in enumerate(text.splitlines()) if line.strip().startswith(f"{word}:"))
    return line, text.splitlines()[line].index(word) + 1


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A copy of the example repository with its schemas exported, and a user that `new` has written."""
    missing = _missing()
    if missing:
        assert os.environ.get("REQUIRE_EDITOR_TESTS") != "1", missing
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("editor") / "desk"
    shutil.copytree(find_example_repository(), folder)
    assert run(["schema", "export", "--repo", str(folder)]) == 0
    assert run(["new", "user", "scalper-01", "--repo", str(folder)]) == 0
    with Editor(SERVER, folder, folder.parent / "server.log") as editor:
        yield Repository(folder, editor)


NEW = "users/scalper-01.yaml"
ACCOUNT = "accounts/cv-eurusd.yaml"
BROKER = "brokers/caldervale-eu.yaml"


@pytest.mark.parametrize("path", [NEW, ACCOUNT, BROKER, "signals/gold-trend.yaml", "systems/lab.yaml"])
def test_a_good_file_has_no_squiggles(repository: Repository, path: str) -> None:
    assert repository.squiggles(path, repository.text(path)) == []


@pytest.mark.parametrize(
    ("path", "old", "new", "line", "told"),
    [
        (NEW, "  max_open_trades:", "  max_open_trade: 1\n  max_open_trades:", "  max_open_trade: 1", "not allowed"),
        (NEW, "max_open_trades: 1 ", "max_open_trades: 1001 ", "  max_open_trades: 1001", "above the maximum of 1000"),
        (NEW, "lot_size_value: 0.01", "lot_size_value: 0.001", "  lot_size_value: 0.001", "below the minimum of 0.01"),
        (ACCOUNT, "leverage: 30", "leverage: 5000", "  leverage: 5000", "above the maximum of 3000"),
        (ACCOUNT, "status: ACTIVE", "status: ON", "  status: ON", "Value is not accepted"),
        (ACCOUNT, "  name: cv-eurusd", "  name: CV_EURUSD", "  name: CV_EURUSD", "does not match the pattern"),
        (ACCOUNT, "    user:", "    usr: a\n    user:", "    usr: a", "not allowed"),
        (BROKER, "    gold: 20", "    gold: 0", "    gold: 0", "below the minimum of 1"),
    ],
)
def test_a_slip_is_marked_where_it_is(
    repository: Repository, path: str, old: str, new: str, line: str, told: str
) -> None:
    text = repository.text(path)
    assert text.count(old) == 1
    changed = text.replace(old, new)
    ((at, message),) = repository.squiggles(path, changed)
    assert changed.splitlines()[at - 1].startswith(line)
    assert told in message


def test_a_missing_field_is_marked(repository: Repository) -> None:
    text = repository.text(ACCOUNT).replace("  currency_pair: EURUSD\n", "")
    ((_, message),) = repository.squiggles(ACCOUNT, text)
    assert "currency_pair" in message


def test_fields_that_are_not_there_yet_are_offered_with_what_they_mean(repository: Repository) -> None:
    text = repository.text(NEW).replace("  trade_direction: BUY  # BUY, SELL or BOTH\n", "  \n")
    offered = repository.completions(NEW, text, "  ")
    assert offered["trade_direction"].startswith("Which way trades may be opened")
    assert "status" not in offered


def test_words_are_offered(repository: Repository) -> None:
    text = repository.text(ACCOUNT).replace("spread_type: VARIABLE", "spread_type: ")
    assert {"FIXED", "VARIABLE"} <= repository.completions(ACCOUNT, text, "  spread_type: ").keys()


def test_references_are_offered(repository: Repository) -> None:
    text = repository.text(ACCOUNT).replace("    user: fx-majors-01\n", "    \n")
    assert repository.completions(ACCOUNT, text, "    ")["user"].startswith("The user whose limits apply")


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        (NEW, ("spec", "risk_per_trade_percent")),
        (NEW, ("metadata", "name")),
        (ACCOUNT, ("spec", "leverage")),
        (BROKER, ("spec", "limit_orders")),
    ],
)
def test_resting_the_mouse_on_a_field_says_what_it_is(
    repository: Repository, path: str, pointer: tuple[str, str]
) -> None:
    text = repository.text(path)
    schema = json.loads(repository.text(f".reconciler/schemas/{path.partition('s/')[0]}.schema.json"))
    section, field = pointer
    described = schema["properties"][section]["properties"][field]["description"]
    assert described in repository.hover(path, text, field).replace("\\", "")


def test_the_repositorys_own_settings_are_checked_and_completed(repository: Repository) -> None:
    head = "# yaml-language-server: $schema=.reconciler/schemas/repository.schema.json\n"
    text = head + "apiVersion: reconciler/v1\nkind: Repository\nspec:\n  prune:\n    mode: keep\n    \n"
    ((line, message),) = repository.squiggles("reconciler.yaml", text)
    assert line == 6
    assert '"deactivate"' in message
    assert {"max_percent", "max_count"} <= repository.completions("reconciler.yaml", text, "    ").keys()


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((HERE / "package-lock.json").read_bytes())
    assert not any("resolved" in package for package in lock["packages"].values())
    wanted = json.loads((HERE / "package.json").read_bytes())["devDependencies"]
    assert lock["packages"]["node_modules/yaml-language-server"]["version"] == wanted["yaml-language-server"]
