"""The queries of docs/sql.md are run on the example repository, and find what they say they look for."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.docs.commandline import Said, reconciler
from tests.docs.markdown import EXAMPLE, Edit, blocks, read
from tests.docs.session import environment
from tests.support.cases import some

if TYPE_CHECKING:
    from pathlib import Path

QUERIES = blocks(read("docs/sql.md"), "sql")
RISK = Edit("users/fx-majors-01.yaml", "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with a second commit."""
    desk = tmp_path_factory.mktemp("sql") / "desk"
    shutil.copytree(EXAMPLE, desk)
    _git(desk, "init", "--quiet", "--initial-branch", "main")
    _commit(desk, "Bring the desk's configuration under review")
    RISK.apply(desk)
    _commit(desk, "Cut risk on the majors for election week")
    assert _run(desk, "sync").code == 0
    return desk


@pytest.mark.parametrize("number", some(range(len(QUERIES)), 1))
def test_a_query_of_the_page(desk: Path, number: int) -> None:
    query = QUERIES[number]
    history = ["--history"] if query.section == "The history" else []
    said = _run(desk, "sql", *history, query.body, "--format", "json")
    assert said.code == 0, said.err
    rows = json.loads(said.out)["rows"]
    assert bool(rows) == ("not what git says" not in query.body)


def test_both_parts_of_the_page_have_queries() -> None:
    assert {query.section for query in QUERIES} == {"The live rows", "The history"}


def _run(desk: Path, *command: str) -> Said:
    return reconciler(command, desk, environment(desk))


def _commit(desk: Path, message: str) -> None:
    _git(desk, "add", ".")
    _git(desk, "commit", "--quiet", "-m", message)


def _git(desk: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=desk, env=environment(desk), capture_output=True, timeout=60, check=True)
