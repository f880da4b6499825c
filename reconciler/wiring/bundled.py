"""The kinds that come with the program."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from reconciler.adapters.bundled import load_bundled_schemas, load_schema
from reconciler.reconcile.rules import load_bundled

if TYPE_CHECKING:
    from reconciler.reconcile.rules import BundledSchemas


@lru_cache(maxsize=1)
def bundled_kinds() -> BundledSchemas:
    """The kinds that come with the program."""
    return load_bundled(load_bundled_schemas(), load_schema("kind"), load_schema("repository"))
