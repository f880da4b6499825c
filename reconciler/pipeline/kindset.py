"""The kinds in force in a tree: the shipped ones and those of its schemas folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reconciler.decode.document import decode
from reconciler.kinds.build import build_kind
from reconciler.kinds.kind import Kinds
from reconciler.kinds.load import load_kinds
from reconciler.kinds.narrowing import narrowings
from reconciler.model.problem import NOT_LOCATED, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Shipped:
    """What comes with the program: its kinds, the meta-schema of every kind's schema, and that of `reconciler.yaml`."""

    kinds: Kinds
    meta: Mapping[str, Any]
    repository: Mapping[str, Any]


def read_kinds(files: Mapping[str, bytes], shipped: Shipped) -> tuple[Kinds, tuple[Problem, ...]]:
    """The shipped kinds and those of some schema files (JSON, which is YAML), and what is wrong with the files."""
    decoded = {path: decode(path, data) for path, data in files.items()}
    return load_kinds(decoded, shipped.meta, shipped.kinds)


def read_shipped(files: Mapping[str, bytes], meta: Mapping[str, Any], repository: Mapping[str, Any]) -> Shipped:
    """The kinds that come with the program, which are right."""
    kinds, problems = load_kinds({path: decode(path, data) for path, data in files.items()}, meta)
    assert not problems, problems
    return Shipped(kinds, meta, repository)


def stored_kinds(schemas: Mapping[str, Mapping[str, Any]]) -> Kinds:
    """The kinds that a store's tables were made from, by name."""
    return _built(_Schemas(schemas))


@lru_cache(maxsize=4)
def _built(made_from: _Schemas) -> Kinds:
    return Kinds(tuple(build_kind(made_from.schemas[name], "") for name in sorted(made_from.schemas)))


@dataclass(frozen=True, slots=True)
class _Schemas:
    """Schemas that are the same when all of them are."""

    schemas: Mapping[str, Mapping[str, Any]]

    def __hash__(self) -> int:
        return hash(tuple(self.schemas))


def migration_problems(old: Kinds, new: Kinds) -> tuple[Problem, ...]:
    """Why rows made under the old kinds could not stand under the new ones."""
    problems: list[Problem] = []
    for kind in old:
        successor = new.by_name.get(kind.name)
        if successor is None:
            problems.append(
                Problem(
                    path=kind.origin,
                    line=1,
                    column=1,
                    code="schema-narrowed",
                    pointer="",
                    message=f"the schema of {kind.name} is gone, but its table and history still need it",
                    hint="put the file back; to stop using the kind, delete its resources instead",
                )
            )
            continue
        problems.extend(
            Problem(successor.origin, 1, NOT_LOCATED, "schema-narrowed", found.pointer, found.message, found.hint)
            for found in narrowings(kind, successor)
        )
    return tuple(problems)
