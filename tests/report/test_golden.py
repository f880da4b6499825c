"""Every format of one plan and one check that have a bit of everything, as files to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.report.formats import PLAN_FORMATS, PROBLEM_FORMATS
from tests.report.rich import CALM, CHECKED, CLEAN, EMPTY, PLAN, RICH_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = {
    "text": "{}.txt",
    "json": "{}.json",
    "markdown": "{}.md",
    "github": "{}.github.txt",
    "sarif": "{}.sarif.json",
    "junit": "{}.junit.xml",
}


def test_the_formats_are_those_of_the_contract_in_its_order() -> None:
    assert list(PROBLEM_FORMATS) == list(PLAN_FORMATS) == ["text", "json", "markdown", "github", "sarif", "junit"]


@pytest.mark.parametrize("form", PLAN_FORMATS)
def test_a_rich_plan(form: str, golden: Callable[[str, str], None]) -> None:
    golden("report/" + NAMES[form].format("plan"), PLAN_FORMATS[form](PLAN, RICH_KINDS) + "\n")


@pytest.mark.parametrize("form", PLAN_FORMATS)
def test_a_rich_check(form: str, golden: Callable[[str, str], None]) -> None:
    golden("report/" + NAMES[form].format("check"), PROBLEM_FORMATS[form](CHECKED) + "\n")


@pytest.mark.parametrize("form", PLAN_FORMATS)
def test_a_calm_day(form: str, golden: Callable[[str, str], None]) -> None:
    told = (PLAN_FORMATS[form](CALM, RICH_KINDS), PLAN_FORMATS[form](EMPTY, RICH_KINDS), PROBLEM_FORMATS[form](CLEAN))
    golden("report/" + NAMES[form].format("calm"), "\n\n".join(told) + "\n")
