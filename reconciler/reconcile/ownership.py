"""Whether a store is a repository's, which its commits tell: a URL may change, as when a forge is moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman
from reconciler.model.host import Owner

if TYPE_CHECKING:
    from reconciler.model.commit import Applied
    from reconciler.ports import Source, Store, StoreReader


@dataclass(frozen=True, slots=True)
class Claimant:
    """A repository, where it is now, as `url//folder`, and the folder of the configuration in it."""

    source: Source
    url: str
    folder: str

    def owns(self, owner: Owner, applied: Applied | None) -> bool:
        """Whether this is the repository of a store with this owner and applied commit.

        At another URL it has to hold the applied commit: first commits alone are those of every copy of a template.
        """
        return self._difference(owner, applied) is None

    def check(self, store: StoreReader) -> None:
        """Raise `NeedsHuman` when a store is another repository's."""
        owner = store.owner()
        if owner is None:
            return
        difference = self._difference(owner, store.applied())
        if difference is not None:
            raise NeedsHuman(
                f"this state folder belongs to the repository {owner.url}, not to {self.url}: {difference}",
                hint="name that repository with --repo, or another folder with --state",
            )

    def bind(self, store: Store, branch: str) -> None:
        """Bind a store to this repository and branch, or raise like `check`."""
        owner = store.owner()
        if owner is None:
            store.bind(Owner(self.url, branch, self.url, self.folder, self.source.roots()))
        elif owner.url == self.url and owner.roots:
            store.bind(replace(owner, branch=branch))
        else:
            self.check(store)
            roots = self.source.roots() or owner.roots
            store.bind(replace(owner, branch=branch, url=self.url, folder=self.folder, roots=roots))

    def _difference(self, owner: Owner, applied: Applied | None) -> str | None:
        """What makes this another repository than the owner; None when it is the same."""
        if owner.url == self.url:
            return None
        if owner.folder != self.folder:
            return f"its configuration is in the folder {owner.folder or '.'}, not in {self.folder or '.'}"
        if applied is not None:
            commit = applied.stamp.commit
            return None if self.source.has_commit(commit) else f"the commit that is live, {commit[:8]}, is not in it"
        roots = self.source.roots()
        return "they have no commit in common" if owner.roots and roots and owner.roots.isdisjoint(roots) else None
