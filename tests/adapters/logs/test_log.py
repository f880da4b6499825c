"""What is written, at which level, and what stays as it was."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import stat
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.log import ConsoleLines, DaemonLog, JsonLines, Redactor, Style, style_of
from reconciler.model.log import Level

if TYPE_CHECKING:
    from tests.adapters.logs.conftest import Opened

SHA = "2e527c275aa0844ddc5b169270a34e54e5e0e560"


def test_an_event_is_one_line_of_json(opened: Opened) -> None:
    moment = datetime(2026, 11, 23, 8, tzinfo=UTC)
    opened.log.events.event("Applied", "2 rows changed", commit=SHA, duration_ms=11.5, at=moment, kinds={"b"})
    (line,) = opened.lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    expected: dict[str, Any] = {"level": "INFO", "event": "Applied", "message": "2 rows changed"}
    expected |= {"commit": SHA, "duration_ms": 11.5, "at": "2026-11-23T08:00:00Z", "kinds": ["b"]}
    assert line == expected
    assert list(line)[:3] == ["level", "event", "message"]
    (told,) = opened.console()
    assert re.fullmatch(
        r"\S+Z INFO  Applied 2 rows changed commit=2e527c27 duration_ms=11\.5 at=\S+ kinds=\['b'\]", told
    )


def test_the_time_is_utc(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_795_000_000.25)
    monkeypatch.setattr("time.time_ns", lambda: 1_795_000_000_250_000_000)
    opened.log.events.event("Tick")
    assert opened.lines()[0]["time"] == "2026-11-18T11:06:40.250Z"


def test_a_trace_stands_in_one_line(opened: Opened) -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        opened.log.events.event("Failed", "it broke", level=Level.ERROR, error=error)
    (line,) = opened.lines()
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: first\nsecond")
    (told,) = opened.console()
    assert told.endswith("Failed it broke (ValueError: first\\nsecond)")


def test_odd_values_make_no_odd_lines(opened: Opened) -> None:
    odd = {"nan": float("nan"), "big": 1e400, "path": Path("a"), 1: {"b": (1, None, True)}, "level": Level.WARN}
    message = "esc \x1b[31m \u2028 ä"
    opened.log.events.event("Odd", message, odd=odd, time=5)
    (line,) = opened.lines()
    assert line["odd"] == {"nan": "nan", "big": "inf", "path": "a", "1": {"b": [1, None, True]}, "level": "WARN"}
    assert line["time_"] == 5
    assert line["message"] == message
    (told,) = opened.console()
    assert told.isprintable()
    assert "\\x1b[31m \\u2028 ä" in told


def test_half_a_character_is_written_all_the_same() -> None:
    """As a path on Linux may have it. No test could report it: it is no text."""
    record = logging.LogRecord("reconciler", logging.INFO, "x.py", 1, "a \udc80 \U0010ffff", (), None)
    line = JsonLines(Redactor()).format(record)
    assert line.encode().isascii()
    assert ascii(json.loads(line)["message"]) == ascii("a \udc80 \U0010ffff")
    assert ConsoleLines(Redactor(), Style.JOURNAL).format(record).endswith("a \\udc80 \\U0010ffff")


def test_a_very_long_text_is_cut_in_the_middle(opened: Opened) -> None:
    opened.log.events.event("Long", "a" * 100_000 + "end")
    (line,) = opened.lines()
    assert len(line["message"]) < 20_000
    assert "83619 characters left out" in line["message"]
    assert line["message"].endswith("end")
    (told,) = opened.console()
    assert len(told) < 20_000
    assert told.endswith("end")


def test_the_level_follows_at_once(opened: Opened) -> None:
    for level, seen in ((Level.WARN, 2), (Level.DEBUG, 4), (Level.ERROR, 1), (Level.INFO, 3)):
        opened.log.set_level(level)
        before = len(opened.lines()) if opened.log.file.exists() else 0
        for one in Level:
            opened.log.events.event("Said", level=one)
        assert [line["level"] for line in opened.lines()[before:]] == [str(one) for one in list(Level)[-seen:]]


def test_fields_can_be_shared(opened: Opened) -> None:
    opened.log.events.with_fields(repository="desk").event("Synced", commit=SHA)
    assert (opened.lines()[0]["repository"], opened.lines()[0]["commit"]) == ("desk", SHA)


def test_warnings_and_the_lines_of_others_are_taken_in(opened: Opened) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("look out", UserWarning, stacklevel=1)
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("uvicorn.error").warning("no room for %s", "127.0.0.1")
    warned, http = opened.lines()
    assert "look out" in warned["message"]
    assert (warned["event"], warned["level"]) == ("py.warnings", "WARN")
    assert (http["message"], http["logger"]) == ("no room for 127.0.0.1", "uvicorn.error")


def test_somebody_elses_mistake_is_still_a_line() -> None:
    record = logging.LogRecord("driver", logging.WARNING, "x.py", 1, "%d commits", ("three",), None)
    assert json.loads(JsonLines(Redactor()).format(record))["message"] == "%d commits ('three',)"


def test_loggers_are_as_they_were_afterwards(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger, show = logging.getLogger("reconciler"), warnings.showwarning
    assert logger.propagate
    assert logger.level == logging.NOTSET
    before = (list(logger.handlers), logger.level, logger.propagate, list(logging.getLogger().handlers))
    stream = io.StringIO()
    with DaemonLog(tmp_path, stream):
        assert list(logging.getLogger().handlers) == before[3]
    assert (list(logger.handlers), logger.level, logger.propagate, list(logging.getLogger().handlers)) == before
    assert warnings.showwarning is show
    logger.warning("for whoever listens")
    assert "for whoever listens" in caplog.text
    assert stream.getvalue() == ""


def test_a_library_user_gets_no_handler_of_ours() -> None:
    asked = (
        "import logging, reconciler.adapters.log; print(logging.root.manager.loggerDict.keys(), logging.root.handlers)"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert "reconciler" not in done.stdout
    assert done.stdout.endswith("[]\n")


@pytest.mark.skipif(os.name == "nt", reason="modes say nothing there")
def test_only_its_owner_may_read(opened: Opened) -> None:
    old = os.umask(0)
    try:
        opened.log.events.event("Said")
    finally:
        os.umask(old)
    assert stat.S_IMODE(opened.log.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(opened.log.file.parent.stat().st_mode) == 0o700


def test_a_console_that_is_gone_is_left_alone(opened: Opened) -> None:
    opened.stream.close()
    for _ in range(2):
        opened.log.events.event("Said")
    assert len(opened.lines()) == 2


@pytest.mark.parametrize(
    ("coloured", "environ", "style"),
    [
        (True, {}, Style.COLOUR),
        (True, {"JOURNAL_STREAM": "1:2"}, Style.COLOUR),
        (False, {}, Style.PLAIN),
        (False, {"JOURNAL_STREAM": "1:2"}, Style.PLAIN),
    ],
)
def test_who_reads(coloured: bool, environ: dict[str, str], style: Style) -> None:
    assert style_of(io.StringIO(), environ, coloured=coloured) is style


def test_a_journal_is_known_by_its_socket(tmp_path: Path) -> None:
    with (tmp_path / "socket").open("w", encoding="utf-8") as stream:
        found = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert style_of(stream, environ, coloured=True) is Style.JOURNAL
        assert style_of(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"}, coloured=False) is Style.PLAIN


@pytest.mark.parametrize(
    ("style", "start"),
    [(Style.JOURNAL, "<4>Held "), (Style.COLOUR, "20"), (Style.PLAIN, "20")],
)
def test_styles(tmp_path: Path, style: Style, start: str) -> None:
    stream = io.StringIO()
    with DaemonLog(tmp_path, stream, style) as log:
        log.events.event("Held", "waiting", level=Level.WARN)
    assert stream.getvalue().startswith(start)
    assert ("\x1b[33mWARN" in stream.getvalue()) == (style is Style.COLOUR)
