"""What lives in Redis: sessions, and the live view of the rows."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from urllib.parse import quote

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from reconciler.model.change import Op


RETENTION = timedelta(days=7)
"""How long the record of a session stays after it was last active."""

IDLE_TIMEOUT = timedelta(minutes=30)
"""The default of the setting `sessions.idle_timeout`."""


class SessionStatus(StrEnum):
    """ACTIVE: the session may be used. EXPIRED: it has ended for good."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"


class NewSession(Struct, frozen=True):
    """A session to begin, in canonical form: UUIDs in lower case, the device as a hash."""

    id: str
    owner: str
    ip_address: str
    device_fingerprint: str


class Session(Struct, frozen=True):
    """One session. `owner` is the key of the row whose session it is; `last_active` is in UTC, to the millisecond."""

    id: str
    owner: str
    ip_address: str
    last_active: datetime
    device_fingerprint: str
    status: SessionStatus

    @property
    def is_active(self) -> bool:
        return self.status is SessionStatus.ACTIVE


class SessionCursor(Struct, frozen=True):
    """The last session of a page: when it was last active, in milliseconds since 1970, and its id."""

    moment: int
    id: str

    def __str__(self) -> str:
        return f"{self.moment}-{self.id}"


class SessionPage(Struct, frozen=True):
    """Some sessions of one owner, the last used first; `after` is the next page's cursor, None at the end."""

    sessions: tuple[Session, ...]
    after: SessionCursor | None = None


class Lifetimes(Struct, frozen=True):
    """How long an unused session stays active, and how long its record stays after it was last active."""

    idle: timedelta = IDLE_TIMEOUT
    retention: timedelta = RETENTION


def to_milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, rounded down: the resolution of sessions."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


USE_STEP = 10**14
"""The weight of a step of `Use` in a row's order: more than any time in milliseconds."""

OVERHEAD = 420
"""Bytes that a row takes beside its keys and values: the server's entries for them and for its bookkeeping."""


class Use(IntEnum):
    """How useful a row is, the least first: it left git, it is inactive, all others."""

    GONE = 0
    INACTIVE = 1
    LIVE = 2


class ViewMark(Struct, frozen=True):
    """The state that the view holds: a commit, its height and the state's digest."""

    commit: str
    digest: str
    height: int


class ViewWrite(Struct, frozen=True):
    """What becomes of one row. `kind` is the kind's name in lower case; `json` is the row, None when it goes.

    `use` and `changed` (milliseconds since 1970) say what is dropped first when there is not enough room.
    """

    op: Op
    kind: str
    name: str
    id: str
    json: str | None
    use: Use = Use.LIVE
    changed: int = 0

    @property
    def place(self) -> str:
        """`kind:name`, where the name is quoted as in a URL (RFC 3986): no name leads out of its key."""
        return f"{self.kind}:{quote(self.name, safe='')}"

    @property
    def order(self) -> int:
        """Rows with a lower one are dropped before those with a higher one."""
        return self.use * USE_STEP + self.changed

    @property
    def bytes(self) -> int:
        """The row's approximate size in memory."""
        texts = (self.kind, self.name, self.id, self.kind, self.name, self.json or "")
        return sum(len(text.encode()) for text in texts) + OVERHEAD


class ViewStep(Struct, frozen=True):
    """The writes from one state to the next, for a view that is at `base`."""

    base: ViewMark
    to: ViewMark
    writes: tuple[ViewWrite, ...]


class CacheState(Struct, frozen=True):
    """What the view holds. `mark` is None when nothing is there, or only a part: it has to be rebuilt.

    `dropped` is how many live rows are not in it for want of room; `bytes` is about what its rows
    take in memory; the names of dropped ones take about 300 bytes each beside that. `kept_by` is set when it is another
    host that keeps the view.
    """

    mark: ViewMark | None
    rows: int
    dropped: int
    bytes: int
    kept_by: str = ""


class ExpectedRow(NamedTuple):
    """A row that the view should hold. `digest` is SHA-1 of id, a zero byte and JSON; `gone` says that it left git."""

    place: str
    id: str
    digest: bytes
    gone: bool


class ViewContent:
    """What a view should hold: a digest of each row, kept up with each write, so that nothing is read to compare it."""

    def __init__(self, writes: Iterable[ViewWrite] = ()) -> None:
        self._rows: dict[str, ExpectedRow] = {}
        self.take(writes)

    def take(self, writes: Iterable[ViewWrite]) -> None:
        """These writes are done."""
        for write in writes:
            row = f"{write.kind}:{write.id}"
            if write.json is None:
                self._rows.pop(row, None)
            else:
                digest = hashlib.sha1(f"{write.id}\0{write.json}".encode(), usedforsecurity=False).digest()
                self._rows[row] = ExpectedRow(write.place, write.id, digest, write.use is Use.GONE)

    def rows(self) -> Iterator[ExpectedRow]:
        """Those at this moment, each as it is when its turn comes."""
        for row in list(self._rows):
            expected = self._rows.get(row)
            if expected is not None:
                yield expected

    def keys(self) -> frozenset[str]:
        """What follows `config:` in the keys of rows and ids: the name of what left git may have been given again."""
        ids = (row.replace(":", ":id:", 1) for row in self._rows)
        return frozenset((*(row.place for row in self._rows.values()), *ids))


class ViewFault(StrEnum):
    """What is wrong with a row of the view: not there, another one, there although no such row is live."""

    LOST = "lost"
    ALTERED = "altered"
    UNKNOWN = "unknown"


class ViewDifference(Struct, frozen=True):
    """A row of the view that is not as it should be. `key` is what follows `config:`, mostly `kind:name`."""

    key: str
    fault: ViewFault

    @property
    def shown(self) -> str:
        """The key for people; bytes that are no UTF-8 are replaced."""
        return self.key.encode(errors="surrogateescape").decode(errors="replace")


class ComparedView(Struct, frozen=True):
    """A view beside what it should hold. `rows` is how many should be there; None, with a reason: none were compared.

    `stale` says that it is another commit's, which nobody changes.
    """

    rows: int | None
    reason: str = ""
    stale: bool = False
    differences: tuple[ViewDifference, ...] = ()


CompareView: TypeAlias = "Callable[[ViewMark, ViewContent, Collection[str]], ComparedView]"
"""Compares the live view with the state at a commit; the kinds are given by their names in lower case."""
