"""What a repository declares as sheets for people, with the mapping by which they are read again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from reconciler import canonical
from reconciler.importing.hints import LABELS, NAME, REFS
from reconciler.importing.mapping import VERSION, SheetMapping, SheetRule, new_rule
from reconciler.kinds.kind import SqlType
from reconciler.model.change import Key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Resource

OutCell: TypeAlias = "bool | int | float | str | None"

ANNOTATIONS = "annotations."
DIGITS = 16
"""Of a number in a workbook; one that needs more is written as text."""
MAX_CELL = 32_767
"""Characters of a cell in a spreadsheet."""
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")
"""What a workbook cannot hold, or gives back as something else."""


class OutSheet(Struct, frozen=True):
    """A sheet to be written: headers, and rows of as many cells."""

    headers: tuple[str, ...]
    rows: tuple[tuple[OutCell, ...], ...]


class Exported(Struct, frozen=True):
    """Sheets by their titles, the mapping, and the cells that no workbook can hold."""

    sheets: Mapping[str, OutSheet]
    mapping: SheetMapping
    left_out: tuple[str, ...]


def build_sheets(kinds: Iterable[Kind], known: Kinds, resources: Mapping[Key, Resource]) -> Exported:
    """A sheet for each kind, its resources in order of their names, references by name."""
    sheets: dict[str, OutSheet] = {}
    rules: list[SheetRule] = []
    left_out: list[str] = []
    for kind in kinds:
        members = sorted((one for one in resources.values() if one.kind == kind.name), key=lambda one: one.name)
        targets = _targets(kind, known, resources, members)
        title = f"{kind.name}s"
        rows = [tuple(_cell(kind, one, target) for target in targets) for one in members]
        for one, row in zip(members, rows, strict=True):
            left_out += [
                f"{kind.name} {one.name}: {name}" for name, cell in zip(targets, row, strict=True) if _is_unfit(cell)
            ]
        left_out += [
            f"{kind.name} {one.name}: {key!r}"
            for one in members
            for key in (*one.labels, *one.annotations)
            if not _is_header(key)
        ]
        fit = tuple(tuple(None if _is_unfit(cell) else cell for cell in row) for row in rows)
        headers = tuple(target.removeprefix(REFS) for target in targets)
        sheets[title] = OutSheet(headers, fit)
        columns = [
            new_rule(at, header, [f"{kind.name}.{target}"])
            for at, (header, target) in enumerate(zip(headers, targets, strict=True), 1)
        ]
        rules.append(SheetRule(title, kind.name, 1, columns, {}, exact=True))
    return Exported(sheets, SheetMapping(VERSION, rules), tuple(left_out))


def _targets(kind: Kind, known: Kinds, resources: Mapping[Key, Resource], members: Sequence[Resource]) -> list[str]:
    """The columns of a kind: names, references, fields, labels, annotations, and the id at the end."""
    labels = sorted({f"{LABELS}{key}" for one in members for key in one.labels if _is_header(key)})
    notes = sorted({f"{ANNOTATIONS}{key}" for one in members for key in one.annotations if _is_header(key)})
    roles = [f"{REFS}{reference.role}" for reference in kind.references]
    implied = {
        target.key
        for reference in kind.references
        if (target := known.by_name.get(reference.kind)) is not None
        and all(_points(one, reference.role, target, resources) for one in members)
    }
    fields = [column.name for column in kind.columns if column.name not in {kind.key, *implied}]
    return [NAME, *roles, *fields, *labels, *notes, kind.key]


def _points(resource: Resource, role: str, target: Kind, resources: Mapping[Key, Resource]) -> bool:
    """Whether a resource's column for an id says no more than its reference by name."""
    names = resource.refs.get(role, ())
    if len(names) != 1 or target.key not in resource.values:
        return False
    named = resources.get(Key(target.name, names[0]))
    return named is not None and resource.values[target.key] == named.id


def _cell(kind: Kind, resource: Resource, target: str) -> OutCell:
    group, _, key = target.partition(".")
    if target == NAME:
        return resource.name
    if target.startswith(REFS):
        return ", ".join(resource.refs.get(key, ())) or None
    if target.startswith((LABELS, ANNOTATIONS)):
        texts: Mapping[str, str] = getattr(resource, group)
        return texts.get(key) or None
    column = kind.column(target)
    value: Value = resource.values.get(target)
    if value is None or column is None:
        return None
    if column.type is SqlType.JSON or isinstance(value, (list, dict)):
        return canonical.dumps(value)
    is_longer = isinstance(value, float) and float(f"{value:.{DIGITS}g}") != value
    return repr(value) if is_longer else value


def _is_header(key: str) -> bool:
    return not _is_unfit(key) and key == " ".join(key.split())


def _is_unfit(cell: OutCell) -> bool:
    return isinstance(cell, str) and (len(cell) > MAX_CELL or _UNWRITABLE.search(cell) is not None)
