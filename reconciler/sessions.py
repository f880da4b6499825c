"""Rules of sessions: what may begin one, what is kept of it. Pure: the records are behind the port `Sessions`.

What callers give is checked against the session schema: the result is in canonical form, or problems like those of
files.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from reconciler.kinds.kind import Kind, Kinds, child
from reconciler.model.change import Document
from reconciler.model.live import NewSession, SessionCursor
from reconciler.model.problem import Problem
from reconciler.validate.finding import SECRET, Finding, drop_consequences, locate_findings, quote_value
from reconciler.validate.validator import Validator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from reconciler.canonical import Value
    from reconciler.model.live import Session, SessionPage
    from reconciler.redisports import Sessions
    from reconciler.sessionlayout import SessionLayout


PREFIX = "hmac-sha256:"


def hash_fingerprint(owner: str, fingerprint: str) -> str:
    """The hash that is kept: `hmac-sha256:` and 43 characters of base64url (RFC 4648). `owner` is in lower case.

    In hexadecimal it would be longer than the 64 bytes up to which Redis packs a hash: three times the memory.
    """
    digest = hmac.new(owner.encode(), fingerprint.encode(), hashlib.sha256).digest()
    return PREFIX + base64.urlsafe_b64encode(digest).decode().rstrip("=")


CURSOR = re.compile(r"([0-9]{1,15})-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
MAX_PAGE = 1000
MAX_ADDRESS = 50

ID, ADDRESS, DEVICE = "session_id", "ip_address", "device_fingerprint"
LIMIT, CURSOR_FIELD = "limit", "cursor"

Refusals = tuple[Problem, ...]


class SessionChecker:
    """Checks input against the schema. `origin` takes the place of a file's path in problems: `request`, `command`…"""

    def __init__(self, layout: SessionLayout, new_id: Callable[[], UUID], origin: str = "session") -> None:
        self._layout = layout
        self._new_id = new_id
        self._origin = origin
        self._validator = Validator(Kinds(()))
        self._new = _schema_kind("new session", _subschema(layout, (layout.owner_column, ADDRESS, DEVICE), (ID,)))
        self._ids = {
            column: _schema_kind(column, _subschema(layout, (column,))) for column in (ID, layout.owner_column)
        }

    def check_new(self, given: object) -> NewSession | Refusals:
        """The session that a mapping of columns describes; without `session_id` it gets one."""
        problems = self._check(self._new, given)
        if problems:
            return problems
        assert isinstance(given, dict)
        owner = given[self._layout.owner_column].lower()
        session_id = given[ID].lower() if ID in given else str(self._new_id())
        return NewSession(session_id, owner, _normalize_address(given[ADDRESS]), hash_fingerprint(owner, given[DEVICE]))

    def check_session_id(self, given: object) -> str | Refusals:
        """The id of a session, in lower case."""
        return self._check_id(ID, given)

    def check_owner(self, given: object) -> str | Refusals:
        """The key of an owner's row, in lower case."""
        return self._check_id(self._layout.owner_column, given)

    def check_cursor(self, given: object) -> SessionCursor | Refusals:
        """The cursor of a page, from its text."""
        match = CURSOR.fullmatch(given) if isinstance(given, str) else None
        if match is not None:
            return SessionCursor(int(match[1]), match[2])
        message = f"{quote_value(given)} is no place in a list of sessions"
        finding = Finding(child("", CURSOR_FIELD), "bad-format", message, "pass on what the page before said")
        return self._to_problems([finding], given)

    def check_limit(self, given: object) -> int | Refusals:
        if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MAX_PAGE:
            return given
        message = f"{quote_value(given)} is out of range: 1 to {MAX_PAGE} sessions"
        return self._to_problems([Finding(child("", LIMIT), "out-of-range", message)], given)

    def refuse(self, code: str, column: str, message: str, hint: str) -> Refusals:
        """A problem with a column that the schema cannot find."""
        return self._to_problems([Finding(child("", column), code, message, hint)], None)

    def _check_id(self, column: str, given: object) -> str | Refusals:
        problems = self._check(self._ids[column], {column: given})
        return problems or str(given).lower()

    def _check(self, kind: Kind, given: object) -> Refusals:
        unwritable = _find_unwritable(given)
        if unwritable:
            return self._to_problems(unwritable, given)
        findings = [finding for finding in self._validator.findings(kind, _document(given)) if finding.code != SECRET]
        return self._to_problems([*_check_address(given), *findings], given)

    def _to_problems(self, findings: list[Finding], given: object) -> Refusals:
        return tuple(sorted(locate_findings(self._origin, _document(given), drop_consequences(findings), ())))


def _document(given: object) -> Document:
    return Document(cast("Value", given), {})


def _schema_kind(name: str, schema: Mapping[str, Any]) -> Kind:
    # A kind without a table: the validator needs its schema and its name only.
    return Kind(name, "", "", (), (), (), schema, "", "")


