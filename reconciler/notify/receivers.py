"""What sends to each kind of receiver."""

from __future__ import annotations

from dataclasses import replace as replace_fields
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.model.receiver import FORGES, ReceiverKind
from reconciler.notify.addresses import find_forge
from reconciler.notify.forges import ForgeSender
from reconciler.notify.senders import Sender, TelegramSender, WebhookSender
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.model.receiver import Receiver
    from reconciler.notify.messages import Origin

SENDERS: Mapping[ReceiverKind, type[Sender]] = {
    ReceiverKind.WEBHOOK: WebhookSender,
    ReceiverKind.TELEGRAM: TelegramSender,
    ReceiverKind.GITHUB: ForgeSender,
    ReceiverKind.GITLAB: ForgeSender,
    ReceiverKind.GITEA: ForgeSender,
}


def trust_as_git(
    receivers: Iterable[Receiver], url: str, find_authorities: Callable[[str], str]
) -> tuple[Receiver, ...]:
    """The receivers, with a forge trusted as git trusts it: it has one certificate for pages, git and API.

    `url` is where the repository is fetched from; `find_authorities` gives git's file of authorities for an address.
    """
    return tuple(_trust_as_git(one, url, find_authorities) for one in receivers)


def _trust_as_git(receiver: Receiver, url: str, find_authorities: Callable[[str], str]) -> Receiver:
    if receiver.ca_cert or receiver.kind not in FORGES:
        return receiver
    try:
        return replace_fields(receiver, ca_cert=find_authorities(find_forge(receiver, url).api))
    except ReconcilerError:  # it is told when somebody is to be told there
        return receiver


def make_senders(receivers: Iterable[Receiver], origin: Origin) -> tuple[Sender, ...]:
    """A sender for each receiver."""
    return tuple(
        SENDERS[one.kind](one, replace(origin, dashboard=one.dashboard or origin.dashboard)) for one in receivers
    )
