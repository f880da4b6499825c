"""Whether a file is a kind's schema at all, by the meta-schema: keywords, their values, what must be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind

from reconciler import canonical
from reconciler.kinds.flaw import Flaw
from reconciler.kinds.pointers import child, join, value_at
from reconciler.kinds.suggest import closest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Grammar:
    """The compiled meta-schema (schemas/kind.schema.json)."""

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self._meta = meta
        self._validator = Draft202012Validator(dict(meta), offline=True, validate_formats=True)

    def flaws(self, schema: Any) -> tuple[Flaw, ...]:
        """What the meta-schema does not allow."""
        if self._validator.is_valid(schema):
            return ()
        found = [flaw for error in self._validator.iter_errors(schema) for flaw in self._explained(error)]
        meant = {flaw.instead for flaw in found if flaw.instead}
        return tuple(flaw for flaw in found if flaw.pointer not in meant)

    def _explained(self, error: ValidationError) -> Iterator[Flaw]:
        pointer = join(error.instance_path)
        around: Mapping[str, Any] = value_at(self._meta, join(error.schema_path[:-1]))
        description = around.get("description", "")
        match error.kind:
            case ValidationErrorKind.AdditionalProperties(unexpected=keywords):
                for keyword in keywords:
                    yield _unknown(pointer, keyword, around["properties"])
            case ValidationErrorKind.Required(property=keyword):
                yield Flaw(child(pointer, keyword), f"{keyword} is missing here", _about(around, keyword), at_key=True)
            case ValidationErrorKind.PropertyNames(error=inner):
                name = str(inner.instance)
                yield Flaw(child(pointer, name), f"{name} is no possible name", description, at_key=True)
            case _ if description:
                yield Flaw(pointer, f"{_shortened(error.instance)} is not possible here", description)
            case _:
                yield Flaw(pointer, error.message)


def _shortened(value: Any) -> str:
    longest = 60
    text = canonical.dumps(value)
    return text if len(text) <= longest else f"{text[:longest]}…"


def _unknown(pointer: str, keyword: str, known: Mapping[str, Any]) -> Flaw:
    meant = closest(keyword, known)
    if meant is not None:
        message = f"unknown keyword (did you mean {meant}?)"
        return Flaw(child(pointer, keyword), message, at_key=True, instead=child(pointer, meant))
    hint = f"known are {', '.join(known)}"
    return Flaw(child(pointer, keyword), "unknown keyword", hint, at_key=True)


def _about(around: Mapping[str, Any], keyword: str) -> str:
    about = around.get("properties", {}).get(keyword, {})
    return str(about.get("description", "")) if isinstance(about, dict) else ""
