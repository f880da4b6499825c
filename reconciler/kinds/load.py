"""Schema files to kinds: the good ones, and a problem with its place for everything wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.kinds.check import Flaw, MetaSchema, find_compile_flaws, find_cross_flaws, find_link_flaws
from reconciler.kinds.kind import ANNOTATION, Kinds, build_kind, child, did_you_mean, locate
from reconciler.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Decoded, Document

CODE = "bad-schema"
RESERVED_KINDS = frozenset({"Repository"})
"""The kind of reconciler.yaml."""
RESERVED_TABLES = frozenset({"config_versions", "host_events"})
"""Tables of the history database that are not a kind's."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A schema that is sound by itself."""

    document: Document
    kind: Kind


def load_kinds(
    files: Mapping[str, Decoded], meta: Mapping[str, Any], bundled: Kinds | None = None
) -> tuple[Kinds, tuple[Problem, ...]]:
    """The shipped kinds and those of the good files, and the problems of the others (code `bad-schema`).

    `files` maps a path to the decoded JSON text there, `meta` is the meta-schema (schemas/kind.schema.json). Files
    are taken in the order of their paths: of two that clash the first one stays. Without `bundled` the files are
    the shipped ones, which may refer to kinds that only a repository has.
    """
    meta_schema = MetaSchema(meta)
    problems: list[Problem] = []
    candidates: list[_Candidate] = []
    for path in sorted(files):
        problems.extend(files[path].problems)
        candidate = _read_candidate(path, files[path], meta_schema, problems)
        if candidate is not None:
            candidates.append(candidate)
    kinds = list(bundled or ())
    declared = {kind.name for kind in kinds} | {_declared_kind(decoded) for decoded in files.values()}
    for candidate in candidates:
        flaws = [*_find_clashes(candidate.kind, kinds)]
        if bundled is not None:
            flaws += _find_dangling(candidate.kind, declared)
        problems.extend(_to_problem(candidate.kind.origin, candidate.document, flaw) for flaw in flaws)
        if not flaws:
            kinds.append(candidate.kind)
    return Kinds(tuple(sorted(kinds, key=lambda kind: kind.name))), tuple(sorted(problems))


def _read_candidate(path: str, decoded: Decoded, meta_schema: MetaSchema, problems: list[Problem]) -> _Candidate | None:
    if len(decoded.documents) != 1:
        if not decoded.problems:
            message = f"a schema file holds one JSON Schema, and this one holds {len(decoded.documents)} documents"
            problems.append(Problem(path, 1, 1, CODE, "", message))
        return None
    document = decoded.documents[0]
    flaws = _find_flaws(document, meta_schema)
    problems.extend(_to_problem(path, document, flaw) for flaw in flaws)
    if flaws or decoded.problems or not isinstance(document.value, dict):
        return None
    return _Candidate(document, build_kind(document.value, path))


def _find_flaws(document: Document, meta_schema: MetaSchema) -> tuple[Flaw, ...]:
    """The flaws of the first check that finds any: each check relies on the ones before it."""
    schema: Any = document.value
    unquoted = tuple(Flaw(pointer, f"{text} is no JSON", "quote it") for pointer, text in document.ambiguous.items())
    return (
        unquoted
        or meta_schema.find_flaws(schema)
        or tuple(find_link_flaws(schema))
        or tuple(find_cross_flaws(schema))
        or tuple(find_compile_flaws(schema))
    )


def _find_clashes(kind: Kind, accepted: Iterable[Kind]) -> Iterator[Flaw]:
    """Names that are taken. A kind answers to its name, its plural and its table, in any case."""
    if kind.name in RESERVED_KINDS:
        yield Flaw("/properties/kind/const", f"the kind {kind.name} is built in", "give this one another name")
    if kind.table in RESERVED_TABLES:
        yield Flaw(f"/{ANNOTATION}/table", f"the table {kind.table} is built in", "give this one another name")
    for other in accepted:
        if _names_of(kind.name) & (_names_of(other.name) | {other.table}):
            message = f"the name {kind.name} is taken: {other.origin} defines {other.name}, with table {other.table}"
            yield Flaw("/properties/kind/const", message, "give this one another name")
        if kind.table in _names_of(other.name) | {other.table}:
            message = f"the table {kind.table} is taken: {other.origin} defines {other.name}, with table {other.table}"
            yield Flaw(f"/{ANNOTATION}/table", message, "give this one another name")


def _names_of(name: str) -> set[str]:
    return {name.lower(), f"{name.lower()}s"}


def _find_dangling(kind: Kind, declared: set[str]) -> Iterator[Flaw]:
    for reference in kind.references:
        if reference.kind not in declared:
            message = f"there is no kind {reference.kind}{did_you_mean(reference.kind, declared)}"
            yield Flaw(child(child(f"/{ANNOTATION}/references", reference.role), "kind"), message)


def _declared_kind(decoded: Decoded) -> str:
    """The kind a file means to define, even when it is wrong, so that references to it are not reported as dangling."""
    for document in decoded.documents:
        match document.value:
            case {"properties": {"kind": {"const": str(name)}}}:
                return name
    return ""


def _to_problem(path: str, document: Document, flaw: Flaw) -> Problem:
    mark = locate(document.marks, flaw.pointer, of_key=flaw.at_key)
    return Problem(path, mark.line, mark.column, CODE, flaw.pointer, flaw.message, flaw.hint)
