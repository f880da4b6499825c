"""A rollback: this host went back to a commit, and skips what a later one said until a newer one says otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct, convert, json

from reconciler import canonical
from reconciler.model.change import Op

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.canonical import Value
    from reconciler.model.host import HostEvent
    from reconciler.model.problem import Problem

ROLLED_BACK, ROLLBACK_ENDED = "rolled-back", "rollback-ended"
"""The host events; the first is the code of the problems of a commit that is held, too."""
MAX_TOLD = 262_144
"""Characters of the skipped values that a host event holds; of more, git knows what was skipped."""


class RollbackRequest(Struct, frozen=True):
    """Where to go (None: to the commit applied before this one), why, and who asks."""

    to: str | None
    reason: str
    by: str


def is_hold(problems: Iterable[Problem]) -> bool:
    """Whether nothing but a rollback keeps a commit with these problems from going live."""
    errors = {problem.code for problem in problems if problem.is_error}
    return errors == {ROLLED_BACK}


class SkippedField(Struct, frozen=True):
    """A field with its value at the target and the skipped one; None where there is none."""

    field: str
    target: Any
    skipped: Any


class SkippedChange(Struct, frozen=True):
    """What the skipped head did to a resource. A create has all fields that it declares, a delete none."""

    op: Op
    kind: str
    id: str
    name: str
    fields: tuple[SkippedField, ...] = ()


class SkippedFile(Struct, frozen=True):
    """A file of rules (a policy, a schema, `reconciler.yaml`) that differs: its blobs, None where it is not there."""

    path: str
    target: str | None
    skipped: str | None


class Skipped(Struct, frozen=True):
    """All that a skipped head said and its rollback's target did not."""

    resources: tuple[SkippedChange, ...] = ()
    files: tuple[SkippedFile, ...] = ()

    def __add__(self, others: Skipped) -> Skipped:
        """Both, each once."""
        resources = [one for one in others.resources if one not in self.resources]
        files = [one for one in others.files if one not in self.files]
        return Skipped((*self.resources, *resources), (*self.files, *files))

    def names(self) -> Iterator[str]:
        """What it says, as people name it: `User ann max_open_trades`, `User ben` as a whole, a file by its path."""
        for one in self.resources:
            resource = f"{one.kind} {one.name}"
            whole = one.op is not Op.UPDATE
            yield from (resource,) if whole else (f"{resource} {field.field}" for field in one.fields)
        yield from (one.path for one in self.files)

    def encode(self) -> str:
        """As JSON."""
        return json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> Skipped:
        """From JSON."""
        return json.decode(text, type=cls)


class Rollback(Struct, frozen=True):
    """This host is on the commit `target`, in place of `skipped`. `since` is aware, in UTC; `actor` is who asked."""

    target: str
    skipped: str
    reason: str
    actor: str
    since: datetime
    changes: Skipped = Skipped()

    def detail(self) -> dict[str, Value]:
        """What a host event says of it."""
        skips = self.changes.encode()
        told: dict[str, Value] = {"skips": json.decode(skips)} if len(skips) <= MAX_TOLD else {}
        return {
            "target": self.target,
            "skipped": self.skipped,
            "reason": self.reason,
            "actor": self.actor,
            "since": canonical.timestamp(self.since),
            "resources": len(self.changes.resources),
            "files": len(self.changes.files),
            **told,
        }

    @classmethod
    def of_event(cls, event: HostEvent) -> Rollback | None:
        """The rollback that is in force after a host event about one; without what it skips where that was too much."""
        if event.event != ROLLED_BACK:
            return None
        target, skipped, reason, actor, since = (
            str(event.detail[name]) for name in ("target", "skipped", "reason", "actor", "since")
        )
        skips = convert(event.detail.get("skips", {}), Skipped)
        return cls(target, skipped, reason, actor, datetime.fromisoformat(since), skips)
