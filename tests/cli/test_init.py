"""`init`: its templates, its questions, its files for CI, and a host on the same machine."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import yaml
from reconciler_ci.__main__ import JOBS

from reconciler.adapters.files import Folder
from reconciler.adapters.git.beginning import begin_repository
from reconciler.adapters.journal import NAME, note_files
from reconciler.adapters.ownwheel import OtherWheels, find_other_wheels
from reconciler.cli.commands.init import PLATFORMS, TEMPLATES
from reconciler.cli.main import COMMANDS
from reconciler.scaffold.repository import NewRepository
from reconciler.wiring.newrepository import plan_repository
from reconciler.wiring.scaffolding import bundled_files
from tests.cli.test_authoring import files, shell
from tests.docs.markdown import EXAMPLE, ROOT
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from tests.cli.test_authoring import Shell

__all__ = ["shell"]
WHEEL = re.compile(r"\.reconciler/program/reconciler-[0-9.]+-py3-none-any\.whl")
QUESTIONS = ("What is the desk called?", "Start from which template?", "On a forge,", "Where are changes checked?")


@pytest.fixture
def git_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ann")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ann@example.com")


def answer_with(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """A terminal at which somebody types these lines."""
    typed = io.StringIO("".join(f"{line}\n" for line in lines))
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


def test_the_templates_are_those_that_the_command_knows() -> None:
    known = bundled_files().templates
    assert sorted(known.templates) == sorted(TEMPLATES)
    assert {one for platforms in PLATFORMS.values() for one in platforms} == {*known.platforms}
    for name, template in known.templates.items():
        assert len(f"  {name:8} {template.about}") <= 80


def test_nothing_of_the_example_stands_in_the_tree_twice() -> None:
    ours = {file.read_bytes() for file in (ROOT / "scaffold" / "desk").rglob("*") if file.is_file()}
    assert not ours & {file.read_bytes() for file in EXAMPLE.rglob("*") if file.is_file()}


def test_a_desk_is_valid_without_a_word_of_complaint(shell: Shell, tmp_path: Path) -> None:
    assert shell("init", "d", "--template", "desk", "--name", "alpha", "--ci", "none").code == 0
    desk = files(tmp_path / "d")
    assert shell("validate", "--repo", "d").out == "8 resources in 8 files: no problems\n"
    assert b"desk-name" not in b"".join(desk.values())
    rules = {path for path in desk if re.fullmatch(r"policies/[a-z-]+\.sql", path)}
    assert rules == {f"policies/{file.name}" for file in (EXAMPLE / "policies").glob("*.sql")}
    assert {path for path in desk if path.startswith("policies/")} == {
        file.relative_to(EXAMPLE).as_posix() for file in (EXAMPLE / "policies").rglob("*") if file.is_file()
    }
    (broker,) = re.findall(rb"^  broker_id: (.+)$", desk["brokers/caldervale-eu.yaml"], re.MULTILINE)
    assert broker not in (EXAMPLE / "brokers/caldervale-eu.yaml").read_bytes(), "an id that another desk has, too"
    assert b"broker_id: " + broker in desk["accounts/example-account.yaml"]
    told = set(re.findall(r"`([a-z./]+)/`", desk["README.md"].decode()))
    assert {path.rpartition("/")[0] for path in desk if "/" in path and "/tests/" not in path} == told
    for path, text in desk.items():
        if "/example-" in path:
            assert yaml.safe_load(text)["spec"]["status"] == "INACTIVE"


@pytest.mark.slow
def test_a_desk_goes_live_and_its_rules_do_what_their_tests_say(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("init", "d", "--template", "desk")
    monkeypatch.chdir(tmp_path / "d")
    GitRepo(tmp_path / "d").git("add", "--all")
    GitRepo(tmp_path / "d").git("commit", "--message", "Begin")
    tested = shell("policy", "test")
    assert tested.code == 0, tested.out
    assert re.search(r"of 26 policies( and .*)?: all as expected\n$", tested.out)
    assert shell("plan").out.endswith("8 to create, 0 to update, 0 to delete.\n")
    assert shell("sync").code == 0
    assert shell("plan").code == 0


def test_four_questions_with_defaults(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, "", "", "", "")
    answer = shell("init", "My Desk_2")
    assert answer.code == 0
    assert [question for question in QUESTIONS if question in answer.err] == [*QUESTIONS]
    made = files(tmp_path / "My Desk_2")
    assert "systems/my-desk-2.yaml" in made
    assert "brokers/ostrin-prime.yaml" in made
    assert ".github/workflows/config.yml" in made
    assert ".gitlab-ci.yml" not in made
    assert all(len(line) <= 80 for line in answer.err.split("\n") if line.startswith("  "))


def test_what_an_option_says_is_not_asked(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, "dezk", "minimal")
    answer = shell("init", "d", "--name", "alpha", "--forge", "--ci", "none")
    assert answer.code == 0
    assert "dezk is none of desk, minimal (did you mean desk?)" in answer.err
    assert "called" not in answer.err
    assert (tmp_path / "d/README.md").read_text(encoding="utf-8").startswith("# Trading configuration of alpha\n")
    assert "users/example-user.yaml" in files(tmp_path / "d")


@pytest.mark.parametrize("name", ["Alpha", "-a", "a b", "a" * 64, "ü"])
def test_a_name_that_no_resource_may_have_writes_nothing(shell: Shell, tmp_path: Path, name: str) -> None:
    answer = shell("init", "d", f"--name={name}", "--ci", "none")
    assert (answer.code, answer.out) == (3, "")
    assert "lower-case letters" in answer.err
    assert not (tmp_path / "d").exists()


def test_its_files_for_ci_and_hooks_need_nothing_to_be_set(shell: Shell, tmp_path: Path) -> None:
    assert shell("init", "d").code == 0
    made = files(tmp_path / "d")
    (wheel,) = (path for path in made if path.endswith(".whl"))
    assert WHEEL.fullmatch(wheel)
    for name in (".pre-commit-config.yaml", ".gitlab-ci.yml", ".github/workflows/config.yml"):
        text = made[name].decode()
        assert yaml.safe_load(text)
        asked = set(re.findall(r"\breconciler ([a-z]+)", re.sub(r"#.*|name:.*", "", text)))
        jobs = set(re.findall(r"-m reconciler_ci ([a-z-]+)", text))
        assert "validate" in asked or jobs
        assert asked <= {*COMMANDS}, name
        assert jobs <= {*JOBS}, name
        assert "pip install reconciler" not in text  # whose package that would be is anybody's guess
        assert not re.search(r"\bvars\.|\$\{[A-Z_]+:\?", text), "a variable to set"
        assert not jobs or re.search(r"pip install (--quiet )?\.reconciler/program/\*\.whl$", text, re.MULTILINE)


def test_a_host_on_the_same_machine(shell: Shell, tmp_path: Path, git_name: None) -> None:
    """That it then goes live, `tests/running/test_local.py` tries."""
    answer = shell("init", "--local", "d", "--template", "desk")
    assert answer.code == 0, answer.err
    work, bare, home = GitRepo(tmp_path / "d"), tmp_path / "d.git", tmp_path / "d.host"
    assert work.git("status", "--porcelain") == ""
    assert work.git("rev-parse", "HEAD") == GitRepo(bare).git("rev-parse", "main")
    assert work.git("rev-parse", "--abbrev-ref", "main@{upstream}") == "origin/main"
    given = tomllib.loads((home / "reconciler.toml").read_text(encoding="utf-8"))
    assert given["repository"] == {"url": str(bare), "branch": "main"}
    assert given["state"] == {"dir": str(home / "state")}
    assert given["history"] == {"url": "duckdb"}
    assert given["host"] == {"system": "d"}
    assert ".github/workflows/config.yml" not in files(tmp_path / "d"), "nothing runs them"
    told = answer.err.splitlines()
    assert told[-3:-1] == [f'next: cd "{home}"', "      reconciler run"]
    again = shell("init", "--local", str(tmp_path / "d"), "--template", "desk")
    assert again.code == 0
    assert f"kept {bare}: it was there already" in again.err
    assert work.git("rev-parse", "HEAD") == GitRepo(bare).git("rev-parse", "main")


def test_history_that_was_pushed_stays(shell: Shell, tmp_path: Path, git_name: None) -> None:
    shell("init", "--local", "d")
    work = GitRepo(tmp_path / "d")
    work.git("commit", "--amend", "--message", "Another one")
    with pytest.raises(AssertionError):
        work.git("push", "--force", "origin", "main")
    with pytest.raises(AssertionError):
        work.git("push", "origin", ":main")


def test_without_a_name_for_git_it_says_what_to_type(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    config = tmp_path / ".gitconfig"
    config.write_text("[user]\n  useConfigOnly = true\n", encoding="utf-8")
    answer = shell("init", "--local", "d")
    assert answer.code == 0, answer.err
    assert '      git config --global user.name "YOUR NAME"\n' in answer.err
    assert "      git push --set-upstream origin HEAD\n" in answer.err


def test_a_part_of_a_repository_has_no_host_of_its_own(shell: Shell, tmp_path: Path) -> None:
    subprocess.run(("git", "init", "--quiet", tmp_path), check=True)
    answer = shell("init", "--local", "d")
    assert answer.code == 3
    assert "part of another repository" in answer.err
    assert not [path for path in tmp_path.iterdir() if path.name != ".git"], "nothing was written"


def test_what_pushes_elsewhere_is_left_alone(shell: Shell, tmp_path: Path) -> None:
    subprocess.run(("git", "init", "--quiet", tmp_path / "d"), check=True)
    GitRepo(tmp_path / "d").git("remote", "add", "origin", "https://git.example.com/desk.git")
    answer = shell("init", "--local", "d")
    assert answer.code == 3
    assert "pushes to https://git.example.com/desk.git already" in answer.err
    assert files(tmp_path / "d") == {}
    (tmp_path / "e.git").mkdir()
    assert shell("init", "--local", "e").code == 3
    assert not (tmp_path / "e").exists()


def test_a_repository_with_a_history_brings_it_along(shell: Shell, tmp_path: Path, git_name: None) -> None:
    work = GitRepo.create(tmp_path / "d", branch="trunk")
    head = work.commit({"README.md": "# Ours"}, branch="trunk")
    answer = shell("init", "--local", "d")
    assert answer.code == 0, answer.err
    assert GitRepo(tmp_path / "d.git").git("rev-parse", "trunk") == head
    assert "may not be committed yet" in answer.err
    given = tomllib.loads((tmp_path / "d.host/reconciler.toml").read_text(encoding="utf-8"))
    assert given["repository"]["branch"] == "trunk"


def test_all_that_is_in_the_way_is_told_and_nothing_is_written(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for name in ("d/users", "d.host", "d.git"):
        (tmp_path / name).write_bytes(b"")
    answer = shell("init", "--local", "d")
    assert (answer.code, answer.out) == (3, "")
    assert [line.split(": ")[1] for line in answer.err.splitlines() if line.startswith("error: ")] == [
        f"cannot write {tmp_path / name}" for name in ("d/users", "d.git", "d.host")
    ]
    assert files(tmp_path) == {"d.git": b"", "d.host": b"", "d/users": b""}


@pytest.mark.parametrize("name", ["/", "", "y" * 252, "d\udcff"])
def test_a_place_that_is_none_is_no_bug(shell: Shell, tmp_path: Path, name: str) -> None:
    answer = shell("init", "--local", name)
    assert (answer.code, answer.out) == (3, "")
    assert "bug" not in answer.err
    assert not [*tmp_path.iterdir()]


def test_a_left_over_remote_is_no_beginning(shell: Shell, tmp_path: Path, git_name: None) -> None:
    """The daemon would make live what is in there, not what was just written."""
    assert shell("init", "--local", "d").code == 0
    shutil.rmtree(tmp_path / "d")
    before = files(tmp_path)
    answer = shell("init", "--local", "d")
    assert (answer.code, answer.out) == (3, "")
    assert "d.git is there already, with commits that" in answer.err
    assert files(tmp_path) == before


def test_what_lies_there_is_told_and_not_committed(shell: Shell, tmp_path: Path, git_name: None) -> None:
    for name in ("id_rsa", "README.md", "desk.xlsx"):
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d" / name).write_bytes(b"ours\n")
    answer = shell("init", "--local", "d")
    assert answer.code == 0, answer.err
    assert "not committed, as init did not write it: README.md, desk.xlsx, id_rsa\n" in answer.err
    committed = GitRepo(tmp_path / "d.git").git("ls-tree", "-r", "--name-only", "main").splitlines()
    assert set(committed) == files(tmp_path / "d").keys() - {"id_rsa", "README.md", "desk.xlsx"}


def test_a_run_after_a_kill_knows_its_own_files(shell: Shell, tmp_path: Path, git_name: None) -> None:
    wanted, desk = NewRepository("minimal", "d", ()), tmp_path / "d"
    planned = plan_repository(desk, wanted, lambda: str(uuid4()), bundled_files(), with_host=True)
    some = dict(list(planned.new.items())[:5])
    with ExitStack() as undo:
        desk.mkdir()
        note_files(begin_repository(planned.place, undo), {}, planned.new, undo)
        for path, data in some.items():
            Folder(desk).create(path, data)
        (desk / next(iter(some))).write_bytes(b"changed")
        undo.pop_all()
    answer = shell("init", "--local", "d")
    assert answer.code == 0, answer.err
    assert "went on with 4 files that an earlier run has written\n" in answer.err
    assert GitRepo(desk).git("status", "--porcelain") == f"?? {next(iter(some))}"
    assert not (desk / ".git" / NAME).exists()


def test_older_wheels_go_unless_somebody_else_made_them(shell: Shell, tmp_path: Path) -> None:
    older = ("reconciler-0.0.10-py3-none-any.whl", "reconciler-0.0.9rc1-py3-none-any.whl")
    folder = tmp_path / "d/.reconciler/program"
    folder.mkdir(parents=True)
    for name in older:
        with zipfile.ZipFile(folder / name, "w") as wheel:
            wheel.writestr("reconciler-0.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: reconciler\n")
    answer = shell("init", "d", "--ci", "github")
    assert [line for line in answer.err.splitlines() if line.startswith("removed ")] == [
        f"removed {Path('d/.reconciler/program') / name}: an older version of the program" for name in older
    ]
    (own,) = folder.iterdir()
    own.rename(folder / "reconciler-99.1-py3-none-any.whl")
    (folder / older[0]).write_bytes(b"of somebody")
    found = find_other_wheels(folder, own.name)
    assert found == OtherWheels((), (older[0], "reconciler-99.1-py3-none-any.whl"))
    assert "has 2 versions of the program" in shell("init", "d", "--ci", "github").err
    assert not own.exists()


def test_settings_of_another_host_are_no_beginning(shell: Shell, tmp_path: Path, git_name: None) -> None:
    (tmp_path / "d.host/state").mkdir(parents=True)
    (tmp_path / "d.host/state/state.duckdb").write_bytes(b"")
    (tmp_path / "d.host/reconciler.toml").write_text('[repository]\nurl = "/elsewhere.git"\n', encoding="utf-8")
    answer = shell("init", "--local", "d")
    assert answer.code == 3
    assert "is there, and follows /elsewhere.git" in answer.err
    assert "has the live rows of an earlier host" in answer.err
    assert not (tmp_path / "d").exists()
