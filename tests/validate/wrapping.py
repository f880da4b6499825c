"""A kind with a column of each type, to put parts of schemas into."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from reconciler.model.change import Decoded, Document
from reconciler.validate.validator import Validator
from tests.kinds.loading import load
from tests.validate.samples import CASES

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import FileEntry
    from reconciler.model.problem import Problem

DESK = json.loads((CASES.parent / "schemas" / "positive" / "every-type.schema.json").read_text())
PATH = "schemas/desk.schema.json"
FIELDS = ("properties", "spec", "properties")
TEXT, MAP, LIST = ((*FIELDS, name) for name in ("some_text", "some_map", "some_list"))


def load_schema(schema: Any) -> tuple[Kinds, tuple[Problem, ...]]:
    """The kind of a schema, or its problems."""
    return load({PATH: json.dumps(schema, indent=1, ensure_ascii=False).encode()})


def with_part(pointer: tuple[str, ...], part: Any) -> Any:
    """The schema with a part at a place."""
    schema = copy.deepcopy(DESK)
    *way, last = pointer
    target = schema
    for step in way:
        target = target.setdefault(step, {})
    target[last] = part
    return schema


def described(part: dict[str, Any]) -> dict[str, Any]:
    """A part as a field's."""
    return {"description": "Some field.", **part}


def document(spec: dict[str, Any]) -> Any:
    """A document of the kind with more in its spec."""
    return {
        "apiVersion": "reconciler/v1",
        "kind": "Desk",
        "metadata": {"name": "fx"},
        "spec": {"city": "London", "loss": 1, **spec},
    }


def judge(kinds: Kinds, spec: dict[str, Any]) -> FileEntry:
    """What is said of such a document."""
    return Validator(kinds).check("x.yaml", Decoded((Document(document(spec), {}),)))
