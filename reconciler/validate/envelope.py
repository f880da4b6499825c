"""Which kind a document is of and what it is called: all that can be known before its schema is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.kinds.kind import closest
from reconciler.kinds.pointers import child
from reconciler.validate.finding import MISSING, Finding
from reconciler.validate.wording import listed, shown, written_type

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind, Kinds


@dataclass(frozen=True, slots=True)
class Envelope:
    """The kind and name of a document, None where they cannot be known, and why the kind cannot."""

    kind: Kind | None = None
    name: str | None = None
    findings: tuple[Finding, ...] = ()


def read_envelope(value: Any, kinds: Kinds) -> Envelope:
    """The envelope of a document. What else is wrong with it is for the kind's schema to say."""
    if not isinstance(value, dict):
        message = (
            f"a document is a mapping of apiVersion, kind, metadata and spec, and this one is {written_type(value)}"
        )
        return Envelope(findings=(Finding("", "wrong-type", message, "write it as lines of `field: value`"),))
    if "kind" not in value:
        return Envelope(findings=(_without_kind(value, kinds),))
    word = value["kind"]
    kind = kinds.by_name.get(word) if isinstance(word, str) else None
    if kind is None:
        return Envelope(findings=(_unknown(word, kinds),))
    return Envelope(kind, _name(value))


def _name(value: dict[str, Any]) -> str | None:
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else None


def _without_kind(value: dict[str, Any], kinds: Kinds) -> Finding:
    meant = closest("kind", value)
    if meant is not None:
        return Finding(child("", meant), "unknown-field", "unknown field (did you mean kind?)", at_key=True)
    hint = f"kinds: {listed(kinds.by_name)}; a file that is no configuration belongs in a hidden folder"
    return Finding("/kind", MISSING, "kind is missing: nothing says what this document declares", hint, at_key=True)


def _unknown(word: Any, kinds: Kinds) -> Finding:
    hint = f"kinds: {listed(kinds.by_name)}"
    if not isinstance(word, str):
        return Finding("/kind", "wrong-type", f"the kind must be text, and this is {written_type(word)}", hint)
    found = kinds.find(word)
    meant = found.name if found is not None else closest(word, kinds.by_name)
    suggestion = f" (did you mean {meant}?)" if meant else ""
    return Finding("/kind", "unknown-kind", f"there is no kind {shown(word)}{suggestion}", hint)
