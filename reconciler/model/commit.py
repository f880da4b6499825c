"""Commits as git has them, versions as the ledger records them, what a store says of either."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler import canonical
from reconciler.model.change import Stamp

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.canonical import Value
    from reconciler.model.change import Change, Row
    from reconciler.model.keptrules import OfferedRules
    from reconciler.model.problem import Problem


BRANCHES = "refs/heads/"
"""What the full names of branches begin with."""
APPROVAL = re.compile(r"reconciler-approve:\s*(?P<what>.*)", re.IGNORECASE)
"""A trailer as git-interpret-trailers(1) has them: keys in any case."""


class Signature(Struct, frozen=True):
    """An author or committer: name, e-mail address and time, aware and in the writer's own zone.

    `outside` is the time as git has it where no store can hold that: then `time` is the nearest that they can.
    """

    name: str
    email: str
    time: datetime
    outside: str = ""


class Commit(Struct, frozen=True):
    """A commit object. `signed` says that a signature is attached, not that anyone has checked it."""

    sha: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str
    signed: bool = False

    def approves(self, what: str) -> bool:
        """Whether a trailer of the message approves something: `Reconciler-Approve: prune` in its last paragraph."""
        last = self.message.strip().replace("\r\n", "\n").rpartition("\n\n")[2]
        approved = (match["what"].lower() for line in last.split("\n") if (match := APPROVAL.fullmatch(line.strip())))
        return any(what in re.split(r"[,\s]+", words) for words in approved)

    @property
    def stamp(self) -> Stamp:
        """The commit as the origin of a row."""
        return Stamp(self.sha, canonical.utc(self.committer.time))


class EntryType(StrEnum):
    """What a path is in a tree. What is unmerged is in an index only: no commit can be made of it."""

    FILE = "file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    UNMERGED = "unmerged"


class RefusedFile(Struct, frozen=True):
    """What stands for a file of a working tree that git cannot commit, and why not."""

    reason: str


NotContent = EntryType | RefusedFile
"""What is at a path of a working tree where there is no file that can be read as git would commit it."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A path that differs between two trees, as it is in the newer one; `blob` is None when it is gone.

    `old_type` is what it was in the older one, FILE also for nothing; it makes no other change of it.
    """

    path: str
    blob: str | None
    type: EntryType = EntryType.FILE
    old_type: EntryType = field(default=EntryType.FILE, compare=False)


class CommitDelta(Struct, frozen=True):
    """A commit with the paths that differ from its first parent (from nothing, for a root commit).

    `changes` is None where they could not be read together with the other commits'.
    """

    commit: Commit
    changes: tuple[FileChange, ...] | None


ROW_TEXT: Final = 1_000
"""Characters by which a row of the ledger weighs one more."""


class Status(StrEnum):
    """Whether the whole tree of a commit is valid."""

    VALID = "VALID"
    INVALID = "INVALID"


class RowChange(Struct, frozen=True):
    """What a mainline commit did to one row: the change, and the row it left (a tombstone for a delete)."""

    change: Change
    row: Row


class Version(Struct, frozen=True):
    """A commit as the ledger records it: one per commit reachable from the branch.

    `height` is the number of commits on its first-parent chain, itself included. `digest` is that of the valid
    state at this commit: its own when valid, else the last valid one's before it. `rows` holds what it did to
    rows (empty unless it is valid and on the mainline).
    """

    commit: Commit
    height: int
    mainline: bool
    status: Status
    problems: tuple[Problem, ...]
    creates: int
    updates: int
    deletes: int
    digest: str
    rows: tuple[RowChange, ...] = ()

    def weight(self) -> int:
        """How much it is in the ledger: a row weighs one, and one more for each thousand characters in it."""
        own = len(self.commit.message) + sum(problem.size for problem in self.problems)
        sizes = (own, *(change.row.resource.size for change in self.rows))
        return sum(1 + size // ROW_TEXT for size in sizes)


class Applied(Struct, frozen=True):
    """The commit whose state the live rows are; `digest` is that of git's state, `halts` that of the standing halts.

    `rebuilt` is as in `StoreUpdate`; `rules` is the id of the rules that the store may keep of it.
    """

    stamp: Stamp
    height: int
    digest: str
    at: datetime
    halts: str = ""
    rebuilt: bool = False
    rules: str = ""

    @property
    def live_digest(self) -> str:
        """The digest of the state with what halts make of it."""
        return live_digest(self.digest, self.halts)


def live_digest(digest: str, halts: str) -> str:
    """The digest of a state with what halts of a digest make of it."""
    return hashlib.sha256(f"{digest} {halts}".encode()).hexdigest() if halts else digest


class Attempt(Struct, frozen=True):
    """The newest commit that was looked at. `problems` is why it was refused; none of them an error when applied."""

    stamp: Stamp
    at: datetime
    refused: bool
    problems: tuple[Problem, ...]


class Approval(Struct, frozen=True):
    """What would have been refused and was let through: the codes of its problems, and who or what approved them."""

    by: str
    codes: tuple[str, ...]


class StoreUpdate(Struct, frozen=True):
    """One commit's step for the store: every row that was touched since the applied commit, tombstones included.

    Rows that only moved in the tree are among them. `creates`, `updates` and `deletes` are what the plan says. `rules`
    are those of the commit, None where nobody will need them. `rebuilt`: git was away, so some of what no digest covers
    (where in which file something stands) may be another.
    """

    commit: Commit
    height: int
    digest: str
    rows: tuple[Row, ...]
    warnings: tuple[Problem, ...]
    creates: int
    updates: int
    deletes: int
    approvals: tuple[Approval, ...] = ()
    rules: OfferedRules | None = None
    rebuilt: bool = False

    @property
    def rules_id(self) -> str:
        """The id of its rules, empty where nobody will need them."""
        return self.rules.id if self.rules else ""

    def detail(self, how: str) -> dict[str, Value]:
        """What the host event of the step says of it."""
        counts: dict[str, Value] = {"creates": self.creates, "updates": self.updates, "deletes": self.deletes}
        approved: list[Value] = [{"by": one.by, "codes": list(one.codes)} for one in self.approvals]
        more: dict[str, Value] = {"approved": approved} if approved else {}
        return {"how": how, **counts, **more, **({"rules": self.rules.id} if self.rules else {})}
