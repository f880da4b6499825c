"""The kinds there are, as an answer and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, cast

from msgspec import Meta

from reconciler import answers
from reconciler.kinds.risk import fields_without_rule
from reconciler.report.tables import Column, Nature, TextTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.kinds.kind import Kind

Origin = Literal["shipped", "repository"]
KIND_COLUMNS = (
    Column("kind", 0, Nature.NAME),
    Column("table", 1, Nature.NAME),
    Column("key", 4, Nature.NAME),
    Column("columns", 3, Nature.NUMBER),
    Column("from", 2),
    Column("without direction", 5, Nature.TEXT),
)


class KindSummary(answers.Answer, frozen=True):
    kind: str
    table: str
    key: str
    columns: answers.Count
    origin: Origin
    without_direction: Annotated[
        tuple[str, ...], Meta(description="columns of which the schema does not say what loosens: any change does")
    ]


class Kinds(answers.Answer, frozen=True):
    kinds: tuple[KindSummary, ...]


def build_kind_summary(kind: Kind, origin: str) -> KindSummary:
    """`origin` is `shipped` or `repository`."""
    return KindSummary(
        kind=kind.name,
        table=kind.table,
        key=kind.key,
        columns=len(kind.columns),
        origin=cast("Origin", origin),
        without_direction=fields_without_rule(kind),
    )


def kind_table(kinds: Sequence[KindSummary]) -> TextTable:
    """The kinds as a table."""
    return TextTable(KIND_COLUMNS, list(map(_kind_cells, kinds)))


def _kind_cells(kind: KindSummary) -> tuple[str, ...]:
    return (kind.kind, kind.table, kind.key, str(kind.columns), kind.origin, ", ".join(kind.without_direction) or "-")
