"""Lines of the log as people read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.log import Level
from reconciler.report.logs import parse_log_fields, parse_log_line, trace_lines

BEGIN = datetime(2026, 11, 22, 17, tzinfo=UTC)


def line(**fields: object) -> bytes:
    return json.dumps({"time": "2026-11-22T17:04:44.310Z", "level": "INFO", "event": "Said", **fields}).encode()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (line(message="28 created", commit="3cab8fd6" * 5), "Said 28 created commit=3cab8fd6"),
        (
            line(message="", repository="/srv/the desk", rows=1, ok=True),
            'Said repository="/srv/the desk" rows=1 ok=true',
        ),
        (line(message="a\nb\x1b[31m"), "Said a\\nb\\x1b[31m"),
        (line(message="no", exception="Traceback …\n  File x\nValueError: y"), "Said no (ValueError: y)"),
        (line(message="said", names=["a", None]), 'Said said names="["a", null]"'),
        (b'{"time": "2026', '{"time": "2026'),
        (b"[1]", "[1]"),
        (b"\xff\x00", "\ufffd\\x00"),
        (b"[" * 100_000, "[" * 100_000),
    ],
    ids=str,
)
def test_a_line_is_readable(raw: bytes, text: str) -> None:
    assert parse_log_line(raw).rest == text


def test_the_whole_trace_is_there() -> None:
    found = parse_log_line(line(message="no", exception="Traceback\n  File \x1bx\nValueError: y"))
    assert list(trace_lines(found)) == ["    Traceback", "      File \\x1bx", "    ValueError: y"]


@pytest.mark.parametrize(
    ("raw", "least", "since", "wanted"),
    [
        (line(), None, None, True),
        (line(level="DEBUG"), Level.INFO, None, False),
        (line(level="WARN"), Level.WARN, None, True),
        (line(level="ERROR"), Level.WARN, None, True),
        (line(level="LOUD"), Level.ERROR, None, True),
        (line(), None, BEGIN, True),
        (line(time="2026-11-22T16:59:59.999Z"), None, BEGIN, False),
        (line(time="today"), None, BEGIN, True),
        (line(time="2026-11-22T18:00:00"), None, BEGIN, True),
        (b"half a li", Level.ERROR, BEGIN, True),
    ],
    ids=str,
)
def test_what_is_filtered(raw: bytes, least: Level | None, since: datetime | None, wanted: bool) -> None:
    assert parse_log_line(raw).is_wanted(least, since) is wanted


@given(
    st.one_of(
        st.binary(), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps).map(str.encode)
    )
)
def test_no_line_is_a_failure(raw: bytes) -> None:
    found = parse_log_line(raw)
    assert found.rest.isprintable() or not found.rest.isascii()
    found.is_wanted(Level.WARN, BEGIN)
    parse_log_fields(raw)
