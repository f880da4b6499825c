"""Whether reconciling is suspended now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.model.host import Suspension
    from reconciler.ports import Store


def suspended(store: Store) -> Suspension | None:
    """The suspension that holds now; one that has expired is ended, and that is a host event."""
    store.expire()
    return store.suspension()
