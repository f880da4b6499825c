"""What the pages say of the daemon: its log, its status and its answers are those of a real one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from reconciler.reconcile import branch
from tests.docs.commandline import reconciler
from tests.docs.markdown import EXAMPLE, ROOT, Edit, blocks, read
from tests.docs.session import PLACE, environment, normal
from tests.docs.test_json_shapes import ACCOUNT, RISK, SLIP
from tests.support.daemons import running, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemons import RunningDaemon

PAGE = read("docs/commands.md")
VARYING = (
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"\bprocess \d+"), "<process>"),
    (re.compile(r'("(?:pid|bytes)"): \d+'), r"\1: <number>"),
    (re.compile(r"(session_id\W+)[0-9a-f-]{36}"), r"\1<id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)"), "<moment>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<sha>"),
)
OURS = ("daemon", "history", "live_view", "drift", "troubles")
SETTINGS = {"HISTORY_URL": "chdb", "REDIS_URL": "embedded"}
REASON = re.compile(r'(?:ConditionSeverity\.\w+, |Condition\("Stalled", True, )"(\w+)"')
BY_CLASS = {"NeedsHuman", "UsageError", "RetryLater", "InUse"}
"""Reasons that are the names of errors."""


@dataclass(frozen=True)
class Told:
    """What a daemon said in the course of the page's story."""

    log: list[str]
    text: list[str]
    status: dict[str, Any]
    rows: dict[str, Any]
    session: tuple[str, str]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A first commit, another, a slip, its revert; then somebody writes into the store."""
    desk = tmp_path_factory.mktemp("daemon") / "desk"
    shutil.copytree(EXAMPLE, desk)
    _git(desk, "init", "--quiet", "--initial-branch", "main")
    _commit(desk, "Bring the desk's configuration under review")
    with running(desk, desk / ".git" / "reconciler", SETTINGS) as daemon:
        daemon.await_live(_git(desk, "rev-parse", "HEAD"))
        RISK.apply(desk)
        daemon.await_live(_commit(desk, "Cut risk on the majors for election week"))
        SLIP.apply(desk)
        slip = _commit(desk, "Write leverage as the broker does")
        daemon.await_status(lambda said: (said["refused"] or {}).get("commit") == slip)
        Edit(SLIP.path, SLIP.new, SLIP.old).apply(desk)
        head = _commit(desk, "Write leverage as a number again")
        daemon.await_live(head)
        _write_by_hand(desk)
        daemon.await_status(lambda said: (said["drift"] or {}).get("healed") == 1)
        status = daemon.await_status(lambda said: _settled(said, head))
        said = reconciler(["status"], desk, environment(desk))
        assert said.code == 0, said.err
        rows = _fetched(daemon)
        session = _session(desk)
    log = [line for line in daemon.log().splitlines() if line]
    return Told(log, said.out.splitlines(), status, rows, session)


@pytest.mark.slow
def test_the_log_of_the_page_is_that_of_a_daemon(told: Told) -> None:
    page = next(block.body for block in blocks(PAGE, "text") if block.section == "run" and " Starting " in block.body)
    assert sorted(_text(page.splitlines(), PLACE)) == sorted(_text(told.log, "desk"))


@pytest.mark.slow
def test_the_status_of_the_page_is_that_of_a_daemon(told: Told) -> None:
    page = next(block.body for block in blocks(PAGE, "text") if block.section == "status" and "daemon " in block.body)
    assert _text(page.splitlines(), PLACE) == _text(told.text, "desk")


@pytest.mark.slow
def test_a_session_of_the_page_is_one(told: Told) -> None:
    text, found = (block.body for block in blocks(PAGE) if block.section == "session" and "bfe13562" in block.body)
    assert _text(text.splitlines(), PLACE) == _text(told.session[0].splitlines(), PLACE)
    assert _json(json.loads(found)) == _json(json.loads(told.session[1]))


@pytest.mark.slow
def test_the_daemons_part_of_the_status_is_as_on_the_page(told: Told) -> None:
    page = next(json.loads(block.body) for block in blocks(PAGE, "json") if '"beat_at"' in block.body)
    assert _json(page) == _json({name: told.status[name] for name in OURS})


@pytest.mark.slow
def test_the_live_rows_of_the_page_are_those_of_a_daemon(told: Told) -> None:
    page = next(block.body for block in blocks(read("docs/http.md"), "json") if '"columns"' in block.body)
    assert _json(json.loads(page)) == _json(told.rows)


def test_every_event_and_every_reason_is_on_the_page() -> None:
    sources = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "reconciler").rglob("*.py"))]
    events = {name for source in sources for name in re.findall(r'\.event\(\s*"(\w+)"', source)}
    reasons = {name for source in sources for name in REASON.findall(source)} | BY_CLASS | set(branch.REASONS)
    section = PAGE.partition("\n## run\n")[2].partition("\n## ")[0]
    tables = dict(zip(("events", "reasons"), _tables(section)[-2:], strict=True))
    assert tables["events"] == events
    assert tables["reasons"] == reasons


def _tables(section: str) -> list[set[str]]:
    """The words in code of each table's first column."""
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    return [set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines()))) for table in tables]


