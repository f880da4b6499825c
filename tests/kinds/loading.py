"""The kinds that tests work with, read as the program reads them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from reconciler.adapters.bundled import find_example_repository, load_bundled_schemas, load_schema
from reconciler.decode.document import decode
from reconciler.kinds.check import MetaSchema
from reconciler.kinds.load import load_kinds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.problem import Problem

BROKER = "schemas/broker.schema.json"


@lru_cache(maxsize=1)
def meta() -> MetaSchema:
    """The meta-schema."""
    return MetaSchema(load_schema("kind"))


def load(files: Mapping[str, bytes], shipped: Kinds | None = None) -> tuple[Kinds, tuple[Problem, ...]]:
    """Decode and load schema files."""
    return load_kinds({path: decode(path, data) for path, data in files.items()}, meta(), shipped)


@lru_cache(maxsize=1)
def shipped() -> Kinds:
    """The five kinds that ship."""
    kinds, problems = load(load_bundled_schemas())
    assert not problems
    return kinds


@lru_cache(maxsize=1)
def example() -> Kinds:
    """The shipped kinds and the example repository's own."""
    kinds, problems = load({BROKER: (find_example_repository() / BROKER).read_bytes()}, shipped())
    assert not problems
    return kinds
