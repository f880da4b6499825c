"""`init`, `new` and `schema`: what they write is valid, canonical and in place, and nothing is overwritten."""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from reconciler.adapters.bundled import (
    find_example_repository,
    load_bundled_schemas,
    load_editor_schemas,
    load_example_files,
    load_scaffold_templates,
)
from reconciler.cli.main import run
from reconciler.format.format import KeyOrder, format_file
from reconciler.wiring.bundled import bundled_kinds
from tests.cli.conftest import Answer
from tests.docs.markdown import ROOT, blocks, read

if TYPE_CHECKING:
    from collections.abc import Callable

    Shell = Callable[..., Answer]

YAML_SUFFIXES = (".yaml", ".yml")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in a folder `desk`, which is not there yet, from its parent."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: str) -> Answer:
        capsys.readouterr()
        code = run(arguments)
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture
def desk(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository as `init` makes it, without the program; the working directory is inside."""
    assert shell("init", "desk", "--ci", "none").code == 0
    monkeypatch.chdir(tmp_path / "desk")
    return tmp_path / "desk"


@pytest.fixture
def example(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example repository; the working directory is inside."""
    folder = tmp_path / "example"
    for file in find_example_repository().rglob("*"):
        if file.is_file():
            copy = folder / file.relative_to(find_example_repository())
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    monkeypatch.chdir(folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Everything but git's own."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in sorted(found.items()) if not name.startswith(".git/")}


class TestInit:
    def test_all_that_is_written_is_told(self, shell: Shell, tmp_path: Path) -> None:
        answer = shell("init", "desk")
        assert answer.code == 0
        assert answer.out.splitlines() == [str(Path("desk") / name) for name in files(tmp_path / "desk")]
        assert "next: reconciler validate --repo desk\n" in answer.err

    def test_it_is_valid(self, desk: Path, shell: Shell) -> None:
        answer = shell("validate")
        *warnings, last = answer.out.splitlines()
        assert (answer.code, last, answer.err) == (0, "5 resources in 5 files: 0 errors, 3 warnings", "")
        assert all(" warning [placeholder] /spec/" in line for line in warnings)

    def test_it_is_canonical(self, desk: Path) -> None:
        order = KeyOrder(bundled_kinds().kinds, {"Repository": bundled_kinds().repository})
        for name, text in files(desk).items():
            if name.endswith(YAML_SUFFIXES):
                assert format_file(name, text, order).after == text, name

    @pytest.mark.slow
    def test_its_policy_does_what_its_tests_say(self, desk: Path, shell: Shell) -> None:
        answer = shell("policy", "test")
        assert answer.code == 0, answer.err
        assert "risk-jump/fail-four-times" in answer.out

    def test_nothing_in_it_trades(self, desk: Path) -> None:
        for name, text in files(desk).items():
            if "/example-" in name:
                assert yaml.safe_load(text)["spec"].get("status", "INACTIVE") == "INACTIVE"

    def test_it_is_a_git_repository_on_main_with_nothing_ignored(self, desk: Path) -> None:
        def git(*words: str) -> str:
            return subprocess.run(("git", *words), cwd=desk, capture_output=True, text=True, check=True).stdout

        assert git("symbolic-ref", "HEAD") == "refs/heads/main\n"
        untracked = git("status", "--porcelain", "--untracked-files=all").replace("?? ", "")
        assert untracked.splitlines() == [*files(desk)]

    def test_a_clone_with_a_readme_is_filled_up(self, shell: Shell, tmp_path: Path) -> None:
        folder = tmp_path / "clone"
        subprocess.run(("git", "init", "--quiet", "--initial-branch", "trunk", folder), check=True)
        (folder / "README.md").write_bytes(b"# Ours\n")
        answer = shell("init", "clone", "--ci", "none")
        assert answer.code == 0
        assert "kept clone/README.md: it was there already\n" in answer.err.replace(os.sep, "/")
        assert "README.md" not in answer.out
        assert (folder / "README.md").read_bytes() == b"# Ours\n"
        assert (folder / ".git/HEAD").read_text(encoding="utf-8") == "ref: refs/heads/trunk\n"
        assert (folder / "reconciler.yaml").is_file()

    def test_a_folder_inside_a_repository_gets_none_of_its_own(self, shell: Shell, tmp_path: Path) -> None:
        subprocess.run(("git", "init", "--quiet", tmp_path), check=True)
        answer = shell("init", "config", "--ci", "none")
        assert answer.code == 0
        assert not (tmp_path / "config/.git").exists()
        assert "config is inside a git repository already" in answer.err

    def test_twice_changes_nothing(self, desk: Path, shell: Shell) -> None:
        before = files(desk)
        answer = shell("init", ".", "--ci", "none")
        assert (answer.code, answer.out) == (0, "")
        assert files(desk) == before

    def test_two_repositories_share_no_id(self, shell: Shell, tmp_path: Path) -> None:
        shell("init", "one", "--ci", "none")
        shell("init", "other", "--ci", "none")
        ids = [
            re.findall(rb"_id: (\S+)", text) for name in ("one", "other") for text in files(tmp_path / name).values()
        ]
        made = [one for found in ids for one in found if not one.startswith(b"00000000")]
        assert len(made) == len(set(made)) == 10
        assert {uuid.UUID(one.decode()).version for one in made} == {4}

    def test_a_file_in_the_way_is_told(self, shell: Shell, tmp_path: Path) -> None:
        (tmp_path / "desk").write_bytes(b"")
        answer = shell("init", "desk")
        assert (answer.code, answer.out) == (3, "")
        assert answer.err.startswith("error: cannot write ")

    def test_the_readme_names_every_folder(self, desk: Path) -> None:
        told = set(re.findall(r"`([a-z./]+)/`", (desk / "README.md").read_text(encoding="utf-8")))
        there = {name.rpartition("/")[0] for name in files(desk) if "/" in name}
        assert {name for name in there if not name.startswith("policies/")} | {"schemas"} == told


class TestNew:
    def test_it_prints_where_it_wrote_and_validates(self, desk: Path, shell: Shell) -> None:
        answer = shell("new", "user", "scalper-01")
        assert answer == Answer(0, f"{Path('users/scalper-01.yaml')}\n", "")
        assert shell("validate", "users").out == "2 resources in 2 files: no problems\n"
        written = yaml.safe_load((desk / "users/scalper-01.yaml").read_bytes())
        assert uuid.UUID(written["spec"]["user_id"]).version == 4

    def test_what_is_left_to_fill_in_is_told(self, desk: Path, shell: Shell) -> None:
        answer = shell("new", "account", "main")
        assert answer.code == 0
        told = answer.err.splitlines()
        assert [line.split(" is a placeholder")[0].split(": ", 1)[1] for line in told] == [
            "warning [placeholder] /spec/broker_id: '00000000-0000-0000-0000-000000000000'",
            "warning [placeholder] /spec/currency_pair: 'CHANGE-ME'",
        ]
        assert set(told) <= {*shell("validate").out.splitlines()}

    def test_each_gets_an_id_of_its_own(self, desk: Path, shell: Shell) -> None:
        for name in ("a", "b"):
            assert shell("new", "users", name).code == 0
        one, other = (yaml.safe_load((desk / f"users/{name}.yaml").read_bytes()) for name in ("a", "b"))
        assert one["spec"]["user_id"] != other["spec"]["user_id"]

    def test_a_repositorys_own_kind(self, example: Path, shell: Shell) -> None:
        assert shell("new", "broker", "new-one").out == f"{Path('brokers/new-one.yaml')}\n"
        text = (example / "brokers/new-one.yaml").read_text(encoding="utf-8")
        assert text.startswith("# yaml-language-server: $schema=../schemas/broker.schema.json\n")
        assert shell("validate", "brokers").code == 0

    def test_nothing_is_overwritten(self, desk: Path, shell: Shell) -> None:
        (desk / "users/taken.yaml").write_bytes(b"# ours\n")
        answer = shell("new", "user", "taken")
        assert (answer.code, answer.out) == (3, "")
        assert "taken.yaml exists already" in answer.err
        assert (desk / "users/taken.yaml").read_bytes() == b"# ours\n"

    def test_to_a_file_of_choice(self, desk: Path, shell: Shell) -> None:
        assert shell("new", "system", "lab", "--file", "lab/all.yaml").out == f"{Path('lab/all.yaml')}\n"
        text = (desk / "lab/all.yaml").read_text(encoding="utf-8")
        assert "$schema=../.reconciler/schemas/system.schema.json\n" in text

    def test_from_another_folder(self, desk: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(desk / "policies")
        assert shell("new", "user", "x").out == f"{desk / 'users/x.yaml'}\n"

    def test_to_stdout(self, desk: Path, shell: Shell) -> None:
        before = files(desk)
        answer = shell("new", "user", "x", "--file", "-")
        assert yaml.safe_load(answer.out)["metadata"] == {"name": "x"}
        assert answer.out.startswith("# yaml-language-server: $schema=../.reconciler/schemas/user.schema.json\n")
        assert files(desk) == before

    def test_below_the_folder_where_the_configuration_begins(self, shell: Shell, tmp_path: Path) -> None:
        (tmp_path / "desk").mkdir()
        subprocess.run(("git", "init", "--quiet", tmp_path), check=True)
        answer = shell("new", "user", "x", "--path", "desk")
        assert answer.out == f"{Path('desk/users/x.yaml')}\n"
        assert "hint: `reconciler schema export` writes desk/.reconciler/schemas/user.schema.json" in answer.err

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("usr", "x"), "error: there is no kind usr\nhint: did you mean user?\n"),
            (("user", "X Y"), "error: [bad-format] /metadata/name: 'X Y' has the wrong format\nhint: 1 to 63"),
            (("user", "../x"), "error: [bad-format] /metadata/name: '../x' has the wrong format\n"),
            (("user", "example-user"), "error: User example-user is declared already: users/example-user.yaml:3\n"),
            (("user", "x", "--file", "x.txt"), "error: x.txt would not be part of the configuration\n"),
            (("user", "x", "--file", ".hidden/x.yaml"), "error: .hidden/x.yaml would not be part"),
            (("user", "x", "--file", "policies/x.yaml"), "error: policies/x.yaml would not be part"),
            (("user", "x", "--file", "../x.yaml"), "is outside the repository"),
        ],
        ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
    )
    def test_what_makes_no_sense_writes_nothing(
        self, desk: Path, shell: Shell, words: tuple[str, ...], told: str
    ) -> None:
        before = files(desk)
        answer = shell("new", *words)
        assert (answer.code, answer.out) == (3, "")
        assert told in answer.err
        assert files(desk) == before
        assert not (desk.parent / "x.yaml").exists()


