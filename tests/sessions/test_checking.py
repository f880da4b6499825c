"""What may begin a session, and what is kept of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from reconciler.adapters.bundled import load_schema
from reconciler.model.live import NewSession, Session, SessionCursor, SessionStatus
from reconciler.sessionlayout import read_layout
from reconciler.sessions import SessionChecker, hash_fingerprint

LAYOUT = read_layout(load_schema("session_state"))
CHECKER = SessionChecker(LAYOUT, lambda: UUID(int=7), "request")
OWNER = "bfe13562-dae7-5660-82da-24b6330334bd"
GIVEN = {"user_id": OWNER, "ip_address": "203.0.113.7", "device_fingerprint": "Chrome 120 on Windows 11"}


def refused(change: dict[str, Any]) -> list[tuple[str, str]]:
    """Code and pointer of what is wrong with a request."""
    found = CHECKER.check_new({**GIVEN, **change})
    assert isinstance(found, tuple), found
    return [(one.code, one.pointer) for one in found]


def accepted(change: dict[str, Any]) -> NewSession:
    """The session that a request describes."""
    found = CHECKER.check_new({**GIVEN, **change})
    assert isinstance(found, NewSession), found
    return found


def test_what_is_kept_satisfies_the_schema_of_the_record() -> None:
    new = accepted({})
    session = Session(
        new.id,
        new.owner,
        new.ip_address,
        datetime.fromtimestamp(0.123, UTC),
        new.device_fingerprint,
        SessionStatus.ACTIVE,
    )
    record = LAYOUT.record(session)
    Draft202012Validator(LAYOUT.schema, format_checker=FormatChecker()).validate(record)
    assert list(record) == list(LAYOUT.schema["properties"])
    assert record["session_id"] == str(UUID(int=7))
    assert record["user_id"] == OWNER


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        ({"ip_address": "localhost"}, "bad-format", "ip_address"),
        ({"ip_address": "203.0.113.256"}, "bad-format", "ip_address"),
        ({"ip_address": "203.0.113.7\n"}, "bad-format", "ip_address"),
        ({"ip_address": "203.0.113.0/24"}, "bad-format", "ip_address"),
        ({"ip_address": "fe80::1%eth0"}, "bad-format", "ip_address"),
        ({"ip_address": ""}, "bad-format", "ip_address"),
        ({"ip_address": "1" * 51}, "too-long", "ip_address"),
        ({"ip_address": 3405803783}, "wrong-type", "ip_address"),
        ({"user_id": "*"}, "bad-format", "user_id"),
        ({"user_id": f"{OWNER}\n"}, "bad-format", "user_id"),
        ({"user_id": f"{OWNER}\x00"}, "bad-format", "user_id"),
        ({"user_id": OWNER.replace("-", "")}, "bad-format", "user_id"),
        ({"user_id": f"urn:uuid:{OWNER}"}, "bad-format", "user_id"),
        ({"user_id": None}, "wrong-type", "user_id"),
        ({"session_id": "{bfe13562-dae7-5660-82da-24b6330334bd}"}, "bad-format", "session_id"),
        ({"session_id": [OWNER]}, "wrong-type", "session_id"),
        ({"device_fingerprint": ""}, "bad-format", "device_fingerprint"),
        ({"device_fingerprint": "a\nb"}, "bad-format", "device_fingerprint"),
        ({"device_fingerprint": "a\x00b"}, "bad-format", "device_fingerprint"),
        ({"device_fingerprint": "\ud800"}, "bad-format", "device_fingerprint"),
        ({"device_fingerprint": "x" * 1025}, "too-long", "device_fingerprint"),
        ({"device_fingerprint": {"a": "\ud800"}}, "bad-format", "device_fingerprint"),
        ({"status": "ACTIVE"}, "unknown-field", "status"),
        ({"last_active": "2026-11-22T15:31:40Z"}, "unknown-field", "last_active"),
        ({"token": "x"}, "unknown-field", "token"),
        ({"\ud800": "x"}, "bad-format", "\\ud800"),
    ],
    ids=str,
)
def test_what_is_refused(change: dict[str, Any], code: str, column: str) -> None:
    assert refused(change) == [(code, f"/{column}")]


@pytest.mark.parametrize("column", GIVEN)
def test_a_megabyte_is_refused_and_not_shown(column: str) -> None:
    refused({column: "\n"})  # what explains is imported by now
    found = CHECKER.check_new({**GIVEN, column: "x" * 1_000_000})
    assert isinstance(found, tuple)
    assert all(len(one.message) + len(one.hint) < 500 for one in found)


@pytest.mark.parametrize("given", [None, [], "text", 5, True])
def test_only_a_mapping_is_a_request(given: object) -> None:
    found = CHECKER.check_new(given)
    assert isinstance(found, tuple)
    assert [one.code for one in found] == ["wrong-type"]


def test_all_that_is_missing_is_told_at_once() -> None:
    found = CHECKER.check_new({})
    assert isinstance(found, tuple)
    assert {one.pointer for one in found} == {"/user_id", "/ip_address", "/device_fingerprint"}
    assert {(one.path, one.line, one.code) for one in found} == {("request", 1, "missing-field")}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2001:0DB8:0:0:0:0:0:7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.7"),
        ("::1", "::1"),
    ],
)
def test_an_address_has_one_spelling(written: str, kept: str) -> None:
    assert accepted({"ip_address": written}).ip_address == kept


def test_ids_have_one_spelling() -> None:
    new = accepted({"user_id": OWNER.upper(), "session_id": OWNER.upper()})
    assert (new.owner, new.id) == (OWNER, OWNER)
    assert CHECKER.check_session_id(OWNER.upper()) == OWNER
    assert CHECKER.check_owner(OWNER.upper()) == OWNER


def test_of_a_device_only_a_hash_is_kept() -> None:
    kept = accepted({}).device_fingerprint
    # RFC 2104, worked out with another implementation: openssl dgst -sha256 -hmac
    assert kept == "hmac-sha256:Llrj0bQ46cfIENicq05nz8b4X75z9F397VdaMoDyAvU"
    assert "Chrome" not in kept
    assert kept == accepted({"ip_address": "::1"}).device_fingerprint
    assert kept != accepted({"device_fingerprint": "Chrome 121 on Windows 11"}).device_fingerprint
    assert kept != accepted({"user_id": str(UUID(int=9))}).device_fingerprint
    assert len(kept) <= 64, "Redis packs a hash only while its values are this short"


def test_a_hash_is_hashed_again() -> None:
    given = hash_fingerprint(OWNER, "x")
    assert accepted({"device_fingerprint": given}).device_fingerprint != given


@pytest.mark.parametrize("given", ["", "1", "*", "1-*", f"-1-{OWNER}", f"1-{OWNER}\n", 5, None, "9" * 16 + f"-{OWNER}"])
def test_what_is_no_cursor(given: object) -> None:
    found = CHECKER.check_cursor(given)
    assert isinstance(found, tuple)
    assert [(one.code, one.pointer) for one in found] == [("bad-format", "/cursor")]


@given(moment=st.integers(0, 10**15 - 1), number=st.uuids())
def test_a_cursor_comes_back_as_it_was(moment: int, number: UUID) -> None:
    assert CHECKER.check_cursor(str(SessionCursor(moment, str(number)))) == SessionCursor(moment, str(number))


@pytest.mark.parametrize(
    ("given", "good"), [(1, True), (1000, True), (0, False), (1001, False), (True, False), ("5", False)]
)
def test_how_many(given: object, good: bool) -> None:
    assert (CHECKER.check_limit(given) == given) is good
