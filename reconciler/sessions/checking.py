"""What callers give, held against the session schema: in canonical form, or as problems like those of files."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any, cast

from reconciler.kinds.kind import Kind, Kinds
from reconciler.kinds.pointers import child
from reconciler.model.live import Cursor, NewSession
from reconciler.model.problem import Problem
from reconciler.model.resource import Document
from reconciler.sessions.fingerprint import fingerprint_hash
from reconciler.validate.finding import SECRET, Finding, problems, settled
from reconciler.validate.validator import Validator
from reconciler.validate.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

    from reconciler.canonical import Value
    from reconciler.sessions.layout import SessionLayout

CURSOR = re.compile(r"([0-9]{1,15})-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
LONGEST_PAGE = 1000
LONGEST_ADDRESS = 50

ID, ADDRESS, DEVICE = "session_id", "ip_address", "device_fingerprint"
LIMIT, CURSOR_FIELD = "limit", "cursor"

Checked = tuple[Problem, ...]


class Checker:
    """Checks what is given against the schema. `origin` stands where a file's path would: `request`, `command`…"""

    def __init__(self, layout: SessionLayout, new_id: Callable[[], UUID], origin: str = "session") -> None:
        self._layout = layout
        self._new_id = new_id
        self._origin = origin
        self._validator = Validator(Kinds(()))
        self._new = _kind("new session", _schema(layout, (layout.owner_column, ADDRESS, DEVICE), (ID,)))
        self._ids = {column: _kind(column, _schema(layout, (column,))) for column in (ID, layout.owner_column)}

    def new(self, given: object) -> NewSession | Checked:
        """The session that a mapping of columns describes; without `session_id` it gets one."""
        found = self._problems(self._new, given)
        if found:
            return found
        assert isinstance(given, dict)
        owner = given[self._layout.owner_column].lower()
        session_id = given[ID].lower() if ID in given else str(self._new_id())
        return NewSession(session_id, owner, _address(given[ADDRESS]), fingerprint_hash(owner, given[DEVICE]))

    def session_id(self, given: object) -> str | Checked:
        """The id of a session, in lower case."""
        return self._id(ID, given)

    def owner(self, given: object) -> str | Checked:
        """The key of an owner's row, in lower case."""
        return self._id(self._layout.owner_column, given)

    def cursor(self, given: object) -> Cursor | Checked:
        """Where a page goes on, as an earlier page said."""
        match = CURSOR.fullmatch(given) if isinstance(given, str) else None
        if match is not None:
            return Cursor(int(match[1]), match[2])
        message = f"{shown(given)} is no place in a list of sessions"
        finding = Finding(child("", CURSOR_FIELD), "bad-format", message, "pass on what the page before said")
        return self._found([finding], given)

    def limit(self, given: object) -> int | Checked:
        """How many sessions a page may have."""
        if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= LONGEST_PAGE:
            return given
        message = f"{shown(given)} is out of range: 1 to {LONGEST_PAGE} sessions"
        return self._found([Finding(child("", LIMIT), "out-of-range", message)], given)

    def problem(self, code: str, column: str, message: str, hint: str) -> Checked:
        """A problem with a column that only the records or the live rows can tell."""
        return self._found([Finding(child("", column), code, message, hint)], None)

    def _id(self, column: str, given: object) -> str | Checked:
        found = self._problems(self._ids[column], {column: given})
        return found or str(given).lower()

    def _problems(self, kind: Kind, given: object) -> Checked:
        unwritable = _unwritable(given)
        if unwritable:
            return self._found(unwritable, given)
        findings = [one for one in self._validator.findings(kind, _document(given)) if one.code != SECRET]
        return self._found([*_bad_address(given), *findings], given)

    def _found(self, findings: list[Finding], given: object) -> Checked:
        return tuple(sorted(problems(self._origin, _document(given), settled(findings), ())))


def _document(given: object) -> Document:
    """What came from outside is JSON, whatever it says."""
    return Document(cast("Value", given), {})


def _kind(name: str, schema: Mapping[str, Any]) -> Kind:
    # A kind without a table: the validator needs its schema and its name only.
    return Kind(name, "", "", (), (), (), schema, "", "")


def _schema(layout: SessionLayout, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    columns = layout.schema["properties"]
    properties = {name: layout.given.get(name, columns[name]) for name in (*required, *optional)}
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def _address(text: str) -> str:
    """An address in its one spelling (RFC 5952); an IPv4 one that came in IPv6's clothes is an IPv4 one.

    Raises ValueError for anything else.
    """
    if "%" in text:
        raise ValueError("an interface is no part of an address that others can use")
    found = ipaddress.ip_address(text)
    return (getattr(found, "ipv4_mapped", None) or found).compressed


def _bad_address(given: object) -> Iterator[Finding]:
    """What is wrong with an address, in other words than the schema's alternatives, and before they are told."""
    text = given.get(ADDRESS) if isinstance(given, dict) else None
    if isinstance(text, str) and 0 < len(text) <= LONGEST_ADDRESS:
        try:
            _address(text)
        except ValueError:
            hint = "write one such as 203.0.113.7 or 2001:db8::7, without a network or an interface"
            yield Finding(
                child("", ADDRESS), "bad-format", f"{shown(text)} is neither an IPv4 nor an IPv6 address", hint
            )


def _unwritable(given: object) -> list[Finding]:
    """Columns whose value has half a character in it (a lone surrogate): no store and no message can take that."""
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
