"""Each `NAME.in.yaml` becomes its `NAME.out.yaml`, and what is canonical stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.decode.document import decode
from reconciler.format.format import UNREADABLE_CODES, format_file
from tests.docs.markdown import EXAMPLE, blocks, read
from tests.format.orders import ORDER

CASES = Path(__file__).parent.parent / "cases" / "format"
NAMES = sorted(file.name.removesuffix(".in.yaml") for file in CASES.glob("*.in.yaml"))
PAGES = ("README.md", "docs/commands.md", "docs/kinds.md", "docs/problems.md")
YAML_OF_PAGES = [block.body for page in PAGES for block in blocks(read(page), "yaml")]


def test_there_are_cases_and_none_without_its_other_half() -> None:
    assert len(NAMES) > 10
    assert sorted(file.name.removesuffix(".out.yaml") for file in CASES.glob("*.out.yaml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_case(name: str) -> None:
    before, expected = ((CASES / f"{name}.{part}.yaml").read_bytes() for part in ("in", "out"))
    formatted = format_file(f"{name}.yaml", before, ORDER)
    assert formatted.problems == ()
    assert formatted.after.decode() == expected.decode()
    assert formatted.differs
    again = format_file(f"{name}.yaml", expected, ORDER)
    assert again.after.decode() == expected.decode()
    assert not again.differs


@pytest.mark.parametrize("file", sorted(EXAMPLE.rglob("*.yaml")), ids=lambda file: str(file.relative_to(EXAMPLE)))
def test_the_example_repository_is_canonical(file: Path) -> None:
    data = file.read_bytes()
    assert format_file(file.name, data, ORDER).after.decode() == data.decode()


def test_the_yaml_of_the_documentation_is_canonical() -> None:
    assert YAML_OF_PAGES
    for text in YAML_OF_PAGES:
        whole = f"{text.rstrip()}\n"
        assert format_file("page.yaml", whole.encode(), ORDER).after.decode() == whole


@pytest.mark.parametrize(
    "data", [b"a: 'open\n", b"a: 1\n b: 2\n", b"a: !x 1\n", b"\xff", b"a: &a [*a]\n", b"<<<<<<< ours\na: 1\n"]
)
def test_what_cannot_be_read_stays_and_is_told_as_by_validate(data: bytes) -> None:
    formatted = format_file("f.yaml", data, ORDER)
    assert formatted.after == data
    assert formatted.problems == decode("f.yaml", data).problems
    assert {problem.code for problem in formatted.problems} & UNREADABLE_CODES


def test_what_is_only_wrong_is_formatted() -> None:
    formatted = format_file("f.yaml", b"leverage:   1:30\nlimit:  .inf\nlimit: 2\n", ORDER)
    assert formatted.after == b"leverage: 1:30\nlimit: .inf\nlimit: 2\n"
    assert formatted.problems == ()