def _settled(said: dict[str, Any], head: str) -> bool:
    """Nothing is on its way any more."""
    history, view, phase = said["history"], said["live_view"], said["daemon"]["phase"]
    uploaded = history["recorded"] == 4 and not history["versions"] and not history["events"]
    ended = history["last_success_at"] and history["next_attempt_at"]  # the attempt that uploaded them may go on
    published = head[:8] in said["followers"][0]["message"]
    return bool(uploaded and ended and published) and phase == "Idle" and (view or {}).get("commit") == head


def _write_by_hand(desk: Path) -> None:
    """As somebody would: once the daemon has let go of the file."""

    def written() -> bool:
        try:
            with duckdb.connect(str(desk / ".git" / "reconciler" / "state.duckdb")) as beside:
                beside.execute("UPDATE account_config SET leverage = 500 WHERE account_id = ?", [ACCOUNT])
        except duckdb.IOException:  # it is the daemon's turn
            time.sleep(0.1)
            return False
        return True

    until(written)


def _fetched(daemon: RunningDaemon) -> dict[str, Any]:
    address = f"http://{daemon.status()['daemon']['address']}/v1/resources/system/production"
    with urllib.request.urlopen(address, timeout=30) as answer:
        found = json.loads(answer.read())
    assert isinstance(found, dict)
    return found


def _session(desk: Path) -> tuple[str, str]:
    """One that is begun, and the same looked at."""
    device = ("--ip", "203.0.113.7", "--device", "Chrome 120 on Windows 11")
    begun = reconciler(["session", "create", "fx-majors-01", *device], desk, environment(desk))
    assert begun.code == 0, begun.err
    found = reconciler(["session", "get", begun.out.split()[1], "--format", "json"], desk, environment(desk))
    assert found.code == 0, found.err
    return begun.out, found.out


def _commit(desk: Path, message: str) -> str:
    _git(desk, "add", ".")
    _git(desk, "commit", "--quiet", "-m", message)
    return _git(desk, "rev-parse", "HEAD")


def _git(desk: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=desk, env=environment(desk), capture_output=True, timeout=60, check=True
    )
    return done.stdout.decode().strip()


def _text(lines: list[str], name: str) -> list[str]:
    """Lines with what varies named; the place of the repository too."""
    place = re.compile(rf"\S*{re.escape(name)}\b")
    return [_named(place.sub("<place>", line)) for line in normal("\n".join(lines))]


def _json(value: Any) -> list[str]:
    return [_named(line) for line in json.dumps(value, indent=1).splitlines()]


def _named(text: str) -> str:
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text