def _subschema(layout: SessionLayout, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    columns = layout.schema["properties"]
    properties = {name: layout.given.get(name, columns[name]) for name in (*required, *optional)}
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def _normalize_address(text: str) -> str:
    """An address in its one spelling (RFC 5952); an IPv4 one that came in IPv6's clothes is an IPv4 one.

    Raises ValueError for anything else.
    """
    if "%" in text:
        raise ValueError("an interface is no part of an address that others can use")
    address = ipaddress.ip_address(text)
    return (getattr(address, "ipv4_mapped", None) or address).compressed


def _check_address(given: object) -> Iterator[Finding]:
    """The finding for a wrong address, in place of those of the schema's alternatives."""
    text = given.get(ADDRESS) if isinstance(given, dict) else None
    if isinstance(text, str) and 0 < len(text) <= MAX_ADDRESS:
        try:
            _normalize_address(text)
        except ValueError:
            hint = "write one such as 203.0.113.7 or 2001:db8::7, without a network or an interface"
            yield Finding(
                child("", ADDRESS), "bad-format", f"{quote_value(text)} is neither an IPv4 nor an IPv6 address", hint
            )


def _find_unwritable(given: object) -> list[Finding]:
    """Findings for columns with a lone surrogate, which no store and no message can hold."""
    members = given.items() if isinstance(given, dict) else ()
    message, hint = "this is no text that can be written down", "write it in Unicode characters that are whole"
    return [
        Finding(child("", ascii(column)[1:-1] if not _is_text(column) else column), "bad-format", message, hint)
        for column, value in members
        if not (_is_text(column) and _is_text(value))
    ]


def _is_text(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


DEFAULT_PAGE = 100
"""The default size of a page."""

Refusal: TypeAlias = tuple[Problem, ...]
"""Why a request was refused; never empty."""


Owners: TypeAlias = Callable[[str], "bool | None"]
"""Whether the row with a key may have sessions; None when there is no such row.

Raises `RetryLater` when that cannot be told: nobody loses a session for it, and nobody begins one.
"""


class SessionService:
    """Sessions for the command line and for HTTP: what is given is as it came, and an answer or a refusal comes back.

    Raises what the port `Sessions` and the question about owners raise.
    """

    def __init__(
        self, sessions: Sessions, may_have_sessions: Owners, checker: SessionChecker, layout: SessionLayout
    ) -> None:
        self._sessions = sessions
        self._may_have_sessions = may_have_sessions
        self._checker = checker
        self._layout = layout

    def create(self, given: object) -> Session | Refusal:
        """Begin a session from a mapping of columns. Refused when its owner is unknown or switched off."""
        new = self._checker.check_new(given)
        if isinstance(new, tuple):
            return new
        refusal = self._refusal(new.owner)
        if refusal:
            return refusal
        session = self._sessions.create(new)
        if session is None:
            hint = f"leave {ID} out: one is made"
            return self._checker.refuse("duplicate-id", ID, f"there is a session {new.id} already", hint)
        # Whoever was switched off since the first look may have lost all sessions before this one was there.
        refusal = self._refusal(new.owner)
        if refusal:
            self._sessions.expire(new.id)
        return refusal or session

    def get(self, session_id: object) -> Session | Refusal | None:
        """A session; None when there is none."""
        checked = self._checker.check_session_id(session_id)
        return checked if isinstance(checked, tuple) else self._sessions.get(checked)

    def touch(self, session_id: object) -> Session | Refusal | None:
        """Note that a session is used; the answer says whether it may be. None when there is none."""
        checked = self._checker.check_session_id(session_id)
        return checked if isinstance(checked, tuple) else self._sessions.touch(checked)

    def expire(self, session_id: object) -> Session | Refusal | None:
        """End a session. None when there is none."""
        checked = self._checker.check_session_id(session_id)
        return checked if isinstance(checked, tuple) else self._sessions.expire(checked)

    def expire_all(self, owner: object) -> int | Refusal:
        """End all sessions of an owner, known or not; returns how many that changed."""
        checked = self._checker.check_owner(owner)
        return checked if isinstance(checked, tuple) else self._sessions.expire_all(checked)

    def page(self, owner: object, limit: object = DEFAULT_PAGE, cursor: object = None) -> SessionPage | Refusal:
        """A page of an owner's sessions, known or not; `cursor` is the text of an earlier page's `after`."""
        owner_id = self._checker.check_owner(owner)
        size = self._checker.check_limit(limit)
        after = None if cursor is None else self._checker.check_cursor(cursor)
        if isinstance(owner_id, tuple) or isinstance(size, tuple) or isinstance(after, tuple):
            return tuple(
                sorted(problem for part in (owner_id, size, after) if isinstance(part, tuple) for problem in part)
            )
        return self._sessions.page(owner_id, size, after)

    def _refusal(self, owner: str) -> Refusal:
        allowed = self._may_have_sessions(owner)
        if allowed:
            return ()
        kind, column = self._layout.owner_kind, self._layout.owner_column
        if allowed is None:
            message = f"no live row of kind {kind} has {column} {owner}"
            hint = f"`reconciler get {kind.lower()}` lists those there are"
            return self._checker.refuse("dangling-reference", column, message, hint)
        needed = ", ".join(f"{name} {value}" for name, value in self._layout.live.items())
        message = f"the {kind} {owner} may have no session: that takes {needed}"
        return self._checker.refuse("not-allowed", column, message, "change its file, and commit that")
