"""Every command, option, exit code and setting is documented, links lead somewhere, and no page knows a machine."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

from reconciler import settings
from reconciler.cli.main import COMMANDS, cli
from reconciler.cli.options import SETTING_OF
from reconciler.cli.output import Exit
from reconciler.reconcile.rules import read_kinds
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder
from tests.docs.markdown import DOCS, ROOT, anchors, blocks, headings, links, read

PAGES = sorted((*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "config-repo-example" / "README.md"))
SCREEN = 60
"""Lines of a decision: one page."""

MACHINES = {
    "/root/": "a home folder",
    "/home/": "a home folder",
    "/work/": "a folder of one machine",
    "/Users/": "a home folder",
    "/var/folders/": "a temporary folder of one machine",
    "pypi.org": "a registry",
    "pythonhosted.org": "a registry",
    "/simple/": "a registry",
    "index-url": "a registry",
    "registry.npmjs": "a registry",
}
TEXTS = {".md", ".py", ".toml", ".txt", ".json", ".yaml", ".yml", ".svg", ".sql", ".cfg", ".sh", ""}
NOT_OURS = frozenset({"LICENSE"})
ABOUT_MACHINES = {Path("tests/docs/test_pages.py")}
"""This file: it lists them."""
PATHS_OF_TERMINALS = re.compile(r"/home/[a-z0-9_-]+/(?:\.wine|mt5|MT5|Metatrader)", re.IGNORECASE)
"""Where MetaTrader 5 is installed under Wine: configuration data, in examples and cases."""


def _section(page: str, title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"no heading for {title}"
    return found[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_documented(name: str) -> None:
    section = _section(read("docs/commands.md"), name)
    assert f"reconciler {name}" in section
    assert "Exit codes:" in section
    assert f"| `{name}" in read("docs/commands.md").partition("\n## ")[0]
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    parts = [command, *command.commands.values()] if isinstance(command, click.Group) else [command]
    assert all(f"reconciler {name} {part.name}" in section for part in parts[1:])
    options = [option for part in parts for option in part.params]
    own = [option for option in options if isinstance(option, click.Option) and option.expose_value]
    for option in own:
        assert option.opts[0] in section, f"{name} {option.opts[0]}"
    form = next((option.type for option in own if "--format" in option.opts), None)
    formats = form.choices if isinstance(form, click.Choice) else ()
    assert not formats or f"--format {'|'.join(formats)}" in section
    assert ("json" in formats) == bool(re.search(r"^```json$", section, re.MULTILINE))


def test_no_other_command_is_documented() -> None:
    assert headings(read("docs/commands.md")) == ["Commands", *COMMANDS]


def test_every_global_option_is_documented() -> None:
    told = read("docs/commands.md").partition("\n## ")[0]
    for option in cli.params:
        assert isinstance(option, click.Option)
        for spelling in option.opts:
            assert f"`{spelling}" in told


def test_every_exit_code_is_documented() -> None:
    told = read("docs/commands.md").partition("\n## ")[0]
    assert re.findall(r"^\| (\d+) \|", told, re.MULTILINE) == [str(int(code)) for code in Exit]


@pytest.mark.parametrize("setting", settings.SETTINGS, ids=lambda setting: str(setting.name))
def test_a_setting_is_documented(setting: settings.Setting) -> None:
    section = _section(read("docs/settings.md"), setting.name)
    option = next((f"--{option}" for option, name in SETTING_OF.items() if name == setting.name), None)
    assert f"- Variable: `{setting.variable}`\n" in section
    assert (f"- Option: `{option}`\n" in section) == (option is not None)
    assert f"- Default: `{setting.default}`\n" in section if setting.default else "- Default: " in section
    assert ("- Secret: " in section) == setting.secret
    example = re.search(r"^- Example: `([a-z_]+) = \[?[{\"0-9]", section, re.MULTILINE)
    assert example is not None
    assert setting.name.rpartition(".")[2] == example[1]


def test_no_other_setting_is_documented() -> None:
    assert set(headings(read("docs/settings.md"))) == {
        *settings.BY_NAME,
        "Settings",
        "Secrets",
        "What a change may bring",
    }


def test_the_settings_file_of_the_page_is_one(tmp_path: Path) -> None:
    file = tmp_path / "reconciler.toml"
    file.write_text(blocks(read("docs/settings.md"), "toml")[0].body, encoding="utf-8")
    found = settings.load(file, {}, {"CLICKHOUSE_URL": "none", "GIT_TOKEN": "t"})
    assert (found.branch, found.history_url, found.config_resource) == ("main", "none", "production")


def test_the_schema_of_the_page_is_one() -> None:
    text = blocks(read("docs/kinds.md"), "json")[0].body
    kinds, problems = read_kinds({"schemas/venue.schema.json": text.encode()}, bundled_kinds(), fault_finder())
    assert problems == ()
    assert "Venue" in kinds.by_name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in links(text):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_json_of_a_page_is_json(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8"), "json"):
        json.loads(block.body)


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("0*.md")), ids=lambda page: str(page.stem))
def test_a_decision_is_one_page_of_one_form(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    number = int(page.stem.partition("-")[0])
    assert re.fullmatch(r"\d{4}(-[a-z0-9]+)+", page.stem)
    assert headings(text)[0].startswith(f"{number}. ")
    assert headings(text)[1:] == ["Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= SCREEN


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(page.stem[:4]) for page in (DOCS / "decisions").glob("0*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("picture", ["flow", "hosts"])
def test_a_picture_differs_in_colours_only(picture: str) -> None:
    light, dark = (read(f"docs/{name}.svg") for name in (picture, f"{picture}-dark"))
    ElementTree.fromstring(light)
    colour = re.compile(r"#[0-9a-f]{6}\b")
    assert colour.sub("#", light) == colour.sub("#", dark)
    assert set(colour.findall(light)).isdisjoint(colour.findall(dark))


def test_no_file_knows_a_machine_or_a_registry() -> None:
    found = []
    for path in _files():
        text = PATHS_OF_TERMINALS.sub("", (ROOT / path).read_bytes().decode("utf-8", "replace"))
        found += [f"{path}: {mark} ({why})" for mark, why in MACHINES.items() if mark in text]
    assert found == []


def test_the_guard_reads_what_it_should() -> None:
    files = _files()
    assert {Path("README.md"), Path("constraints.txt"), Path("Makefile"), Path("reconciler/settings.py")} <= set(files)
    assert PATHS_OF_TERMINALS.sub("", "path: /home/ann/.wine/drive_c") == "path: /drive_c"
    assert PATHS_OF_TERMINALS.sub("", "cd /home/ann/checkout") == "cd /home/ann/checkout"


def _files() -> list[Path]:
    """Every text file that is committed or about to be."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    paths = [Path(name) for name in listing.split("\0") if name]
    kept = [path for path in paths if path.suffix in TEXTS and path.name not in NOT_OURS and (ROOT / path).is_file()]
    return [path for path in kept if path not in ABOUT_MACHINES]
