"""Whether a store is a repository's, which its commits tell: a URL may change, as when a forge is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import NeedsHuman
from reconciler.ledger.names import name_repository
from reconciler.model.host import Owner
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.gitports import Source
    from reconciler.model.commit import Applied
    from reconciler.ports import Store, StoreReader


class Claimant(Struct, frozen=True):
    """A repository, where it is now, as `url//folder`, and the folder of the configuration in it.

    `name` is what settings call it in the history; empty when they do not.
    """

    source: Source
    url: str
    folder: str
    name: str = ""

    def name_in_history(self, owner: Owner | None) -> str:
        """The name that settings give; else the one that the store's owner has, which stays when the URL changes."""
        return self.name or name_repository(owner.repository if owner else self.url)

    def owns(self, owner: Owner, applied: Applied | None) -> bool:
        """Whether this is the repository of a store with this owner and applied commit.

        At another URL it has to hold the applied commit: first commits alone are those of every copy of a template.
        """
        return self._difference(owner, applied) is None

    def check(self, store: StoreReader) -> None:
        """Raise `NeedsHuman` when a store is another repository's."""
        self.check_owner(store.owner(), store.applied())

    def check_owner(self, owner: Owner | None, applied: Applied | None) -> None:
        """The same for what was read from a store: its owner and its applied commit."""
        difference = self._difference(owner, applied) if owner is not None else None
        if owner is not None and difference is not None:
            raise NeedsHuman(
                f"this state folder belongs to the repository {owner.url}, not to {self.url}: {difference}",
                hint="name that repository with --repo, or another folder with --state",
            )

    def bind(self, store: Store, branch: str | None, *, once: bool = False) -> None:
        """Bind a store to this repository and to a branch, or raise like `check`.

        None leaves the branch as it is. `once`: it is the branch of this time, and the host has none of its own.
        """
        owner = self._claimed(store)
        store.bind(owner if branch is None else replace(owner, branch=branch, bound=not once))

    def _claimed(self, store: Store) -> Owner:
        """The owner of a store, as this repository is now."""
        owner = store.owner()
        name = self.name_in_history(owner)
        if owner is None:
            return Owner(name, "", self.url, self.folder, self.source.roots(), bound=False)
        if owner.url == self.url and owner.roots:
            return replace(owner, repository=name)
        self.check(store)
        roots = self.source.roots() or owner.roots
        return replace(owner, repository=name, url=self.url, folder=self.folder, roots=roots)

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
