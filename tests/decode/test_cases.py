"""Every file in tests/cases/decode: positive ones have their values beside them, negative ones say what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reconciler.decode.document import decode

CASES = Path(__file__).parents[1] / "cases" / "decode"
EXPECTED = re.compile(r"^# expect: ([a-z-]+) (\d+):(\d+) (\S+)$", re.MULTILINE)
POSITIVE = sorted((CASES / "positive").glob("*.yaml"))
NEGATIVE = sorted((CASES / "negative").glob("*.yaml"))


def test_the_cases_are_found() -> None:
    assert len(POSITIVE) >= 6
    assert len(NEGATIVE) >= 28


@pytest.mark.parametrize("file", POSITIVE, ids=lambda file: file.stem)
def test_positive(file: Path) -> None:
    expected = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    decoded = decode(file.name, file.read_bytes())
    assert decoded.problems == ()
    # As JSON, so that 3 and 3.0, or 1 and true, are not the same.
    assert json.dumps([document.value for document in decoded.documents]) == json.dumps(expected["documents"])
    ambiguous = expected.get("ambiguous", [{} for _ in decoded.documents])
    assert [dict(document.ambiguous) for document in decoded.documents] == ambiguous


@pytest.mark.parametrize("file", NEGATIVE, ids=lambda file: file.stem)
def test_negative(file: Path) -> None:
    """Exactly the problems that the file names: code, line, column and pointer (`-` for the file as a whole)."""
    expected = [
        (code, int(line), int(column), "" if pointer == "-" else pointer)
        for code, line, column, pointer in EXPECTED.findall(file.read_text(encoding="utf-8"))
    ]
    decoded = decode(file.name, file.read_bytes())
    assert expected
    assert [(found.code, found.line, found.column, found.pointer) for found in decoded.problems] == expected
    assert {found.path for found in decoded.problems} == {file.name}
    assert all(found.is_error and found.message and found.hint for found in decoded.problems)
