"""A live row as the YAML document that declares it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import answers, canonical
from reconciler.format.format import format_text
from reconciler.kinds.kind import TIMESTAMPS
from reconciler.report.views import NAME
from reconciler.scaffold.yamltext import write_document

if TYPE_CHECKING:
    from reconciler.format.format import KeyOrder


def row_document(row: answers.Row, rows: answers.Rows, order: KeyOrder) -> str:
    """A row as the YAML document that declares it, without what a halt has set.

    An id that is made from kind and name is left out, as most do.
    """
    said = row.metadata or answers.Metadata(labels={}, annotations={}, refs={})
    kind = order.kinds.by_name[rows.kind]
    many = {one.role for one in kind.references if one.many}
    refs = {role: list(names) if role in many else names[0] for role, names in said.refs.items() if names}
    values = {**row.values, **(row.declared or {})}
    spec = {field: value for field, value in values.items() if value is not None and field not in TIMESTAMPS}
    if spec.get(rows.key) == canonical.derived_id(rows.kind, row.name):
        del spec[rows.key]
    parts = {"labels": said.labels, "annotations": said.annotations, "refs": refs}
    metadata: dict[str, Any] = {NAME: row.name, **{part: value for part, value in parts.items() if value}}
    version = kind.schema["properties"]["apiVersion"]["const"]
    document: dict[str, Any] = {"apiVersion": version, "kind": rows.kind, "metadata": metadata, "spec": spec}
    return format_text(write_document(document), order)
