"""Files that a kind is made from: YAML, JSON, CSV, a terminal's settings, or a JSON Schema of values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.adapters.csvfile import read_cells
from reconciler.decode.document import decode
from reconciler.errors import NeedsHuman, UsageError
from reconciler.importing.samples import sample_of_documents, sample_of_records, sample_of_settings, sample_of_table
from reconciler.kinds.check import is_value_schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.scaffold.newkind import Sample

MAX_SAMPLE = 16 * 1024 * 1024
"""Bytes of a file that a kind is made from."""


def read_sample(file: Path) -> Sample | Mapping[str, Any]:
    """The values in a file, or the schema of values that it is."""
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    if file.stat().st_size > MAX_SAMPLE:
        raise UsageError(f"{file} has more than {MAX_SAMPLE:,} bytes", hint="a few of its values are enough")
    stem = file.name.partition(".")[0]
    match file.suffix.lower():
        case ".csv" | ".tsv":
            return sample_of_table(*read_cells(file), file.name, stem)
        case ".set":
            return sample_of_settings(_decode_settings(_read_bytes(file)), file.name, stem)
        case ".json":
            value: Any = _read_json(file)
            return value if is_value_schema(value) else sample_of_records([value], file.name, stem)
        case ".yaml" | ".yml":
            decoded = decode(str(file), _read_bytes(file))
            value = decoded.documents[0].value if len(decoded.documents) == 1 and not decoded.problems else None
            return value if is_value_schema(value) else sample_of_documents(decoded, file.name, stem)
        case suffix:
            raise UsageError(
                f"a file {suffix or 'without an ending'} is not read", hint="one of .yaml, .json, .csv, .set"
            )


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise NeedsHuman(f"cannot read {file}: {why}", hint="see that you may read it") from error


def _read_json(file: Path) -> Any:
    try:
        return json.loads(_read_bytes(file), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{file} is no JSON: {why}", hint="see that it is saved as UTF-8") from error


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _decode_settings(data: bytes) -> str:
    """MetaTrader 5 writes UTF-16 with a byte order mark; older ones and people write what their system does."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
