"""Values that stand for what nobody has filled in yet: those that new files are made with, and how people write them.

What new files hold is declared here, for `reconciler.scaffold` to write and for a check to find again. Words of
people's own (`TODO`, `<name>`) count where they are a whole value of `spec` or a reference: labels and annotations are
free text. An address at example.com is none by itself: documentation and notes are full of them.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from reconciler.kinds.kind import child, is_within, locate
from reconciler.model.problem import Problem, Severity
from reconciler.validate.finding import field_at, quote_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Decoded, Document

PLACEHOLDER = "placeholder"

NIL_UUID = "00000000-0000-0000-0000-000000000000"
"""The nil UUID (RFC 9562, section 5.9): the id of nothing, so that a template refers to nothing."""

TEXTS = ("CHANGE-ME", "change-me", "CHANGE_ME", "change_me", "CHANGEME", "changeme", "/CHANGE-ME")
"""Placeholder texts in spellings that patterns allow."""

KEYS = ("change-me", "change_me", "changeme", "CHANGE_ME")

FORMATS = {
    "uuid": NIL_UUID,
    "email": "change-me@example.com",
    "idn-email": "change-me@example.com",
    "hostname": "change-me.example.com",
    "idn-hostname": "change-me.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://change-me.example.com/",
    "iri": "https://change-me.example.com/",
    "json-pointer": "/change-me",
}
"""A placeholder of each format. The addresses are those kept for documentation (RFC 5737, RFC 3849, RFC 2606)."""

_SENTENCE_END = re.compile(r"[.:;](?:\s|$)")

MAX_OF_FILE = 1_000
"""Placeholders of a file that are told."""

_WRITTEN = re.compile(
    r"(?<![a-z])(?:change[-_ ]?me)+(?:c|ch|cha|chan|chang|change[-_]?m?)?(?![a-z])",  # cut off at a length
    re.IGNORECASE,
)
_WHOLE = frozenset({FORMATS["ipv4"], FORMATS["ipv6"], NIL_UUID})
_OF_PEOPLE = re.compile(r"TODO|FIXME|TBD|(?i:(?:replace|fill)[-_ ]me(?:[-_ ]in)?)|<[A-Za-z][A-Za-z0-9 _-]*>")
_WORDS = (b"change", b"replace", b"fill", b"todo", b"fixme", b"tbd", b"<", *map(str.encode, _WHOLE))
"""One of these is in whatever holds a placeholder, in small letters: looked for much faster than a pattern."""
_POSSIBLE = re.compile(rb"change[-_ ]?me|(?:replace|fill)[-_ ]me|todo|fixme|tbd|<[a-z]|0000-0000|db8::1|192\.0\.2\.1")


def may_hold_placeholder(text: bytes) -> bool:
    """Whether a file is worth looking at; nearly none is."""
    small = text.lower()
    for word in _WORDS:  # a generator takes twice as long
        if word in small:
            return _POSSIBLE.search(small) is not None
    return False


def is_placeholder(text: str, *, is_free: bool = False) -> bool:
    """Whether a text stands for a value that is missing; in free text only what new files are made with does."""
    return bool(_WRITTEN.search(text)) or text in _WHOLE or (not is_free and bool(_OF_PEOPLE.fullmatch(text)))


def find_placeholders(path: str, decoded: Decoded, kinds: Kinds) -> tuple[Problem, ...]:
    """A warning for each placeholder that a file holds, but for words that a schema lists as allowed."""
    found = (problem for document in decoded.documents for problem in _in_document(path, document, kinds))
    return tuple(islice(found, MAX_OF_FILE))


def _in_document(path: str, document: Document, kinds: Kinds) -> Iterator[Problem]:
    name = document.value.get("kind") if isinstance(document.value, dict) else None
    kind = kinds.by_name.get(name) if isinstance(name, str) else None
    if kind is None:
        return
    for pointer, text, at_key in _texts(document.value, ""):
        free = at_key or is_within(pointer, "/metadata/labels") or is_within(pointer, "/metadata/annotations")
        if not is_placeholder(text, is_free=free):
            continue
        field = {} if at_key else field_at(kind.schema, pointer)
        if text in field.get("enum", ()) or text == field.get("const"):
            continue
        mark = locate(document.marks, pointer, of_key=at_key)
        message = f"{quote_value(text)} is a placeholder, and the value is still missing"
        hint = _hint(field)
        yield Problem(path, mark.line, mark.column, PLACEHOLDER, pointer, message, hint, Severity.WARNING)


def _hint(field: Mapping[str, Any]) -> str:
    """What is wanted: how the schema's description of the field begins."""
    beginning = _SENTENCE_END.split(str(field.get("description", "")), maxsplit=1)[0]
    first = beginning[:1].lower() if beginning[:2].istitle() else beginning[:1]
    return f"wanted: {first}{beginning[1:]}" if beginning else ""


def _texts(value: Any, pointer: str) -> Iterator[tuple[str, str, bool]]:
    """Each text of a document with its pointer, and whether it is the key there."""
    if isinstance(value, dict):
        for key, member in value.items():
            if isinstance(key, str):
                yield child(pointer, key), key, True
            yield from _texts(member, child(pointer, key))
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from _texts(member, child(pointer, position))
    elif isinstance(value, str):
        yield pointer, value, False
