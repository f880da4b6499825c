"""A valid document of every kind, as a starting point for wrong ones."""

from __future__ import annotations

import copy
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.decode.document import decode
from reconciler.model.change import Decoded, Document
from reconciler.validate.validator import Validator
from tests.kinds.loading import example

if TYPE_CHECKING:
    from reconciler.model.change import FileEntry

CASES = Path(__file__).parent.parent / "cases" / "validate"
KINDS = ("Account", "Broker", "Instance", "Signal", "System", "User")


@lru_cache(maxsize=1)
def validator() -> Validator:
    """The validator of the example repository."""
    return Validator(example())


@lru_cache(maxsize=len(KINDS))
def _text(kind: str) -> bytes:
    return (CASES / "positive" / f"{kind.lower()}.yaml").read_bytes()


def sample(kind: str, **spec: Any) -> dict[str, Any]:
    """A valid document of a kind, with some fields of its spec changed."""
    (document,) = decode("x.yaml", _text(kind)).documents
    assert isinstance(document.value, dict)
    value: dict[str, Any] = copy.deepcopy(document.value)
    value["spec"].update(spec)
    return value


def check_text(text: str | bytes) -> FileEntry:
    """What a YAML text declares."""
    return validator().check("x.yaml", decode("x.yaml", text.encode() if isinstance(text, str) else text))


def check_value(*values: Any) -> FileEntry:
    """What documents with these values declare, wherever they stand."""
    return validator().check("x.yaml", Decoded(tuple(Document(value, {}) for value in values)))


def codes(entry: FileEntry) -> list[tuple[str, str]]:
    """Code and pointer of each problem."""
    return [(problem.code, problem.pointer) for problem in entry.problems]
