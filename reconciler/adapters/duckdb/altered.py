"""Reading tables that somebody else may have altered: what is theirs to answer for is told as such."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from reconciler.adapters.duckdb.connection import REBUILD, first_line
from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from collections.abc import Iterator

UNREADABLE = (duckdb.BinderException, duckdb.CatalogException, duckdb.ConversionException)
"""What DuckDB says of a table that is not there, and of columns that are not, or are of another type."""
HEAL = "`reconciler drift` tells what was altered, `reconciler drift --heal` puts it right"


@contextmanager
def live_tables() -> Iterator[None]:
    """Live rows are read. Raises `NeedsHuman` when their table is not such that they can be."""
    try:
        yield
    except UNREADABLE as error:
        raise NeedsHuman(
            f"a live table was altered, its rows cannot be read: {first_line(error)}", hint=HEAL
        ) from error


@contextmanager
def desired_tables() -> Iterator[None]:
    """What git says is read. Raises `NeedsHuman` when its tables are not such that it can be."""
    try:
        yield
    except UNREADABLE as error:
        raise NeedsHuman(f"the store cannot tell what git says: {first_line(error)}", hint=REBUILD) from error
