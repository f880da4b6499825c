"""docs/problems.md: a heading for each code that the sources can produce, and every example really made."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from reconciler import settings
from reconciler.adapters.git.queries import parse_commit
from reconciler.adapters.git.trees import SoundTree, read_tree
from reconciler.errors import broken_tree, too_many_paths
from reconciler.importing.cells import AMBIGUOUS
from reconciler.importing.drafts import CONTRADICTION
from reconciler.importing.mapping import CODE
from reconciler.reconcile.faults import broken_tree_problems, cannot_judge
from reconciler.reconcile.walk import check_dates
from reconciler.report.problems import problem_line
from reconciler.service.authoring import run_policy_tests
from reconciler.wiring.checkout import open_checkout
from reconciler.wiring.comparing import plan_between
from tests.docs.codes import source_codes
from tests.docs.markdown import EXAMPLE, Block, blocks, edit, headings, read
from tests.support.gitrepo import GitRepo
from tests.support.lending import Lent
from tests.support.world import World, engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.problem import Problem

PAGE = read("docs/problems.md")
BETWEEN_COMMITS = "schema-narrowed"
PLANNED = frozenset({"schema-replaced", "bad-policy", "bad-measure", "policy/NAME", "guard/prune-limit"})
"""Found by looking at a change: `plan` finds them, `validate` does not."""
OF_LINKS = "not-a-file"
OF_CONFLICTS = "unmerged"
OF_FILTERS = "not-committable"
OF_DATES = "date-out-of-range"
OF_BUGS = "cannot-judge"
"""Tells of a fault in the program: where one is known, it is mended."""
OF_TREES = "broken-tree"
OF_HOSTS = {"rolled-back", "halted"}
"""Depend on the host: tests/reconcile/test_rollback.py and test_stayoff.py have examples."""
OF_MANY = "more-problems"
OF_BULK = {"guard/growth"}
"""Takes more files than an edit of one."""
OF_TESTS = {"untested-policy": None, "bad-policy-test": "ok"}
"""Told by `policy test`, and what becomes of the folder `pass` then."""
OF_SPREADSHEETS = {AMBIGUOUS, CONTRADICTION, CODE}
"""Found in spreadsheets, not in files: tests/importing/test_spreadsheets.py has the examples."""
CONTRACT = """
yaml-syntax duplicate-key unsafe-yaml ambiguous-scalar unknown-kind unknown-field missing-field wrong-type not-allowed
out-of-range too-long bad-format not-finite secret duplicate-name duplicate-id dangling-reference
"""
OURS = """
bad-schema schema-narrowed schema-replaced not-a-file unmerged not-committable date-out-of-range cannot-judge
more-problems placeholder bad-policy bad-measure bad-policy-test untested-policy policy/NAME guard/prune-limit
guard/growth rolled-back halted
"""


def _examples() -> Iterator[tuple[Block, str]]:
    """Each `diff` block with the text block that follows it."""
    page = blocks(PAGE)
    for before, after in pairwise(page):
        if before.language == "diff":
            assert after.language == "text", after
            yield before, after.body


EXAMPLES = list(_examples())
JUDGED = [(change, told) for change, told in EXAMPLES if change.section in PLANNED]
CHECKED = [(change, told) for change, told in EXAMPLES if change.section not in {BETWEEN_COMMITS, *PLANNED}]


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Lent:
    return Lent(EXAMPLE, tmp_path_factory.mktemp("lent") / "desk")


@pytest.fixture
def desk(lent: Lent) -> Iterator[Path]:
    with lent.taken() as folder:
        yield folder


def test_the_codes_of_the_contract_are_found_in_the_sources() -> None:
    assert source_codes() >= {*CONTRACT.split(), *OURS.split()}


def test_every_code_has_a_heading_and_every_heading_a_code() -> None:
    assert sorted(set(headings(PAGE)) - {"Problems"}) == sorted(source_codes() | OF_SPREADSHEETS)
    assert len(headings(PAGE)) == len(set(headings(PAGE)))


def test_every_code_has_an_example() -> None:
    assert {change.section for change, _ in EXAMPLES} == source_codes() - {
        OF_LINKS,
        *OF_HOSTS,
        OF_CONFLICTS,
        OF_FILTERS,
        OF_DATES,
        OF_BUGS,
        OF_TREES,
        OF_MANY,
        *OF_BULK,
        *OF_TESTS,
    }


@pytest.mark.parametrize(("change", "told"), CHECKED, ids=[change.section for change, _ in CHECKED])
def test_an_example_gives_what_the_page_says(change: Block, told: str, desk: Path) -> None:
    edit(change).apply(desk)
    found = open_checkout(desk, "").check_paths(()).problems
    assert _lines(found) == told.splitlines()
    assert change.section in {problem.code for problem in found}


@pytest.mark.usefixtures("one_engine")
def test_copies_are_growth_as_the_page_says(desk: Path, tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "git")
    base = repo.commit(_files(desk))
    demo = (desk / "accounts" / "op-demo.yaml").read_text(encoding="utf-8")
    without_id = re.sub(r"\n *account_id: .*", "", demo)
    copies = {
        f"accounts/copy-{number}.yaml": without_id.replace("op-demo", f"copy-{number}") for number in range(1, 22)
    }
    plan, _ = plan_between(
        settings.load(None, {"repository.url": str(repo.path)}, {}), engine, base, repo.commit(copies)
    )
    told = next(block.body for block in blocks(PAGE) if block.section == "guard/growth")
    growth = tuple(problem for problem in plan.problems if problem.code == "guard/growth")
    assert _lines(growth) == told.splitlines()


@pytest.mark.usefixtures("one_engine")
@pytest.mark.parametrize(("change", "told"), JUDGED, ids=[change.section for change, _ in JUDGED])
def test_a_plan_says_what_the_page_says(change: Block, told: str, desk: Path, tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "git")
    base = repo.commit(_files(desk))
    edit(change).apply(desk)
    head = repo.commit(_files(desk))
    plan, _ = plan_between(settings.load(None, {"repository.url": str(repo.path)}, {}), engine, base, head)
    assert _lines(plan.problems) == told.splitlines()
    assert change.section.removesuffix("NAME") in plan.problems[0].code


@pytest.mark.parametrize("section", OF_TESTS)
def test_a_test_of_a_policy_says_what_the_page_says(section: str, desk: Path) -> None:
    told = next(block.body for block in blocks(PAGE, "text") if block.section == section)
    tests = desk / "policies" / "tests" / "total-risk"
    if OF_TESTS[section] is None:
        shutil.rmtree(tests)
    else:
        (tests / "pass").rename(tests / OF_TESTS[section])
    with engine() as opened:
        tested = run_policy_tests(open_checkout(desk, ""), opened, ["total-risk"])
    assert _lines(tested.problems) == told.splitlines()


def test_the_links_of_the_page_give_what_it_says(desk: Path) -> None:
    told = next(block.body for block in blocks(PAGE, "text") if block.section == OF_LINKS)
    for line in told.splitlines():
        (desk / line.partition(":")[0]).symlink_to("fx-majors-01.yaml")
    assert _lines(open_checkout(desk, "").check_paths(()).problems) == told.splitlines()


def test_a_filter_that_fails_is_told_as_the_page_says(desk: Path, tmp_path: Path) -> None:
    told = next(block.body for block in blocks(PAGE, "text") if block.section == OF_FILTERS)
    repo = GitRepo.create(tmp_path / "git")
    repo.git("config", "filter.risk.clean", "false")
    repo.git("config", "filter.risk.required", "true")
    shutil.copytree(desk, repo.path, dirs_exist_ok=True)
    (repo.path / ".gitattributes").write_text(f"{told.partition(':')[0]} filter=risk\n", encoding="utf-8")
    shutil.copy(repo.path / "users/fx-majors-01.yaml", repo.path / "users/fx-majors-03.yaml")
    found = open_checkout(repo.path, "").check_paths(()).problems
    assert _lines(found) == told.splitlines()


def test_the_date_of_the_page_is_told_as_it_says() -> None:
    told = next(block.body for block in blocks(PAGE, "text") if block.section == OF_DATES)
    year_2500 = b"author A <a@b> 1700000000 +0000\ncommitter A <a@b> 16725225600 +0000\n\nLate"
    [problem] = check_dates(parse_commit("0" * 40, (), b"tree x\n" + year_2500))
    assert problem_line(problem) == told.strip()


def test_the_faults_of_the_page_are_told_as_it_says() -> None:
    fault, limit = (block.body for block in blocks(PAGE, "text") if block.section == OF_BUGS)
    assert problem_line(cannot_judge(fault.partition(":")[0], "RecursionError")) == fault.strip()
    exceeded = too_many_paths(250_000)
    assert problem_line(cannot_judge(".", str(exceeded), exceeded.hint)) == limit.strip()


def test_the_broken_tree_of_the_page_is_told_as_it_says() -> None:
    told = next(block.body for block in blocks(PAGE, "text") if block.section == OF_TREES)
    tree = b"100644 fx-majors-01.yaml\0" + b"a" * 20
    flaw = read_tree(tree * 2, 20)
    assert not isinstance(flaw, SoundTree)
    [problem] = broken_tree_problems(broken_tree((f"users/{flaw[0].decode()}", flaw[1])))
    assert problem_line(problem) == told.strip()


def test_the_narrowed_schema_of_the_page_is_refused_as_it_says(tmp_path: Path, desk: Path) -> None:
    """`calder-old` left git while the prune mode was `off`, so its row stayed."""
    change, told = next(one for one in EXAMPLES if one[0].section == BETWEEN_COMMITS)
    repo = GitRepo.create(tmp_path / "git")
    broker = (desk / "brokers/caldervale-eu.yaml").read_text(encoding="utf-8").replace("caldervale-eu", "calder-old")
    left = re.sub("limit_orders: .*", "limit_orders: 5000", re.sub("broker_id: .*\n *", "", broker))
    keeping = {"reconciler.yaml": "apiVersion: reconciler/v1\nkind: Repository\nspec: {prune: {mode: off}}\n"}
    world = World(repo.path)
    for files in ({**_files(desk), "brokers/old.yaml": left, **keeping}, {"brokers/old.yaml": None}):
        repo.commit(files)
        assert not any(problem.is_error for problem in world.sync().plan.problems)
    edit(change).apply(desk)
    repo.commit({**_files(desk), **keeping})
    assert [line for line in _lines(world.sync().plan.problems) if "schema-" in line] == told.splitlines()


def _files(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _lines(problems: tuple[Problem, ...]) -> list[str]:
    return [problem_line(problem) for problem in problems]
