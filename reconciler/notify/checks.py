"""What `doctor` says of receivers: whether each can be told by its settings, and with a test message whether it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.outgoing import HttpClient
from reconciler.errors import ReconcilerError
from reconciler.model.host import Diagnosis, Grade
from reconciler.model.receiver import FORGES, ReceiverKind, Topic
from reconciler.notify.addresses import find_forge
from reconciler.notify.forges import ForgeSender
from reconciler.notify.outbox import Message, new_id
from reconciler.notify.receivers import make_senders
from reconciler.notify.transitions import Transition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from reconciler.model.receiver import Receiver
    from reconciler.notify.messages import Origin
    from reconciler.notify.senders import Sender

CHECK = "notify"
SHORTEST_SECRET = 16
"""The fewest characters of a secret for signatures that nobody guesses."""
TEST = "this is a test, sent by `reconciler doctor --notify`; nothing has happened"


def check_receivers(receivers: Iterable[Receiver], url: str) -> Iterator[Diagnosis]:
    """What the settings say of each. Nothing is sent. `url` is where the repository is fetched from."""
    for receiver in receivers:
        try:
            yield _check(receiver, url)
        except ReconcilerError as error:
            yield Diagnosis(CHECK, Grade.PROBLEM, str(error), error.hint)


def try_receivers(receivers: Iterable[Receiver], origin: Origin, now: datetime) -> Iterator[Diagnosis]:
    """Send a test message to each; of a forge, see that the token may look at the repository."""
    test = Transition(topic=Topic.TEST, at=now, message=TEST)
    for sender in make_senders(receivers, origin):
        try:
            yield Diagnosis(CHECK, Grade.OK, _try(sender, Message(new_id(), now, (test,))))
        except ReconcilerError as error:
            yield Diagnosis(CHECK, Grade.PROBLEM, str(error), error.hint)


def _check(receiver: Receiver, url: str) -> Diagnosis:
    HttpClient(receiver.label, receiver.ca_cert).check()
    told = f"{receiver.label} is told of {', '.join(topic for topic in Topic if topic in receiver.topics)}"
    if receiver.kind in FORGES:
        place = find_forge(receiver, url)
        return Diagnosis(CHECK, Grade.OK, f"{told}: {place.path} at {place.api}")
    if receiver.is_open:
        hint = "write https://; who reads the address can write to it, too"
        return Diagnosis(CHECK, Grade.WARNING, f"{told}, for all on the way to read", hint)
    if 0 < len(receiver.secret) < SHORTEST_SECRET:
        message = f"{told}; the secret that signs it is short enough to be guessed"
        return Diagnosis(CHECK, Grade.WARNING, message, f"make it at least {SHORTEST_SECRET} random characters")
    unsigned = receiver.kind is ReceiverKind.WEBHOOK and not receiver.secret
    return Diagnosis(CHECK, Grade.OK, f"{told}, unsigned: it has no secret" if unsigned else told)


def _try(sender: Sender, message: Message) -> str:
    label = sender.receiver.label
    if isinstance(sender, ForgeSender):
        sender.forge.check()
        return f"{label}: the token sees {sender.forge.place.path}; statuses are tried with the next commit"
    sender.send(message)
    return f"{label} took a test message"
