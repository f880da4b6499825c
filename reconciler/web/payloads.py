"""What a genuine webhook delivery says: a push, a test, or something else; and the branch, when that is plain.

Where each forge puts it:
https://docs.github.com/en/webhooks/webhook-events-and-payloads · https://docs.gitlab.com/user/project/integrations/webhook_events/
https://docs.gitea.com/usage/webhooks · https://forgejo.org/docs/latest/user/webhooks/
https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/ · https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Mapping

BRANCH = "refs/heads/"
_NAME = re.compile(r"[\w.:{}-]{1,64}", re.ASCII)


class Event(StrEnum):
    """What a delivery is about."""

    PUSH = "push"
    PING = "ping"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Told:
    """What a delivery says of itself."""

    event: Event
    branch: str | None
    delivery: str


@dataclass(frozen=True, slots=True)
class _Words:
    """Where one forge puts what: headers, the first that is there, and what they say of a push or a test."""

    events: tuple[str, ...]
    deliveries: tuple[str, ...]
    pushes: frozenset[str]
    pings: frozenset[str] = frozenset({"ping"})


_PUSH = frozenset({"push"})
_WORDS = {
    "github": _Words(("x-github-event",), ("x-github-delivery",), _PUSH),
    "gitea": _Words(("x-gitea-event",), ("x-gitea-delivery",), _PUSH),
    "forgejo": _Words(("x-forgejo-event",), ("x-forgejo-delivery",), _PUSH),
    "gitlab": _Words(
        ("x-gitlab-event",), ("idempotency-key", "webhook-id", "x-gitlab-event-uuid"), frozenset({"Push Hook", "push"})
    ),
    "bitbucket": _Words(
        ("x-event-key",),
        ("x-request-uuid", "x-request-id"),
        frozenset({"repo:push", "repo:refs_changed", "mirror:repo_synchronized"}),
        frozenset({"diagnostics:ping"}),
    ),
    "generic": _Words(("x-reconciler-event",), ("x-reconciler-delivery",), frozenset({"push", ""})),
}


def understood(forge: str, headers: Mapping[str, str], body: bytes) -> Told:
    """What a delivery of a forge says. A body that is not a JSON object is never a push, but for the generic one."""
    words = _WORDS[forge]
    payload = _payload(headers, body)
    delivery = _first(headers, words.deliveries)
    if payload is None:
        return Told(Event.OTHER, None, delivery)
    told = [_header(headers, words.events)]
    if forge == "gitlab":  # hooks for a whole server have one header for all events
        told += [word for word in (payload.get("object_kind"), payload.get("event_name")) if isinstance(word, str)]
    event = Event.OTHER if words.pings.isdisjoint(told) else Event.PING
    return Told(event if words.pushes.isdisjoint(told) else Event.PUSH, _branch(payload), delivery)


def _payload(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    if not body and "x-reconciler-signature" in headers:
        return {}
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            body = parse_qs(body.decode(), max_num_fields=10).get("payload", [""])[0].encode()
        except ValueError:
            return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _branch(payload: Mapping[str, Any]) -> str | None:
    ref = payload.get("ref")
    if isinstance(ref, str):
        return ref.removeprefix(BRANCH) if ref.startswith(BRANCH) else None
    push = payload.get("push")
    changes = push.get("changes") if isinstance(push, dict) else payload.get("changes")
    branches = [_changed(one) for one in changes] if isinstance(changes, list) else []
    return branches[0] if len(branches) == 1 else None


def _changed(change: Any) -> str | None:
    """The branch in one change of Bitbucket: Cloud says what was and is, Data Center names the ref."""
    if not isinstance(change, dict):
        return None
    cloud, center = change.get("new") or change.get("old"), change.get("ref")
    if isinstance(cloud, dict) and cloud.get("type") == "branch":
        return cloud["name"] if isinstance(cloud.get("name"), str) else None
    if isinstance(center, dict) and center.get("type") == "BRANCH":
        return center["displayId"] if isinstance(center.get("displayId"), str) else None
    return None


def _header(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((headers[name] for name in names if name in headers), "")


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The sender's name for a delivery, when it is one: it goes into logs, and nobody signed it."""
    found = _header(headers, names)
    return found if _NAME.fullmatch(found) else ""
