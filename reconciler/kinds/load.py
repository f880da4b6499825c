"""Schema files to kinds: the good ones, and a problem with its place for everything wrong with the others.

And where a kind's new schema allows less than its old one did.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler import canonical
from reconciler.kinds.build import build_kind
from reconciler.kinds.check import (
    find_compile_flaws,
    find_cross_flaws,
    find_link_flaws,
    is_value_schema,
)
from reconciler.kinds.halting import find_halt_flaws
from reconciler.kinds.kind import (
    ANNOTATION,
    Column,
    Kind,
    Kinds,
    child,
    is_within,
    locate,
    value_at,
)
from reconciler.kinds.names import find_name_flaws
from reconciler.kinds.parts import VALUES, Flaw, list_parts
from reconciler.kinds.risk import find_risk_flaws
from reconciler.model.problem import Problem
from reconciler.values import replace
from reconciler.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.kinds.check import MetaSchema
    from reconciler.model.change import Decoded, Document


CODE = "bad-schema"
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?[eE][-+]?[0-9]+")
"""What is ambiguous in YAML, and a number in JSON."""
_HINT = "docs/kinds.md has what a schema may hold"
RESERVED_KINDS = frozenset({"Repository"})
"""The kind of reconciler.yaml."""
RESERVED_TABLES = frozenset({"config_versions", "version_states", "host_events", "live_intervals"})
"""Tables of the history database that are not a kind's."""


class _Candidate(Struct, frozen=True):
    """A schema that is sound by itself."""

    document: Document
    kind: Kind


def load_kinds(
    files: Mapping[str, Decoded], meta_schema: MetaSchema, bundled: Kinds | None = None
) -> tuple[Kinds, tuple[Problem, ...]]:
    """The shipped kinds and those of the good files, and the problems of the others (code `bad-schema`).

    `files` maps a path to the decoded JSON text there. Files are taken in the order of their paths: of two that clash
    the first one stays. Without `bundled` the files are the shipped ones, which may refer to kinds that only a
    repository has.
    """
    problems: list[Problem] = []
    candidates: list[_Candidate] = []
    for path in sorted(files):
        decoded = _allow_hidden_values(files[path])
        problems.extend(decoded.problems)
        candidate = _read_candidate(path, decoded, meta_schema, problems)
        if candidate is not None:
            candidates.append(candidate)
    kinds = list(bundled or ())
    declared = {kind.name for kind in kinds} | {_declared_kind(decoded) for decoded in files.values()}
    for candidate in candidates:
        flaws = [*_find_clashes(candidate.kind, kinds), *find_name_flaws(candidate.kind, kinds)]
        if bundled is not None:
            flaws += _find_dangling(candidate.kind, declared)
        problems.extend(_to_problem(candidate.kind.origin, candidate.document, flaw) for flaw in flaws)
        if not flaws:
            kinds.append(candidate.kind)
    return Kinds(tuple(sorted(kinds, key=lambda kind: kind.name))), tuple(sorted(problems))


def _allow_hidden_values(decoded: Decoded) -> Decoded:
    """The same without the problem of a NUL character in a value that a rule names: no document can have it."""
    if not decoded.problems or len(decoded.documents) != 1 or not isinstance(decoded.documents[0].value, dict):
        return decoded
    schema = decoded.documents[0].value
    named = tuple(
        child(at, keyword) for at, part in list_parts(schema).items() for keyword in VALUES if keyword in part
    )
    told = [problem for problem in decoded.problems if not _is_hidden(schema, named, problem)]
    return replace(decoded, problems=tuple(told))


def _is_hidden(schema: Any, named: tuple[str, ...], problem: Problem) -> bool:
    if not any(is_within(problem.pointer, pointer) for pointer in named):
        return False
    try:
        value = value_at(schema, problem.pointer)
    except KeyError:
        return False
    return isinstance(value, str) and "\0" in value


def _read_candidate(path: str, decoded: Decoded, meta_schema: MetaSchema, problems: list[Problem]) -> _Candidate | None:
    if len(decoded.documents) != 1:
        if not decoded.problems:
            message = f"a schema file holds one JSON Schema, and this one holds {len(decoded.documents)} documents"
            problems.append(Problem(path, 1, 1, CODE, "", message))
        return None
    document = decoded.documents[0]
    flaws = _find_flaws(path, document, meta_schema)
    problems.extend(_to_problem(path, document, flaw) for flaw in flaws)
    if flaws or decoded.problems or not isinstance(document.value, dict):
        return None
    kind = build_kind(document.value, path)
    remarked = (*find_halt_flaws(kind), *find_risk_flaws(kind))
    problems.extend(_to_problem(path, document, flaw) for flaw in remarked)
    return None if remarked else _Candidate(document, kind)


def _find_flaws(path: str, document: Document, meta_schema: MetaSchema) -> tuple[Flaw, ...]:
    """The flaws of the first check that finds any: each check relies on the ones before it."""
    schema: Any = document.value
    if is_value_schema(schema):
        message = "this is a JSON Schema of values, and a kind has more: a name, a table and metadata"
        return (Flaw("", message, f"`reconciler schema new NAME --from {path}` makes a kind of it, in its place"),)
    unquoted = tuple(
        Flaw(pointer, f"{text} is no JSON", "quote it")
        for pointer, text in document.ambiguous.items()
        if not _JSON_NUMBER.fullmatch(text)
    )
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
    return Problem(
        path, mark.line, mark.column, CODE, flaw.pointer, flaw.message, flaw.hint or ("" if flaw.instead else _HINT)
    )


