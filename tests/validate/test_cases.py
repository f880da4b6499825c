"""Case files, from bytes to problems. A new case is a new file.

Each negative starts with the problems it has, in order: `# expect: CODE LINE:COLUMN [POINTER]`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.validate.samples import CASES, check_text

if TYPE_CHECKING:
    from pathlib import Path

EXPECT = re.compile(r"# expect: ([a-z-]+) (\d+):(\d+)(?: (/.*))?")
POSITIVE = sorted((CASES / "positive").glob("*.yaml"))
NEGATIVE = sorted((CASES / "negative").glob("*.yaml"))


def _expected(text: str) -> list[tuple[str, int, int, str]]:
    found = [EXPECT.fullmatch(line) for line in text.splitlines() if line.startswith("# expect:")]
    assert all(found), "an expectation that cannot be read"
    return [(one[1], int(one[2]), int(one[3]), one[4] or "") for one in found if one]


@pytest.mark.parametrize("file", POSITIVE, ids=lambda file: str(file.name))
def test_positive(file: Path) -> None:
    text = file.read_text()
    entry = check_text(text)
    assert entry.problems == ()
    assert (entry.identified, entry.unreadable) == ((), False)
    assert len(entry.resources) == entry.documents == len(re.findall(r"^kind:|\"kind\":", text, re.MULTILINE))


@pytest.mark.parametrize("file", NEGATIVE, ids=lambda file: str(file.name))
def test_negative(file: Path) -> None:
    text = file.read_text()
    expected = _expected(text)
    entry = check_text(text)
    assert [(one.code, one.line, one.column, one.pointer) for one in entry.problems] == expected
    assert expected, "a negative names what is wrong"
    for one in entry.problems:
        assert not one.message.endswith(".")
        assert "!" not in one.message.replace("+ ! &", "")
        assert len(one.message) < 200


def test_every_code_has_a_case() -> None:
    seen = {code for file in NEGATIVE for code, *_ in _expected(file.read_text())}
    assert seen >= {
        "ambiguous-scalar",
        "bad-format",
        "duplicate-key",
        "missing-field",
        "not-allowed",
        "not-finite",
        "out-of-range",
        "secret",
        "too-long",
        "unknown-field",
        "unknown-kind",
        "wrong-type",
        "yaml-syntax",
    }
    assert len(POSITIVE) >= 20
    assert len(NEGATIVE) >= 90


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("leverage-as-ratio", "write 30, the number after the colon"),
        ("leverage-as-quoted-ratio", "write 30, the number after the colon"),
        ("hash-starts-a-comment", "must be quoted, as in '#US30'"),
        ("log-level-off", "DEBUG, INFO, WARN, ERROR"),
        ("status-no", "ACTIVE, INACTIVE"),
        ("enum-empty", "ACTIVE, INACTIVE"),
        ("enum-number", "BUY, SELL, BOTH"),
        ("enum-lower-case", "did you mean PERCENTAGE?"),
        ("path-in-double-quotes", "single quotes"),
        ("whole-number-with-a-point", "write 3"),
        ("whole-number-in-quotes", "without quotes: 3"),
        ("decimal-comma", "write 0.75, with a point"),
        ("percent-sign", "write 75, the number alone (it is in percent)"),
        ("grouped-digits", "write 1024"),
        ("switch", "write true"),
        ("ambiguous-text", "quote it: 'NO'"),
        ("number-of-trades-unlimited", "MT5 takes it for unlimited"),
        ("fixed-lots-below-the-smallest", "0.01 to 100"),
        ("unknown-field", "did you mean max_open_trades?"),
        ("unknown-field-in-metadata", "broker belongs under metadata.refs"),
        ("unknown-kind", "did you mean User?"),
        ("kind-in-lower-case", "did you mean User?"),
        ("kind-in-the-plural", "did you mean User?"),
        ("kind-is-a-table", "did you mean User?"),
        ("kind-of-something-else", "Account, Broker, Instance, Signal, System, User"),
        ("timestamps", "comes from git"),
        ("path-relative", "must be absolute"),
        ("path-with-pipe", "must not contain any of"),
        ("path-with-separator-at-the-end", "must not end with"),
        ("path-with-tab", "control characters"),
        ("uuid-empty", "leave the field out"),
        ("users-twice", "the same value twice"),
        ("symbol-of-21-characters", "21 characters, and at most 10"),
    ],
)
def test_the_message_says_what_to_do(case: str, words: str) -> None:
    entry = check_text((CASES / "negative" / f"{case}.yaml").read_bytes())
    told = "\n".join(f"{one.message}\n{one.hint}" for one in entry.problems)
    assert words in told


def test_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    text = (CASES / "positive" / "several-documents.yaml").read_text()
    plain = check_text(text)
    assert check_text("\ufeff" + text) == plain
    assert check_text(text.replace("\n", "\r\n")) == plain
