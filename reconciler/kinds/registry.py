"""All kinds that are in force together: the shipped ones and a repository's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from reconciler import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kind


@dataclass(frozen=True)
class Kinds:
    """An immutable set of kinds in order of their names."""

    members: tuple[Kind, ...]

    def __iter__(self) -> Iterator[Kind]:
        return iter(self.members)

    @cached_property
    def by_name(self) -> dict[str, Kind]:
        """Kinds by their exact names."""
        return {kind.name: kind for kind in self.members}

    @cached_property
    def digest(self) -> str:
        """Differs whenever any schema does: what was decoded under another set of kinds has to be read again."""
        return canonical.digest([kind.digest for kind in self.members])

    @cached_property
    def _words(self) -> dict[str, Kind]:
        words: dict[str, Kind] = {}
        for kind in self.members:
            lower = kind.name.lower()
            for word in (lower, f"{lower}s", kind.table.lower()):
                words.setdefault(word, kind)
        return words

    def find(self, word: str) -> Kind | None:
        """The kind that a person means: its name or table in any case, singular or plural."""
        return self._words.get(word.lower())

    def changed_from(self, other: Kinds) -> frozenset[str]:
        """Names of the kinds that came, went or have another schema than in `other`."""
        mine = {kind.name: kind.digest for kind in self.members}
        theirs = {kind.name: kind.digest for kind in other.members}
        return frozenset(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
