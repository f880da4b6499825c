"""The live view in Redis: writing it (the port `Cache`), which host may, and reading it as other programs do.

| key | holds |
|---|---|
| `config:KIND:NAME` | the row as JSON |
| `config:KIND:id:ID` | its name |
| `config:changes` | a stream of kind, name, op, commit, height; op `rebuild` without a name: look at everything |
| `config:meta` | commit, digest, height; the format of all these keys, 1 where there is none |
| `config:rows`, `config:sizes`, `config:dropped`, `config:absent` | what is there, and what is not for want of room |
| `config:keeper` | height and name of the host that writes; it ends by itself |

A small step is one script, so it is there as a whole or not at all. A larger one is several, none of which keeps others
waiting for long; meanwhile `config:meta` has no commit. What was written before is found by `config:rows`: no key of
anybody else is looked at. Of several hosts that share a server the one whose commit is highest writes, while it lives:
docs/decisions/0022-one-host-keeps-the-live-view.md.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from msgspec import Struct

from reconciler.adapters.redis.connection import script
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.model.live import CacheState, ViewMark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.adapters.redis.connection import Connection
    from reconciler.model.live import ViewStep, ViewWrite

ROWS_PER_SCRIPT = 200
"""Rows that are written at a time: a few milliseconds, in which nobody else is served."""
NAMES_PER_SCRIPT = 1000
"""Names that are read or removed at a time."""
CHANGES = 10_000
"""Entries that the stream of changes keeps, about: half a megabyte."""
REBUILD = "rebuild"
FORMAT_VERSION = 1
"""The format of the keys. A later one, which this program must not write, has a higher number."""
SHA = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")

STALE = -1
BY_ANOTHER = "another process writes the live view of this Redis server"
ONE_EACH = "give each repository a database of its own: redis.url …/1"


class RedisCache:
    """The live view, in at most `budget` bytes as they are counted here."""

    def __init__(self, link: Connection, budget: int) -> None:
        self._link = link
        self._budget = budget

    def state(self) -> CacheState:
        """What the view holds. Raises `NeedsHuman` when a newer version of reconciler has written it."""
        commit, digest, height, taken, rows, dropped, version = self._run("state")
        _refuse_newer(self._link.server, int(version), "writes")
        is_whole = SHA.fullmatch(commit) is not None
        mark = ViewMark(_text(commit), _text(digest), _number(height)) if is_whole else None
        return CacheState(mark, rows, dropped, int(taken))

    def advance(self, step: ViewStep) -> bool:
        """Take a step; False when the view is not at its base, or another process took it from there."""
        return self._write(step.base, step.to, sorted(step.writes, key=_order), "")

    def rebuild(self, writes: Sequence[ViewWrite], to: ViewMark) -> None:
        """Become the given rows. Raises `RetryLater` when another process rebuilds the view meanwhile."""
        begun = _unfinished()
        self._run("begin", begun.digest)
        rows = sorted((write for write in writes if write.json is not None), key=_order)
        kept = {write.place for write in rows}
        if not self._forget([member for member in self._members() if member not in kept], begun):
            raise RetryLater(BY_ANOTHER, hint=ONE_EACH)
        if not self._write(begun, to, rows, REBUILD):
            raise RetryLater(BY_ANOTHER, hint=ONE_EACH)

    def repair(self, writes: Sequence[ViewWrite], unknown: Sequence[str], at: ViewMark) -> bool:
        """Write rows anew, and take away what is no row's; False when the view is not at this mark.

        `unknown` are what follows `config:` in keys.
        """
        if not self._write(at, at, sorted(writes, key=_order), ""):
            return False
        head = (at.digest, CHANGES, at.height, at.commit)
        raw = list(map(encode_key, unknown))
        return all(self._run("remove", *head, *some) != STALE for some in _slices(raw, NAMES_PER_SCRIPT))

    def keep_within(self, budget: int) -> CacheState:
        """Take no more than so many bytes from now on."""
        self._budget = budget
        self.state()  # refuses a newer format before anything goes
        self._fit()
        return self.state()

    def _write(self, base: ViewMark, to: ViewMark, writes: Sequence[ViewWrite], word: str) -> bool:
        chunks = [*_slices(writes, ROWS_PER_SCRIPT)] or [()]
        for number, chunk in enumerate(chunks, 1):
            until = to if number == len(chunks) else _unfinished()
            head = (self._budget, CHANGES, base.commit, base.digest, until.commit, until.digest, until.height)
            about = (word, to.height, to.commit)
            fits = self._run("write", *head, *about, *(part for write in chunk for part in _parts(write)))
            if fits == STALE:
                return False
            if not fits:
                self._fit()
            base = until
        return True

    def _forget(self, members: Sequence[str], at: ViewMark) -> bool:
        raw = list(map(encode_key, members))
        return all(self._run("forget", at.digest, *some) != STALE for some in _slices(raw, NAMES_PER_SCRIPT))

    def _fit(self) -> None:
        while not self._run("fit", self._budget):
            pass  # each round takes some rows away

    def _members(self) -> Iterator[str]:
        for start in count(step=NAMES_PER_SCRIPT):
            some = self._link.ask("ZRANGE", "config:rows", start, start + NAMES_PER_SCRIPT - 1)
            yield from map(decode_key, some)
            if len(some) < NAMES_PER_SCRIPT:
                return

    def _run(self, what: str, *arguments: str | int | bytes) -> Any:
        room = "when_room" if what == "write" else "when_full"  # what makes room works when there is none
        return self._link.run(script(room, "view", f"view_{what}"), ("config:meta",), arguments)


def row_key(kind: str, name: str) -> str:
    """The key of a row: a name with a colon or a line break in it is quoted as in a URL (RFC 3986)."""
    return f"config:{kind}:{quote(name, safe='')}"


def decode_key(key: bytes) -> str:
    """A key, or what follows `config:` in one, as text from which `encode_key` makes the same, whatever is in it."""
    return key.decode(errors="surrogateescape")


def encode_key(key: str) -> bytes:
    """The bytes of a key."""
    return key.encode(errors="surrogateescape")


def _parts(write: ViewWrite) -> tuple[str | int, ...]:
    return (str(write.op), write.kind, write.name, write.id, write.json or "", write.bytes, write.order)


def _order(write: ViewWrite) -> int:
    return write.order


def _unfinished() -> ViewMark:
    """The mark of a view that is being written, by this call and no other."""
    return ViewMark("", f"writing {uuid4().hex}", 0)


def _slices(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _refuse_newer(server: str, version: int, does: str) -> None:
    if version > FORMAT_VERSION:
        raise NeedsHuman(
            f"the live view of the Redis server at {server} has format {version}, "
            f"this version of reconciler {does} format {FORMAT_VERSION}",
            hint=f"update reconciler on this host, or {ONE_EACH}",
        )


LEASE_MS = 10_000
"""Milliseconds without a word of whoever writes, after which another host may."""


def keeper_name(host: str, state_folder: Path) -> str:
    """A host by a name that no other has, and that stays the same: one state folder has one daemon.

    `host` is its name in settings; empty for that of the machine.
    """
    folder = hashlib.sha256(str(state_folder.absolute()).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{host or socket.gethostname()} {folder[:8]}"


class Lease:
    """The claim of one host, by a name that no other host has."""

    def __init__(self, link: Connection, name: str, silence: int = LEASE_MS) -> None:
        self._link, self._name, self._silence = link, name, silence

    def __call__(self, height: int) -> str:
        """Claim the view for a commit of this height: empty when it may be written, else the name of who writes it."""
        arguments = (self._name, height, self._silence)
        kept: bytes = self._link.run(script("when_full", "view_claim"), ("config:keeper",), arguments)
        return kept.decode(errors="replace")


META = "config:meta"
META_FIELDS = ("HMGET", META, "commit", "digest", "format")
STREAM = "config:changes"
FIRST_ENTRY = "0-0"
MAX_DIGITS = 19
MAX_CHANGES = 500
"""Changes that are read at a time."""


class ChangeEntry(Struct, frozen=True):
    """One entry of the stream of changes; `id` is where to go on."""

    id: str
    kind: str
    name: str
    op: str
    commit: str
    height: int


class CannotTell(RetryLater):
    """The live view is there, and does not say whether there is such a row, or what is in it: the daemon knows."""


class ViewReader:
    """The live view of a server. All calls raise `RetryLater` when it does not answer, or holds no whole view."""

    def __init__(self, link: Connection) -> None:
        self._link = link

    def row(self, kind: str, name: str) -> Mapping[str, Any]:
        """The live row that goes by a name. `kind` is the kind's name in lower case.

        Raises `CannotTell` when it is not here: a key that was evicted or deleted looks like one that never was. Raises
        `NeedsHuman` when a newer version of reconciler has written the view.
        """
        key = row_key(kind, name)
        text, meta = self._link.ask_all(("GET", key), META_FIELDS)
        is_whole = self._check(meta)
        if text is None and not is_whole:
            raise self._no_view()
        if text is None:
            dropped = self._link.ask("SISMEMBER", "config:dropped", key.removeprefix("config:"))
            what = "has no room for it" if dropped else "does not have it, which may be because it was lost there"
            raise self._cannot_tell(f"{what} ({kind} {name})")
        row = _row(text)
        if row is None:
            raise self._cannot_tell(f"has something there that is no row ({kind} {name}): another program wrote it")
        return row

    def check_format(self) -> None:
        """Raise `NeedsHuman` when a newer version of reconciler has written the view."""
        self._refuse(self._link.ask("HGET", META, "format"))

    def _check(self, meta: Sequence[bytes | None]) -> bool:
        """Whether the view is whole. While it is written each row is that of one commit, and may be read."""
        commit, digest, version = meta
        self._refuse(version)
        if digest is None:
            raise self._no_view()
        return bool(commit)

    def _refuse(self, version: bytes | None) -> None:
        _refuse_newer(self._link.server, _number(version or b"") or FORMAT_VERSION, "reads")

    def _no_view(self) -> RetryLater:
        return RetryLater(
            f"the Redis server at {self._link.server} holds no whole live view", hint="the daemon has the rows"
        )

    def _cannot_tell(self, what: str) -> CannotTell:
        hint = "the daemon knows: give its address, or see that it runs"
        return CannotTell(f"the Redis server at {self._link.server} {what}", hint=hint)

    def newest(self) -> str:
        """The id of the newest change, `0-0` before the first."""
        entries = self._link.ask("XREVRANGE", STREAM, "+", "-", "COUNT", 1)
        return _text(entries[0][0]) if entries else FIRST_ENTRY

    def has(self, entry: str) -> bool:
        """Whether nothing between this change and the next is lost: the stream still has it, or never had any."""
        return entry == FIRST_ENTRY or bool(self._link.ask("XRANGE", STREAM, entry, entry))

    def after(self, entry: str, wait: float) -> tuple[ChangeEntry, ...]:
        """The changes after one; waits up to so many seconds for the first. The link has to be that patient."""
        answer = self._link.ask(
            "XREAD", "COUNT", MAX_CHANGES, "BLOCK", max(1, round(wait * 1000)), "STREAMS", STREAM, entry
        )
        return tuple(_entry(*record) for _, entries in _streams(answer) for record in entries)


def _streams(answer: Any) -> list[tuple[bytes, list[Any]]]:
    """By stream: RESP3 has a map here, RESP2 a list of pairs."""
    if not answer:
        return []
    return list(answer.items() if isinstance(answer, dict) else answer)


def _entry(entry_id: bytes, parts: list[bytes]) -> ChangeEntry:
    fields = dict(zip(map(_text, parts[::2]), parts[1::2], strict=True))
    kind, name, op, commit = (_text(fields.get(field, b"")) for field in ("kind", "name", "op", "commit"))
    return ChangeEntry(_text(entry_id), kind, name, op, commit, _number(fields.get("height", b"")))


def _row(text: bytes) -> Mapping[str, Any] | None:
    """The row; None for what is none."""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _number(text: bytes) -> int:
    """A whole number that somebody may have overwritten: then 0."""
    return int(text) if text.isdigit() and len(text) < MAX_DIGITS else 0


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
