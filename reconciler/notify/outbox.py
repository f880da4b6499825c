"""What waits to be told, for each receiver: values in, values out, and the file that keeps them over a restart.

A message that was sent once keeps its id and its content until somebody took it, so a receiver can tell that it is the
same. What happens meanwhile waits, and is one message then. All is in one file that is replaced as a whole: what was
read of the host events, what was told, and what waits are never of different moments.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
from msgspec import Struct, field

from reconciler.adapters.files import write_atomically
from reconciler.errors import NeedsHuman
from reconciler.notify.transitions import Told, Transition, take_over
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

FILE_NAME = "notifications.json"
FORMAT = 1
MAX_WAITING = 200
"""Changes that wait for one receiver; of more the oldest are left out and counted."""
MAX_QUEUE = 512 << 10
"""Bytes of what waits for one receiver, and of one message."""
MAX_FILE = 64 << 20
"""Bytes of a file that is read: it holds both for `MAX_RECEIVERS` of them, and what was told."""
GIVE_UP = timedelta(days=3)
"""After so long nobody needs to hear of it any more."""


class Message(Struct, frozen=True):
    """What one receiver is sent at once. The same `id` says that it is the same message, sent again.

    `dropped` are changes that are not in it because too many waited. `done` are commits that a forge knows of already.
    """

    id: str
    created: datetime
    transitions: tuple[Transition, ...]
    dropped: int = 0
    done: tuple[str, ...] = ()


class Queue(Struct, frozen=True):
    """What one receiver has not taken yet. `failures` counts attempts in a row, of which the first was at `since`."""

    sending: Message | None = None
    waiting: tuple[Transition, ...] = ()
    dropped: int = 0
    failures: int = 0
    since: datetime | None = None

    @property
    def size(self) -> int:
        """Changes that it waits for."""
        return len(self.waiting) + (len(self.sending.transitions) if self.sending else 0)

    def with_offer(self, transition: Transition) -> Queue:
        """With one change more that waits."""
        waiting = (*self.waiting, transition)[-MAX_WAITING:]
        while len(waiting) > 1 and _size(waiting) > MAX_QUEUE:
            waiting = waiting[len(waiting) // 2 :]
        left = len(self.waiting) + 1 - len(waiting)
        return replace(self, waiting=waiting, dropped=self.dropped + left)

    def with_message(
        self, now: datetime, describe: Callable[[Transition], Transition], make_id: Callable[[], str] | None = None
    ) -> Queue:
        """With a message of all that waits, unless one is on its way."""
        if self.sending is not None or not self.waiting:
            return self
        transitions = tuple(map(describe, self.waiting))
        if _size(transitions) > MAX_QUEUE:
            transitions = tuple(replace(one, commits=one.commits[:1], more=True) for one in transitions)
        message = Message((make_id or new_id)(), now, transitions, self.dropped)
        return replace(self, sending=message, waiting=(), dropped=0)

    def with_success(self) -> Queue:
        """The receiver took the message."""
        return replace(self, sending=None, failures=0, since=None)

    def with_failure(self, now: datetime) -> Queue:
        """It did not."""
        return replace(self, failures=self.failures + 1, since=self.since or now)

    @property
    def can_split(self) -> bool:
        """Whether the message has several changes."""
        return self.sending is not None and len(self.sending.transitions) > 1

    def split(self) -> Queue:
        """With the first half of the message as one of its own; the second one waits."""
        message = self.sending
        assert message is not None
        half = len(message.transitions) // 2
        first = replace(message, id=new_id(), transitions=message.transitions[:half])
        waiting = (*message.transitions[half:], *self.waiting)
        return replace(self, sending=first, waiting=waiting)

    def is_too_old(self, now: datetime) -> bool:
        """Whether the message has been tried in vain for too long."""
        return self.sending is not None and now - self.sending.created >= GIVE_UP


class Outbox(Struct, frozen=True):
    """All that is kept: what was told, and a queue for each receiver, by its key."""

    version: int = FORMAT
    told: Told = Told()
    queues: dict[str, Queue] = field(default_factory=dict)

    def with_told(self, told: Told) -> Outbox:
        """With what was told by now."""
        return replace(self, told=told)

    def with_queue(self, key: str, queue: Queue) -> Outbox:
        """With another queue of one receiver."""
        return replace(self, queues={**self.queues, key: queue})

    def for_receivers(self, keys: Collection[str]) -> Outbox:
        """With a queue for each of these receivers and no other."""
        return replace(self, queues={key: self.queues.get(key, Queue()) for key in keys})


def _size(transitions: tuple[Transition, ...]) -> int:
    return len(msgspec.json.encode(transitions))


def new_id() -> str:
    return str(uuid4())


def read_outbox(folder: Path) -> Outbox | None:
    """What the file in a state folder holds; None where there is none.

    Raises `NeedsHuman` for one that cannot be read, or of a newer format.
    """
    file = folder / FILE_NAME
    hint = "move it away: nobody is told then of what waits in it"
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NeedsHuman(f"cannot read {file}: {(error.strerror or str(error)).lower()}", hint=hint) from error
    try:
        outbox = msgspec.json.decode(data, type=Outbox)
    except msgspec.MsgspecError as error:
        raise NeedsHuman(f"{file} is damaged: {error}", hint=hint) from error
    if outbox.version != FORMAT:
        message = f"{file} has format {outbox.version}, this version of reconciler reads format {FORMAT}"
        raise NeedsHuman(message, hint="update reconciler, or move the file away")
    return outbox.with_told(take_over(outbox.told))


def write_outbox(folder: Path, outbox: Outbox) -> None:
    """Replace the file. Raises `OSError`, and then has changed nothing."""
    write_atomically(folder / FILE_NAME, msgspec.json.encode(outbox), private=True)
