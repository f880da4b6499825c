"""The kinds that live rows may be of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import UsageError
from reconciler.kinds.build import stored_kinds
from reconciler.report.kinds import Kinds as KindList
from reconciler.report.kinds import build_kind_summary
from reconciler.service.context import Service
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.kinds.kind import Kinds as KindSet
    from reconciler.ports import StoreReader
    from reconciler.reconcile.rules import BundledSchemas

BUNDLED, OWN = "shipped", "repository"
"""Where a kind is from."""


class Kinds(Service):
    """The kinds of the store; before the first sync those that come with the program."""

    def all(self) -> KindList:
        """The kinds in order of their names."""
        bundled = {kind.name: kind.digest for kind in self.context.bundled.kinds}
        return KindList(
            kinds=tuple(
                build_kind_summary(kind, BUNDLED if bundled.get(kind.name) == kind.digest else OWN)
                for kind in self.known()
            )
        )

    def schema(self, kind: str) -> dict[str, Any]:
        """The JSON Schema of a kind. Raises `UsageError` when there is none."""
        return dict(find_kind(self.known(), kind).schema)

    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schemas of all kinds by their names."""
        return {kind.name: kind.schema for kind in self.known()}

    def known(self) -> KindSet:
        """The kinds themselves."""
        with self.context.open_rows() as store:
            return known_kinds(store, self.context.bundled)


def known_kinds(store: StoreReader | None, bundled: BundledSchemas) -> KindSet:
    """The kinds that a store has tables for; before the first sync those that come with the program."""
    schemas = store.kinds() if store else {}
    return stored_kinds(schemas) if schemas else bundled.kinds


def find_kind(kinds: KindSet, word: str) -> Kind:
    """The kind that a word names. Raises `UsageError` with the nearest one when there is none."""
    kind = kinds.find(word)
    if kind is None:
        raise UsageError(f"there is no kind {word}", hint=suggest(word, [kind.name.lower() for kind in kinds]))
    return kind
