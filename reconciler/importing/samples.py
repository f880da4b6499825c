"""Samples of a new kind: values as YAML and JSON, spreadsheets and MetaTrader 5's settings files have them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from reconciler.errors import UsageError
from reconciler.scaffold.newkind import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.canonical import Value
    from reconciler.model.change import Decoded

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
"""As JSON has them: 007 is a text."""
_WHOLE = re.compile(r"-?[0-9]+")
MAX_DIGITS = 40
"""Characters of a number; what is longer is a text of digits."""
_BOOLEANS = {"true": True, "false": False}
SEPARATOR = "||"
"""In a settings file: what stands behind is for the strategy tester."""
COMMENT = ";"


def sample_of_documents(decoded: Decoded, source: str, name: str) -> Sample:
    """Documents, or one with a list. Of resources, their specs. Raises `UsageError` for what is neither."""
    if decoded.problems:
        problem = decoded.problems[0]
        raise UsageError(f"{source}:{problem.line}:{problem.column}: {problem.message}", hint=problem.hint)
    return sample_of_records([document.value for document in decoded.documents], source, name)


def sample_of_records(values: list[Any], source: str, name: str) -> Sample:
    """Mappings, or one list of them. Raises `UsageError` for what is neither."""
    members = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    records = [_spec_of(value) for value in members if isinstance(value, dict) and value]
    if not records or len(records) != len(members):
        raise UsageError(f"{source} holds no fields with values", hint="a mapping, or a list of mappings, makes a kind")
    return Sample(name, source, records)


def _spec_of(value: Mapping[str, Any]) -> Mapping[str, Value]:
    """The fields of a record; of a document with an envelope, its spec and its name."""
    spec, metadata = value.get("spec"), value.get("metadata")
    if "apiVersion" not in value or not isinstance(spec, dict):
        return value
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return {**spec, "name": name} if name is not None else spec


def sample_of_table(columns: Sequence[str], rows: Iterable[Sequence[str]], source: str, name: str) -> Sample:
    """The rows of a table, each cell as the number or truth value that it is where the whole column is so."""
    records = [dict(zip(columns, row, strict=False)) for row in rows]
    if not records or not any(column.strip() for column in columns):
        raise UsageError(f"{source} has no rows", hint="its first line names the columns, the second has values")
    typed = {column: _type_column([record.get(column) or "" for record in records]) for column in columns}
    named = [column for column in columns if column.strip()]
    return Sample(name, source, [{one: typed[one][number] for one in named} for number in range(len(records))])


def _type_column(cells: Sequence[str]) -> list[Value]:
    values = [_read(cell.strip()) if cell.strip() else None for cell in cells]
    kinds = {str if isinstance(value, str) else isinstance(value, bool) for value in values if value is not None}
    if str in kinds or len(kinds) > 1:
        return [cell or None for cell in cells]
    return values


def sample_of_settings(text: str, source: str, name: str) -> Sample:
    """The inputs in a settings file (`.set`) of MetaTrader 5; comments right above an input are told with it.

    Raises `UsageError` where a line is none.
    """
    values: dict[str, Value] = {}
    remarks: dict[str, str] = {}
    above: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped:
            above = []
        elif stripped.startswith(COMMENT):
            above.append(stripped.lstrip(COMMENT).strip())
        else:
            key, separator, value = stripped.partition("=")
            if not separator or not key.strip():
                raise UsageError(f"{source}:{number}: this is no line of a settings file", hint="write Name=value")
            if "," not in key:  # MetaTrader 4 keeps the tester's ranges under names with a comma
                values[key.strip()] = _read(value.partition(SEPARATOR)[0].strip())
                remarks |= {key.strip(): " ".join(filter(None, above))} if any(above) else {}
            above = []
    if not values:
        raise UsageError(f"{source} has no settings", hint="write Name=value")
    return Sample(name, source, [values], remarks)


def _read(text: str) -> Value:
    """A text as the number or truth value that it is; every other one is text."""
    if text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if len(text) > MAX_DIGITS or not _NUMBER.fullmatch(text):
        return text
    number = int(text) if _WHOLE.fullmatch(text) else float(text)
    return number if math.isfinite(number) else text
