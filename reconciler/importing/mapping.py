"""The mapping: which column of a spreadsheet becomes which field, and what else was decided about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from reconciler.decode.document import decode
from reconciler.importing.cells import DECIDE
from reconciler.importing.sheets import letters
from reconciler.kinds.kind import locate
from reconciler.model.problem import Problem
from reconciler.scaffold.files import resource_file
from reconciler.scaffold.yamltext import write_scalar, write_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


VERSION = 1
_LETTERS = re.compile("[A-Za-z]{0,3}")
CODE = "bad-mapping"


class ColumnRule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What becomes of a column: `to` names kinds with fields, `name`, `refs.ROLE`, `labels.KEY` or `annotations.KEY`.

    `decimal`, `dates` and `percent` say how its cells are to be read, `words` what some of them mean.
    """

    column: str
    header: str = ""
    to: list[str] = []
    decimal: str = ""
    dates: str = ""
    percent: str = ""
    words: dict[str, str] = {}


class SheetRule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One sheet: what its rows are, where its header stands, its columns, and what new resources have otherwise.

    `exact`: every row below the header is one, and texts are as they are; so `export` writes them.
    """

    sheet: str
    kind: str
    header: int
    columns: list[ColumnRule]
    otherwise: dict[str, Any] = {}
    exact: bool = False


class SheetMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """All sheets that are read; the others are left alone."""

    version: int
    sheets: list[SheetRule] = field(default_factory=list)


CHOICES: Mapping[str, tuple[str, ...]] = {
    "decimal": (".", ","),
    "dates": ("day-first", "month-first"),
    "percent": ("percent", "fraction"),
}
"""The keys of a column that decide how it is read, and what they take."""
_REMARKS = {
    "decimal": "the decimal sign: '.' or ','",
    "dates": "day-first or month-first",
    "percent": "percent: 0.5 is 0.5 %; fraction: 0.005 is 0.5 %",
}

Place = tuple[str, str, str]
"""A sheet, the letters of a column and a key, of which a line of the text tells."""


def write_mapping(mapping: SheetMapping, source: str) -> tuple[str, Mapping[Place, int]]:
    """The mapping as a commented YAML file, and the line of each decision in it."""
    lines: list[str] = []
    places: dict[Place, int] = {}
    for place, line in _lines(mapping, source):
        lines.append(line)
        if place is not None:
            places[place] = len(lines)
    return "".join(f"{line}\n" for line in lines), places


def _lines(mapping: SheetMapping, source: str) -> Iterator[tuple[Place | None, str]]:
    yield (
        None,
        f"# How `reconciler import` reads {' '.join(source.split())}. To change it, edit this file and import with",
    )
    yield None, "# --map and its name: nothing is guessed then. A column with `to: []` is left out."
    yield None, f"version: {mapping.version}"
    yield None, "sheets:" if mapping.sheets else "sheets: []"
    for sheet in mapping.sheets:
        yield None, f"- sheet: {write_scalar(sheet.sheet)}"
        yield None, f"  kind: {sheet.kind}  # what a row of it is"
        yield None, f"  header: {sheet.header}  # the row with the names of the columns"
        if sheet.exact:
            yield None, "  exact: true  # every row is one, and texts are as they are"
        yield None, "  columns:"
        for rule in sheet.columns:
            yield (sheet.sheet, rule.column, "to"), f"  - column: {rule.column}"
            yield None, f"    header: {write_scalar(rule.header)}"
            yield None, f"    to: {write_value([*rule.to])}"
            for key, remark in _REMARKS.items():
                value = getattr(rule, key)
                if value:
                    yield (sheet.sheet, rule.column, key), f"    {key}: {write_scalar(value)}  # {remark}"
            if rule.words:
                yield (sheet.sheet, rule.column, "words"), f"    words: {write_value({**rule.words})}"
        if sheet.otherwise:
            yield None, "  otherwise:  # what new resources have in fields that no column is of"
            for target, value in sheet.otherwise.items():
                yield (sheet.sheet, "", target), f"    {target}: {write_value(value)}"


def read_mapping(path: str, text: bytes) -> tuple[SheetMapping | None, tuple[Problem, ...], Mapping[Place, int]]:
    """The mapping in a file, what is wrong with it, and the line of each of its decisions."""
    decoded = decode(path, text)
    if decoded.problems or len(decoded.documents) != 1:
        one = Problem(path, 1, 1, CODE, "", "a mapping is one YAML document")
        return None, decoded.problems or (one,), {}
    document = decoded.documents[0]
    try:
        mapping = msgspec.convert(document.value, SheetMapping)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        pointer = at.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/")
        mark = locate(document.marks, pointer)
        return None, (Problem(path, mark.line, mark.column, CODE, pointer, message),), {}
    places: dict[Place, int] = {}
    problems: list[Problem] = []
    if mapping.version != VERSION:
        problems.append(Problem(path, 1, 1, CODE, "/version", f"this program reads version {VERSION}"))
    readable = True
    for number, sheet in enumerate(mapping.sheets):
        for position, rule in enumerate(sheet.columns):
            at = f"/sheets/{number}/columns/{position}"
            places[sheet.sheet, rule.column, "to"] = locate(document.marks, at).line
            if not _LETTERS.fullmatch(rule.column):
                mark = locate(document.marks, f"{at}/column")
                told = f"a column is named by its letters, such as A or AB: {rule.column!r} has others"
                problems.append(Problem(path, mark.line, mark.column, CODE, f"{at}/column", told))
                readable = False
            for key, choices in CHOICES.items():
                value = getattr(rule, key)
                mark = locate(document.marks, f"{at}/{key}")
                places[sheet.sheet, rule.column, key] = mark.line
                if value and value != DECIDE and value not in choices:
                    told = f"{key} is {' or '.join(choices)}"
                    problems.append(Problem(path, mark.line, mark.column, CODE, f"{at}/{key}", told))
    return mapping if readable else None, tuple(problems), places


def mapping_names(paths: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """Under which names the mapping of each file may be kept, the nearest first; the last is that of a new one.

    It is the file's, after as many of its folders as tell the file from the others: `desk.xlsx.yaml`, or
    `london/desk.csv.yaml` beside `paris/desk.csv.yaml`. `paths` are absolute, with slashes.
    """
    parts = {path: [_folder(part) for part in path.split("/") if part] for path in paths}
    names: dict[str, tuple[str, ...]] = {}
    for path, own in parts.items():
        others = [[part.casefold() for part in other] for at, other in parts.items() if at != path]
        folded = [part.casefold() for part in own]
        shared = (depth for depth in range(1, len(own)) if any(folded[-depth:] == one[-depth:] for one in others))
        least = max(shared, default=0) + 1
        depths = dict.fromkeys((min(least + 1, len(own)), least))
        names[path] = tuple(f"{'/'.join(own[-depth:])}.yaml" for depth in depths)
    return names


def _folder(part: str) -> str:
    return resource_file(part).removesuffix(".yaml").lstrip(".") or "_"


def new_rule(column: int, header: str, to: Sequence[str]) -> ColumnRule:
    return ColumnRule(letters(column), header, [*to])
