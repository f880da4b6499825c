"""docs/formats.md: each example is what the command prints, and every format has one of each."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.main import run
from reconciler.report.formats import PLAN_FORMATS
from tests.docs.markdown import EXAMPLE, Block, blocks, edit, headings, read
from tests.docs.session import matches, normal
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path

PAGE = read("docs/formats.md")
EXAMPLES = [block for block in blocks(PAGE, "console") if block.section in PLAN_FORMATS]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that the page is about: a commit, the pull request, and a slip in the working tree."""
    repo = GitRepo.create(tmp_path_factory.mktemp("formats") / "desk")
    shutil.copytree(EXAMPLE, repo.path, dirs_exist_ok=True)
    repo.git("add", ".")
    repo.git("commit", "--quiet", "-m", "Bring the desk's configuration under review")
    change, slip = blocks(PAGE, "diff")
    edit(change).apply(repo.path)
    for line in next(block for block in blocks(PAGE, "console") if block.section == "").body.splitlines():
        repo.git(*shlex.split(line.removeprefix("$ git ")))
    edit(slip).apply(repo.path)
    return repo.path


def test_the_page_has_a_heading_for_each_format_in_order() -> None:
    assert headings(PAGE) == ["Formats", *PLAN_FORMATS]


@pytest.mark.parametrize("form", PLAN_FORMATS)
def test_each_format_has_an_example(form: str) -> None:
    asked = "" if form == "text" else f" --format {form}"
    commands = {block.body.splitlines()[0] for block in EXAMPLES if block.section == form}
    assert commands & {f"$ reconciler validate{asked}", f"$ reconciler plan --base HEAD~1{asked}"}


@pytest.mark.usefixtures("one_engine")
@pytest.mark.parametrize("example", EXAMPLES, ids=[block.body.splitlines()[0] for block in EXAMPLES])
def test_an_example_is_what_is_printed(
    example: Block, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *told = example.body.splitlines()
    monkeypatch.chdir(desk)
    run(shlex.split(command.removeprefix("$ reconciler ")))
    real = capsys.readouterr().out
    assert matches(normal("\n".join(told)), normal(real)), real