class TestSchema:
    def test_list(self, example: Path, shell: Shell) -> None:
        told = json.loads(shell("schema", "list", "--format", "json").out)
        assert [one["kind"] for one in told] == ["Account", "Broker", "Instance", "Signal", "System", "User"]
        silent = {one["kind"]: one.pop("without_direction") for one in told}
        assert (silent["User"], silent["System"]) == (["lot_size_type", "stop_loss_type", "take_profit_type"], [])
        assert told[1] == {
            "kind": "Broker",
            "table": "broker_config",
            "key": "broker_id",
            "columns": 12,
            "origin": "schemas/broker.schema.json",
        }
        assert {one["origin"] for one in told if one["kind"] != "Broker"} == {"shipped"}
        lines = shell("schema", "list").out.splitlines()
        assert lines[0].split() == ["kind", "table", "key", "columns", "from", "without", "direction"]
        cells = [[*map(str, one.values()), *(", ".join(silent[one["kind"]]) or "-").split()] for one in told]
        assert [line.split() for line in lines[1:]] == cells

    def test_a_kind_that_is_wrong_is_told_and_not_listed(self, example: Path, shell: Shell) -> None:
        (example / "schemas/broker.schema.json").write_text("{}", encoding="utf-8")
        answer = shell("schema", "list")
        assert answer.code == 1
        assert "Broker" not in answer.out
        assert "schemas/broker.schema.json:1:1: error [bad-schema]" in answer.err

    def test_show(self, example: Path, shell: Shell) -> None:
        schema = json.loads((example / "schemas/broker.schema.json").read_bytes())
        assert json.loads(shell("schema", "show", "brokers", "--format", "json").out) == schema
        text = shell("schema", "show", "Broker").out
        assert text.startswith(f"Broker: {schema['description']}\ntable broker_config, schemas/broker.schema.json\n\n")
        for name in schema["x-reconciler"]["columns"]:
            assert re.search(rf"^{name} ", text, re.MULTILINE)

    def test_export(self, example: Path, shell: Shell) -> None:
        (example / ".reconciler/schemas/user.schema.json").write_bytes(b"old")
        answer = shell("schema", "export")
        assert answer.code == 0
        written = {Path(line) for line in answer.out.splitlines()}
        assert written == {path.relative_to(example) for path in (example / ".reconciler/schemas").iterdir()}
        assert {path.name for path in written} == {
            *(Path(name).name for name in load_bundled_schemas()),
            *load_editor_schemas(),
            "broker.schema.json",
        }
        own = (example / ".reconciler/schemas/broker.schema.json").read_bytes()
        assert own == (example / "schemas/broker.schema.json").read_bytes()
        shipped = (example / ".reconciler/schemas/user.schema.json").read_bytes()
        assert shipped == load_bundled_schemas()["schemas/user.schema.json"]

    def test_export_elsewhere(self, example: Path, shell: Shell, tmp_path: Path) -> None:
        before = files(example)
        out = tmp_path / "out"
        assert shell("schema", "export", "--to", str(out)).out.splitlines()[0] == str(out / "account.schema.json")
        assert "repository.schema.json" in files(out)
        assert files(example) == before

    def test_global_options_stand_anywhere(
        self, example: Path, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        orders: list[tuple[str, ...]] = [
            ("--repo", str(example), "schema", "list"),
            ("schema", "--repo", str(example), "list"),
            ("schema", "list", "--repo", str(example)),
        ]
        monkeypatch.chdir(tmp_path)
        assert all("broker_config" in shell(*words).out for words in orders)
        assert "broker_config" not in shell("schema", "list").out

    @pytest.mark.parametrize("words", [(), ("lsit",)])
    def test_without_a_command_it_says_so_in_two_lines(self, desk: Path, shell: Shell, words: tuple[str, ...]) -> None:
        answer = shell("schema", *words)
        assert answer.code == 3
        assert [line.partition(":")[0] for line in answer.err.splitlines()] == ["error", "hint"]


def test_the_schemas_of_both_settings_files_are_among_the_editors() -> None:
    schemas: dict[str, Any] = {name: json.loads(text) for name, text in load_editor_schemas().items()}
    assert {schema["title"] for schema in schemas.values()} == {"Repository", "reconciler.toml"}
    assert not {f"schemas/{name}" for name in schemas} & load_bundled_schemas().keys()


def test_the_templates_are_those_of_the_checkout_and_part_of_a_wheel() -> None:
    assert load_scaffold_templates() == files(ROOT / "scaffold")
    assert load_example_files() == files(ROOT / "config-repo-example")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"scaffold" = "reconciler/_data/scaffold"\n' in project
    assert re.search(r'^include = \[[^]]*"scaffold"', project, re.MULTILINE)


def test_the_page_shows_what_new_writes(desk: Path, shell: Shell) -> None:
    (told,) = (block.body for block in blocks(read("docs/commands.md"), "yaml") if block.section == "new")
    real = shell("new", "system", "vps-ldn-01", "--file", "-").out
    row_id = re.compile(r"config_id: [0-9a-f-]{36}")
    assert row_id.sub("", told) == row_id.sub("", real)
    assert len(row_id.findall(told)) == 1


def test_a_kind_is_made_from_a_sample(shell: Shell, desk: Path) -> None:
    (desk.parent / "ea.set").write_bytes("; Lots\r\nInpLots=0.10||0.1||0.01||1||N\r\nInpLive=true\r\n".encode("utf-16"))
    made = shell("schema", "new", "robot", "--from", str(desk.parent / "ea.set"))
    assert (made.code, made.out.splitlines()) == (0, ["schemas/robot.schema.json", "robots/ea.yaml"])
    assert "InpLots is called inp_lots" in made.err
    assert shell("validate").code == 0
    again = shell("schema", "new", "Robot", "--from", str(desk.parent / "ea.set"))
    assert (again.code, again.out) == (3, "")
    assert "there is a kind Robot already" in again.err


def test_a_schema_of_values_becomes_a_kind_in_its_place(shell: Shell, desk: Path) -> None:
    file = desk / "schemas" / "raw.schema.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"type": "object", "properties": {"lots": {"type": "number"}}, "required": ["lots"]}')
    assert "reconciler schema new NAME --from schemas/raw.schema.json" in shell("validate").out
    made = shell("schema", "new", "Robot", "--from", str(file))
    assert (made.code, made.out.splitlines()) == (0, ["schemas/raw.schema.json", "robots/example-robot.yaml"])
    assert shell("validate").code == 0


NO_SAMPLES = (
    ("a.txt", "a", 3, "a file .txt is not read"),
    ("a.json", '{"a": NaN}', 3, "no number of JSON"),
    ("a.json", "[" * 5000, 3, "is no JSON"),
    ("a.yaml", "a: [", 3, "a.yaml:"),
    ("a.csv", "a,b\n", 3, "has no rows"),
    ("a.json", '{"$schema": "x json-schema.org", "properties": {"a": {"type": "string", "patern": "x"}}}', 1, "patern"),
    ("a.json", '{"$schema": "http://json-schema.org/draft-07/schema#", "properties": []}', 3, "is no JSON Schema"),
    ("missing.csv", None, 3, "there is no file"),
)


def test_what_makes_no_kind_writes_nothing(shell: Shell, desk: Path) -> None:
    before = sorted(desk.rglob("*"))
    for name, content, code, told in NO_SAMPLES:
        if content is not None:
            (desk.parent / name).write_text(content)
        answer = shell("schema", "new", "Robot", "--from", str(desk.parent / name))
        assert (answer.code, answer.out) == (code, ""), name
        assert told in answer.err
        assert sorted(desk.rglob("*")) == before
