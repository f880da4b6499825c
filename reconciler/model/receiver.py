"""Who is told what happens on a host: the entries of the setting `notify`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from reconciler.errors import UsageError
from reconciler.model.grants import REFERENCE_SCHEMES
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    ReadReference = Callable[[str, str, str], str]
    """The text behind a reference: of which field, its scheme, what follows."""


class ReceiverKind(StrEnum):
    WEBHOOK = "webhook"
    TELEGRAM = "telegram"
    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"


class Topic(StrEnum):
    """What people may be told of, as the field `on` names it."""

    LIVE = "live"
    REFUSED = "refused"
    HELD = "held"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    DRIFT = "drift"
    HEALED = "healed"
    RESTORED = "restored"
    MOVED = "moved"
    UNHEALTHY = "unhealthy"
    RECOVERED = "recovered"
    TEST = "test"
    """A message that somebody asked for to see whether it comes: to everybody, and no word of `on`."""


FORGES = frozenset({ReceiverKind.GITHUB, ReceiverKind.GITLAB, ReceiverKind.GITEA})
OF_COMMITS = frozenset({Topic.LIVE, Topic.REFUSED, Topic.HELD})
"""What a forge can show beside a commit."""
ALIASES = {"forgejo": ReceiverKind.GITEA, "slack": ReceiverKind.WEBHOOK}
MAX_RECEIVERS = 20
TELEGRAM_API = "https://api.telegram.org"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
COMMON_FIELDS = ("kind", "name", "on", "url", "ca_cert", "dashboard")
FIELDS = {
    ReceiverKind.WEBHOOK: (*COMMON_FIELDS, "secret"),
    ReceiverKind.TELEGRAM: (*COMMON_FIELDS, "token", "chat"),
    **dict.fromkeys(FORGES, (*COMMON_FIELDS, "token", "repository")),
}
BOT_PATH = re.compile(r"(?P<base>.*)/bot(?P<token>[0-9]+:[\w-]+)(?:/(?:sendMessage)?)?", re.ASCII)
TOKEN = re.compile(r"[!-~]+")
CHAT = re.compile(r"-?[0-9]{1,20}(?:/[0-9]{1,20})?|@\w{1,64}", re.ASCII)
REPOSITORY = re.compile(r"[\w.-]+(?:/[\w.-]+)+", re.ASCII)
SHORTEST_HIDDEN = 8
"""Characters from which on a part of an address is hidden in the log; a shorter one is no secret, but a word."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """One of them. `label` is how people know it; `url` the address, of a forge or Telegram that of the API.

    `chat` is a Telegram chat, with `/TOPIC` one of its topics. Of a forge `url` and `repository`, the path there, may
    be empty: the address of the repository says them. `dashboard` is where people find that of this host.
    """

    kind: ReceiverKind
    label: str
    topics: frozenset[Topic]
    url: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    chat: str = field(default="", repr=False)
    repository: str = ""
    ca_cert: str = ""
    dashboard: str = ""

    @property
    def key(self) -> str:
        """What waits for it is kept under this, however the setting is ordered. No secret can be read out of it.

        A token that is replaced changes nothing in it: of a Telegram bot the number before the colon stays.
        """
        bot = self.token.partition(":")[0] if self.kind is ReceiverKind.TELEGRAM else ""
        what = "\0".join((self.kind, self.url, bot, self.chat, self.repository))
        return f"{self.kind}-{hashlib.sha256(what.encode()).hexdigest()[:16]}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must not appear in any message."""
        hidden = [self.token, self.secret]
        if self.kind not in FORGES:
            parts = urlsplit(self.url)
            hidden += [self.url if parts.path.strip("/") else "", parts.path.strip("/"), parts.query]
        return tuple(text for text in hidden if len(text) >= SHORTEST_HIDDEN)

    @property
    def is_open(self) -> bool:
        """Whether what it is sent, and its secrets, cross a network for all to read."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in LOOPBACK


def parse_receivers(entries: Sequence[Any], read_reference: ReadReference) -> tuple[Receiver, ...]:
    """The receivers that the entries of `notify` stand for.

    Raises `UsageError` for what is none. Values are not repeated: they may be secrets.
    """
    if len(entries) > MAX_RECEIVERS:
        raise UsageError(f"notify has {len(entries)} entries", hint=f"at most {MAX_RECEIVERS} are told")
    kinds = [_parse_kind(entry, number) for number, entry in enumerate(entries, 1)]
    receivers: list[Receiver] = []
    for number, (kind, entry) in enumerate(zip(kinds, entries, strict=True), 1):
        label = _text(entry, "name", number) or (str(kind) if kinds.count(kind) == 1 else f"{kind} {number}")
        receivers.append(_Entry(entry, number, read_reference).parse(kind, label))
    for what, seen in (("address", [one.key for one in receivers]), ("name", [one.label for one in receivers])):
        again = next((number for number, one in enumerate(seen, 1) if one in seen[: number - 1]), None)
        if again is not None:
            raise UsageError(f"notify: entry {again} has the same {what} as one before it", hint="name all in one `on`")
    return tuple(receivers)


def _parse_kind(entry: Any, number: int) -> ReceiverKind:
    if not isinstance(entry, dict):
        raise UsageError(f"notify: entry {number} is no table", hint='write {kind = "webhook", url = "env:NAME"}')
    word = _text(entry, "kind", number)
    if word not in ALIASES and word not in list(ReceiverKind):
        raise UsageError(f"notify: entry {number} has no kind that there is", hint=f"one of {', '.join(ReceiverKind)}")
    kind = ALIASES.get(word) or ReceiverKind(word)
    for name in entry:
        if name not in FIELDS[kind]:
            known = FIELDS[kind]
            raise UsageError(f"notify: entry {number}: a {kind} has no field {name}", hint=suggest(name, known))
    return kind


def _text(entry: Mapping[str, Any], name: str, number: int) -> str:
    value = entry.get(name, "")
    if not isinstance(value, str) or not value.isprintable():
        raise UsageError(f"notify: entry {number}: {name} is a text in quotes, on one line")
    return value.strip()


class _Entry:
    """One entry, while it is read."""

    def __init__(self, entry: Mapping[str, Any], number: int, read_reference: ReadReference) -> None:
        self._entry, self._number, self._read_reference = entry, number, read_reference

    def parse(self, kind: ReceiverKind, label: str) -> Receiver:
        url, token, chat = self._secret("url"), self._secret("token"), self._text("chat")
        if kind is ReceiverKind.TELEGRAM:
            url, token, chat = self._telegram(url or TELEGRAM_API, token, chat)
        if kind is ReceiverKind.WEBHOOK and not url:
            raise self._refused("url is missing", 'write url = "env:NAME" or "file:/path", or the address itself')
        if kind is not ReceiverKind.WEBHOOK and not TOKEN.fullmatch(token):
            raise self._refused("token is missing, or no token", 'write token = "env:NAME" or "file:/path"')
        repository = self._text("repository").strip("/")
        if repository and not REPOSITORY.fullmatch(repository):
            raise self._refused("repository is no path on a forge", 'write it as in its address: "desk/config"')
        receiver = Receiver(
            kind=kind,
            label=label,
            topics=self._topics(kind),
            url=self._address("url", url),
            token=token,
            secret=self._secret("secret"),
            chat=chat,
            repository=repository,
            ca_cert=self._text("ca_cert"),
            dashboard=self._address("dashboard", self._text("dashboard")),
        )
        if kind is not ReceiverKind.WEBHOOK and receiver.is_open:
            raise self._refused("the token would cross the network for all to read", "write https://")
        return receiver

    def _telegram(self, url: str, token: str, chat: str) -> tuple[str, str, str]:
        """The API's address, the bot's token and the chat, which may all be in the address that Telegram documents."""
        address, _, query = url.partition("?")
        asked = parse_qs(query)
        matched = BOT_PATH.fullmatch(address)
        if matched is not None:
            address, token = matched["base"], token or matched["token"]
        chat = chat or "/".join(asked.get(name, [""])[0] for name in ("chat_id", "message_thread_id")).strip("/")
        if not CHAT.fullmatch(chat):
            hint = 'write chat = "-1001234567890" (a group), a user\'s number, or "@channel"'
            raise self._refused("chat is missing, or no chat", hint)
        return address.rstrip("/"), token, chat

    def _topics(self, kind: ReceiverKind) -> frozenset[Topic]:
        known = [topic for topic in Topic if topic is not Topic.TEST and (kind not in FORGES or topic in OF_COMMITS)]
        given = self._entry.get("on", known)
        if not isinstance(given, list) or not given:
            raise self._refused("on is a list of words in quotes", f"of {', '.join(known)}")
        for word in given:
            if word not in known:
                raise self._refused("on has a word that stands for nothing", suggest(str(word), known, _of(known)))
        return frozenset(map(Topic, given))

    def _address(self, name: str, url: str) -> str:
        if not url:
            return ""
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good or not TOKEN.fullmatch(url) or "#" in url or "@" in urlsplit(url).netloc:
            raise self._refused(f"{name} is no address", "write https://HOST/PATH, without a login before the host")
        return url

    def _secret(self, name: str) -> str:
        text = self._text(name)
        scheme, _, reference = text.partition(":")
        if scheme in REFERENCE_SCHEMES and reference:
            found = self._read_reference(f"notify: {name} of entry {self._number}", scheme, reference)
            if not found:
                raise self._refused(f"{name} is empty where it is read from", "put it there, on one line")
            return found
        return text

    def _text(self, name: str) -> str:
        return _text(self._entry, name, self._number)

    def _refused(self, what: str, hint: str) -> UsageError:
        return UsageError(f"notify: entry {self._number}: {what}", hint=hint)


def _of(words: Iterable[str]) -> str:
    return f"one of {', '.join(words)}"
