"""The change from one version of a row to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.change import Change, Op

if TYPE_CHECKING:
    from reconciler.model.change import Row


def between(old: Row | None, new: Row) -> Change | None:
    """What happened to the resource of a row; None when its content is the same.

    A tombstone that comes back is a create: what counts is what git declared before.
    """
    was = None if old is None or old.removed is not None else old.resource
    now = None if new.removed is not None else new.resource
    if was is None and now is not None:
        return Change(Op.CREATE, None, now)
    if was is not None and now is None:
        assert new.removed is not None
        return Change(Op.DELETE, was, None, new.removed.prune)
    if was is not None and now is not None and was.digest != now.digest:
        return Change(Op.UPDATE, was, now)
    return None