_FIELDS = "/properties/spec/properties"
_KEEP = "keep the field and take it out of spec.required, or make a new kind"
_WIDEN = "keep what was allowed and narrow it with a policy, add a new field, or make a new kind"
_ADD_OPTIONAL = "leave it out of spec.required: rows written before it exists have no value"
_NEW_KIND = "keep it, or make a new kind and move the resources there"
_NEW_FIELD = "keep the type and add a new field with the other one"


class Narrowing(Struct, frozen=True):
    """A change of a schema that rows already written could break: its place in the new schema, and what to do.

    `column` is the one it is about; empty for the table and its key.
    """

    pointer: str
    message: str
    hint: str
    column: str = ""


def find_narrowings(old: Kind, new: Kind) -> tuple[Narrowing, ...]:
    """Every change from `old` to `new` that could make existing rows invalid."""
    return (*_identity(old, new), *_columns(old, new))


def _identity(old: Kind, new: Kind) -> Iterator[Narrowing]:
    if old.table != new.table:
        message = f"the table {old.table} becomes {new.table}"
        yield Narrowing(f"/{ANNOTATION}/table", message, _NEW_KIND)
    if old.key != new.key:
        yield Narrowing(f"/{ANNOTATION}/key", f"the key {old.key} becomes {new.key}", _NEW_KIND)


def _columns(old: Kind, new: Kind) -> Iterator[Narrowing]:
    for before in old.columns:
        after = new.column(before.name)
        if after is None:
            pointer = child(f"/{ANNOTATION}/columns", before.name)
            yield Narrowing(pointer, f"the column {before.name} is removed", _KEEP, before.name)
        else:
            yield from _column(before, after)
    for after in new.columns:
        if after.required and old.column(after.name) is None:
            message = f"the new field {after.name} is required"
            yield Narrowing(child(_FIELDS, after.name), message, _ADD_OPTIONAL, after.name)


def _column(before: Column, after: Column) -> Iterator[Narrowing]:
    declared, field = child(f"/{ANNOTATION}/columns", after.name), child(_FIELDS, after.name)
    if before.type is not after.type:
        message = f"the column {after.name} was {_written(before)} and becomes {_written(after)}"
        yield Narrowing(declared, message, _NEW_FIELD, after.name)
        return
    if after.length is not None and (before.length is None or before.length > after.length):
        message = f"{after.name} was {_written(before)} and becomes {_written(after)}"
        yield Narrowing(declared, message, _WIDEN, after.name)
    if after.required and not before.required:
        yield Narrowing(field, f"{after.name} may be left out so far and becomes required", _ADD_OPTIONAL, after.name)
    yield from _words(field, before, after)
    yield from _bounds(field, before, after)


def _words(field: str, before: Column, after: Column) -> Iterator[Narrowing]:
    if not after.enum:
        return
    pointer = child(field, "enum")
    if not before.enum:
        message = f"{after.name} could be any text so far, and becomes {', '.join(after.enum)}"
        yield Narrowing(pointer, message, _WIDEN, after.name)
        return
    gone = [word for word in before.enum if word not in after.enum]
    if gone:
        yield Narrowing(pointer, f"{after.name} may no longer be {' or '.join(gone)}", _WIDEN, after.name)


def _bounds(field: str, before: Column, after: Column) -> Iterator[Narrowing]:
    old_limit, new_limit = _lowest(before), _lowest(after)
    if new_limit is not None and (old_limit is None or old_limit < new_limit):
        message = f"{after.name} must now be {_side(new_limit, 'more than', 'at least')}"
        yield Narrowing(field, message, _WIDEN, after.name)
    old_limit, new_limit = _highest(before), _highest(after)
    if new_limit is not None and (old_limit is None or old_limit < new_limit):
        limit = (-new_limit[0], new_limit[1])
        message = f"{after.name} must now be {_side(limit, 'less than', 'at most')}"
        yield Narrowing(field, message, _WIDEN, after.name)


def _lowest(column: Column) -> tuple[float, bool] | None:
    """The lower limit, and whether it is itself excluded: the greater pair is the tighter one."""
    limits = [
        (column.bounds[keyword], excluded)
        for keyword, excluded in (("minimum", False), ("exclusiveMinimum", True))
        if keyword in column.bounds
    ]
    return max(limits, default=None)


def _highest(column: Column) -> tuple[float, bool] | None:
    """The upper limit with its sign turned, so that here too the greater pair is the tighter one."""
    limits = [
        (-column.bounds[keyword], excluded)
        for keyword, excluded in (("maximum", False), ("exclusiveMaximum", True))
        if keyword in column.bounds
    ]
    return max(limits, default=None)


def _side(limit: tuple[float, bool], excluded: str, included: str) -> str:
    return f"{excluded if limit[1] else included} {canonical.text(limit[0])}"


def _written(column: Column) -> str:
    return f"{column.type}({column.length})" if column.length is not None else str(column.type)
