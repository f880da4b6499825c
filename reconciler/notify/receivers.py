"""What sends to each kind of receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.receiver import ReceiverKind
from reconciler.notify.forges import ForgeSender
from reconciler.notify.senders import Sender, TelegramSender, WebhookSender
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.receiver import Receiver
    from reconciler.notify.messages import Origin

SENDERS: Mapping[ReceiverKind, type[Sender]] = {
    ReceiverKind.WEBHOOK: WebhookSender,
    ReceiverKind.TELEGRAM: TelegramSender,
    ReceiverKind.GITHUB: ForgeSender,
    ReceiverKind.GITLAB: ForgeSender,
    ReceiverKind.GITEA: ForgeSender,
}


def make_senders(receivers: Iterable[Receiver], origin: Origin) -> tuple[Sender, ...]:
    """A sender for each receiver."""
    return tuple(
        SENDERS[one.kind](one, replace(origin, dashboard=one.dashboard or origin.dashboard)) for one in receivers
    )
