"""What a doctor makes of facts."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.adapters import machine
from reconciler.model.grants import path_secret
from reconciler.model.host import Diagnosis, Grade
from reconciler.service.doctor import (
    check_clone,
    check_commit_clock,
    check_disk,
    check_eviction,
    check_failover,
    check_git_version,
    check_history_clock,
    check_local_reads,
    check_rights,
    check_webhooks,
)

NOW = datetime(2026, 11, 22, 17, 4, 50, 999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("output", "grade", "text"),
    [
        ("git version 2.39.5", Grade.OK, "git 2.39.5"),
        ("git version 2.45.1.windows.1", Grade.OK, "git 2.45.1"),
        ("git version 2.39.5 (Apple Git-154)", Grade.OK, "git 2.39.5"),
        ("git version 2.31.0", Grade.OK, "git 2.31.0"),
        ("git version 2.30.9", Grade.PROBLEM, "too old"),
        ("git version 1.99", Grade.PROBLEM, "too old"),
        ("git version 3.0", Grade.OK, "git 3.0"),
        ("", Grade.WARNING, "does not tell"),
    ],
)
def test_git_version(output: str, grade: Grade, text: str) -> None:
    diagnosis = check_git_version(output)
    assert diagnosis.grade is grade
    assert text in diagnosis.message


def test_a_shallow_clone_dates_rows_differently() -> None:
    assert check_clone(False).grade is Grade.OK
    shallow = check_clone(True)
    assert shallow.grade is Grade.WARNING
    assert "created_at and updated_at" in shallow.message
    assert "--unshallow" in shallow.hint


@pytest.mark.parametrize(
    ("free", "grade", "text"),
    [
        (0, Grade.PROBLEM, "0 B of 10 GB"),
        ((100 << 20) - 1, Grade.PROBLEM, "100 MB of 10 GB"),
        (100 << 20, Grade.WARNING, "100 MB of 10 GB"),
        (1 << 30, Grade.OK, "1 GB of 10 GB"),
    ],
)
def test_disk(free: int, grade: Grade, text: str) -> None:
    diagnosis = check_disk(free, 10 << 30)
    assert diagnosis.grade is grade
    assert text in diagnosis.message


@pytest.mark.parametrize(
    ("ahead", "grade", "text"),
    [
        (timedelta(days=-900), Grade.OK, "2026-11-22T17:04:50Z"),
        (timedelta(minutes=5), Grade.OK, "later than"),
        (timedelta(minutes=6), Grade.WARNING, "6 min ahead"),
        (timedelta(days=3), Grade.WARNING, "3 d ahead"),
    ],
)
def test_the_newest_commit_and_the_clock(ahead: timedelta, grade: Grade, text: str) -> None:
    diagnosis = check_commit_clock(NOW, NOW + ahead)
    assert diagnosis.grade is grade
    assert text in diagnosis.message


@pytest.mark.parametrize(
    ("seconds", "grade", "text"),
    [
        (30, Grade.OK, "agree"),
        (-30, Grade.OK, "agree"),
        (31, Grade.WARNING, "31 s behind the"),
        (-7200, Grade.WARNING, "2 h ahead of the"),
    ],
)
def test_two_clocks(seconds: int, grade: Grade, text: str) -> None:
    diagnosis = check_history_clock(timedelta(seconds=seconds))
    assert diagnosis.grade is grade
    assert text in diagnosis.message


@pytest.mark.parametrize(
    ("policy", "grade", "text"),
    [
        ("noeviction", Grade.OK, "nothing vanishes"),
        ("allkeys-lru", Grade.PROBLEM, "rows of the live view and sessions vanish"),
        ("allkeys-random", Grade.PROBLEM, "rows of the live view and sessions vanish"),
        ("volatile-lfu", Grade.PROBLEM, "sessions vanish"),
        ("", Grade.WARNING, "cannot be told"),
    ],
)
def test_what_redis_drops(policy: str, grade: Grade, text: str) -> None:
    diagnosis = check_eviction(policy)
    assert diagnosis.grade is grade
    assert text in diagnosis.message
    assert bool(diagnosis.hint) is (grade is not Grade.OK)


def test_the_address_of_webhooks_is_told() -> None:
    assert "repository.webhook_secret is not set" in check_webhooks("", "127.0.0.1:8642").message
    secret = "0123456789abcdef0123456789abcdef"
    told = check_webhooks(secret, "127.0.0.1:8642")
    assert told.grade is Grade.OK
    assert f"https://YOUR-HOST/webhooks/{path_secret(secret)}, " in told.message
    assert secret not in told.message
    assert check_webhooks("short", "[::1]:8642").grade is Grade.WARNING


def test_who_else_reads_is_told() -> None:
    nobody_else = check_local_reads(True, tuple)
    assert (nobody_else.grade, nobody_else.hint) == (Grade.OK, "")
    others = check_local_reads(True, lambda: ["jonas", "maren"])
    assert (others.grade, others.hint) == (Grade.WARNING, "set http.local_reads to token")
    assert others.message == "jonas, maren may log in to this machine, and read everything over HTTP"
    assert check_local_reads(False, lambda: pytest.fail("nobody has to be counted")).grade is Grade.OK


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no shells to log in with")
def test_who_may_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = (
        "root:0:/bin/bash me:{me}:/bin/sh maren:1000:/usr/bin/zsh www:33:/usr/sbin/nologin sync:4:/bin/sync plain:1001:"
    )
    rows = [line.split(":") for line in entries.format(me=os.geteuid()).split()]
    passwd = [SimpleNamespace(pw_name=name, pw_uid=int(uid), pw_shell=shell) for name, uid, shell in rows]
    monkeypatch.setattr("pwd.getpwall", lambda: passwd)
    assert machine.list_other_users() == ("maren", "plain")


@pytest.mark.parametrize(
    ("said", "replicas", "waits", "words"),
    [
        ("", 1, True, ["its Sentinels can fail over"]),
        ("", 2, False, ["its primary takes writes while no replica does"]),
        ("", 0, True, ["its primary has no replica"]),
        ("no Sentinel answers at b:1", 1, True, ["no Sentinel answers at b:1"]),
        ("no Sentinel answers at b:1", 0, False, ["no Sentinel answers at b:1", "its primary has no replica"]),
    ],
)
def test_how_a_failover_would_go(said: str, replicas: int, waits: bool, words: list[str]) -> None:
    found = list(check_failover({"a:1": "", "b:1": said}, replicas, waits=waits))
    assert len(found) == len(words)
    assert all(one.message.startswith(word) for one, word in zip(found, words, strict=True))
    assert all(one.grade is (Grade.OK if "can fail over" in one.message else Grade.WARNING) for one in found)
    assert all(one.hint for one in found if one.grade is Grade.WARNING)


def test_rights_at_redis() -> None:
    assert check_rights((), "").grade is Grade.OK
    refused = check_rights([f"SET key{number}" for number in range(7)], "+set")
    assert refused.grade is Grade.PROBLEM
    assert "SET key4 and 2 more" in refused.message
    assert "ACL SETUSER" in refused.hint


@given(st.text(), st.integers(0, 1 << 60), st.integers(0, 1 << 60), st.integers(-(10**9), 10**9))
def test_whatever_is_not_well_can_be_mended(output: str, free: int, total: int, seconds: int) -> None:
    apart = timedelta(seconds=seconds)
    diagnoses: list[Diagnosis] = [
        check_git_version(output),
        check_disk(free, total),
        check_history_clock(apart),
    ]
    diagnoses.append(check_commit_clock(NOW, NOW + apart))
    assert all(bool(one.hint) == (one.grade is not Grade.OK) for one in diagnoses)
