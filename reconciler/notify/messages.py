"""The messages that people get: a title, lines of text, and JSON for programs. Whatever others wrote is escaped."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler import canonical
from reconciler.model.receiver import Topic
from reconciler.report.commits import short_sha
from reconciler.report.escape import escape_line
from reconciler.report.problems import plural
from reconciler.times import format_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.notify.outbox import Message
    from reconciler.notify.transitions import CommitInfo, Transition

    Quote = Callable[[str], str]

SCHEMA, VERSION = "reconciler/notification", 1
MAX_SHOWN = 20
"""Transitions that a message describes; the others are counted."""
MAX_COMMITS = 10
"""Commits that a transition lists."""
MAX_TEXT = 30_000
"""Characters of a text that the receiver does not limit more."""
DISCORD_LIMIT = 2_000
TELEGRAM_LIMIT = 4_096
"""Characters (https://core.telegram.org/bots/api#sendmessage); of UTF-16 units, counted here, there are no fewer."""
SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""https://docs.slack.dev/messaging/formatting-message-text: else a subject could call everybody in the channel."""


GAP = "\u200b"
"""A space of no width: between a sign and a name it keeps the one from meaning the other."""
MENTION = re.compile(r"@(?=\w)|(?<!\w)[#~](?=\w)|(?<!\S)/(?=\w)|(?<!\S)!(?=\w)")
"""What calls somebody, names a channel or is a command: of Mattermost, Rocket.Chat, Discord, Slack or Telegram."""
MARKUP = re.compile(r"[*~]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[])|\|(?=\|)|^(?=[>#])")
LOOKALIKES = {"*": "\u2217", "~": "\u223c", "_": "\uff3f", "`": "\u02cb"}
"""No sign switches markup off in all of them, so others stand there that look the same."""
SPAN = re.compile(r"(?<!`)`[^`\s](?:[^`]*[^`\s])?`(?!`)")
"""Code between two backquotes is shown as it is written."""


def break_mentions(text: str) -> str:
    """Untrusted text on one line, in which nobody and nothing is called by name."""
    return MENTION.sub(lambda found: f"{found[0]}{GAP}", escape_line(text))


def break_markup(text: str) -> str:
    """The same for a chat that understands Markdown: it is shown as it was written."""
    text, shown, at = break_mentions(text), "", 0
    for span in SPAN.finditer(text):
        shown += f"{_plain(text[at : span.start()])}{span[0]}"
        at = span.end()
    return shown + _plain(text[at:])


def _plain(text: str) -> str:
    shown = MARKUP.sub(lambda found: LOOKALIKES.get(found[0]) or f"{found[0]}{GAP}", text)
    return shown.replace("`", LOOKALIKES["`"])


class Origin(Struct, frozen=True):
    """Whose messages they are. `commit_url` has `{sha}` in it, or is empty; so may `dashboard` be.

    `url` is where the repository is fetched from, `folder` where the configuration begins in it.
    """

    host: str
    repository: str = ""
    branch: str = ""
    commit_url: str = ""
    dashboard: str = ""
    url: str = ""
    folder: str = ""

    def link(self, commit: str | None) -> str:
        """Where to look: at the commit, else at the host."""
        return self.commit_url.format(sha=commit) if commit and self.commit_url else self.dashboard


def message_title(message: Message, origin: Origin) -> str:
    """What happened, in one line that a telephone shows whole."""
    if len(message.transitions) == 1:
        return f"{escape_line(origin.host)}: {_headline(message.transitions[0])}"
    lives = [one for one in message.transitions if one.topic is Topic.LIVE]
    parts = [_live_headline(lives)] if lives else []
    counts = Counter(one.topic for one in message.transitions if one.topic is not Topic.LIVE)
    for topic, count in counts.items():
        if count == 1:
            parts.append(_headline(next(one for one in message.transitions if one.topic is topic)).partition(";")[0])
        else:
            parts.append(SEVERAL[topic].format(count))
    return f"{escape_line(origin.host)}: {'; '.join(parts)}"


SEVERAL = {
    Topic.REFUSED: "{} commits refused",
    Topic.HELD: "{} times held",
    Topic.SUSPENDED: "suspended {} times",
    Topic.RESUMED: "resumed {} times",
    Topic.DRIFT: "drift found {} times",
    Topic.HEALED: "drift healed {} times",
    Topic.RESTORED: "{} backups brought back",
    Topic.MOVED: "moved {} times",
    Topic.UNHEALTHY: "{} things do not work",
    Topic.RECOVERED: "{} things work again",
    Topic.TEST: "{} tests",
}


def _live_headline(lives: Sequence[Transition]) -> str:
    if len(lives) == 1:
        return _headline(lives[0])
    return f"{len(lives)} commits went live, the newest is {short_sha(lives[-1].commit or '')}"


def _headline(one: Transition) -> str:
    sha, about = short_sha(one.commit or ""), escape_line(one.about)
    stays = f"; {short_sha(one.live)} stays live" if one.live else ""
    return {
        Topic.LIVE: f"{sha} is live",
        Topic.REFUSED: f"{sha} is refused{stays}",
        Topic.HELD: f"{sha} does not go live{stays}" if sha else f"nothing goes live until somebody acts{stays}",
        Topic.SUSPENDED: "suspended",
        Topic.RESUMED: "resumed",
        Topic.DRIFT: "live rows are not as git says",
        Topic.HEALED: "live rows are as git says again",
        Topic.RESTORED: f"a backup was brought back{f'; {sha} is live' if sha else ''}",
        Topic.MOVED: f"another {about} is followed",
        Topic.UNHEALTHY: f"{about} does not work ({escape_line(one.reason)})",
        Topic.RECOVERED: f"{about} works again",
        Topic.TEST: "a test message",
    }[one.topic]


def message_lines(message: Message, origin: Origin, quote: Quote) -> Iterator[str]:
    """What happened, to which commit, why, what to do, and where to look; `quote` is for what others wrote."""
    shown = message.transitions[-MAX_SHOWN:]
    left = len(message.transitions) - len(shown) + message.dropped
    if left:
        yield f"({plural(left, 'earlier change')} left out)"
    for one in shown:
        if len(message.transitions) > 1:
            yield f"— {_headline(one)}"
        yield from transition_lines(one, quote)
        link = origin.link(one.commit)
        if link:
            yield link


def transition_lines(one: Transition, quote: Quote) -> Iterator[str]:
    """One change, below its headline."""
    for commit in one.commits[:1]:
        yield _commit_text(commit, quote)
    if one.message:
        yield quote(one.message)
    if one.topic is Topic.REFUSED and one.reason and not one.details:
        yield f"by {quote(one.reason)}"
    if one.topic is Topic.RECOVERED:
        yield f"after {format_span(one.lasted)}" if one.lasted >= 1 else "after a moment"
    for detail in one.details:
        yield f"  {quote(detail)}"
    if one.omitted:
        yield f"  and {one.omitted:,} more"
    others = one.commits[1:]
    if others or one.more:
        more = "" if not one.more else " and earlier ones"
        yield f"with {plural(len(others), 'commit')}{more} before it:" if others else "with earlier commits"
        for commit in others[: MAX_COMMITS - 1]:
            yield f"  {short_sha(commit.sha)} {_commit_text(commit, quote)}"
        if len(others) >= MAX_COMMITS:
            yield f"  and {len(others) - MAX_COMMITS + 1:,} more"
    if one.hint:
        yield f"To do: {escape_line(one.hint)}"


def _commit_text(commit: CommitInfo, quote: Quote) -> str:
    author = f" ({quote(commit.author)})" if commit.author else ""
    return f"{quote(commit.subject)}{author}" if commit.subject else f"commit {short_sha(commit.sha)}{author}"


def webhook_body(message: Message, origin: Origin) -> bytes:
    """The JSON of docs/notifications.md. `text` is what Slack and Mattermost show, `content` what Discord does."""
    title, lines = message_title(message, origin), list(message_lines(message, origin, break_markup))
    text = fit_lines([title, *lines], MAX_TEXT, len)
    body = {
        "schema": SCHEMA,
        "version": VERSION,
        "id": message.id,
        "created": canonical.timestamp(message.created),
        "host": origin.host,
        "repository": origin.repository,
        "branch": origin.branch,
        "title": title,
        "text": text.translate(SLACK),
        "content": fit_lines([title, *lines], DISCORD_LIMIT, len),
        "allowed_mentions": {"parse": []},
        "events": [_event_json(one, origin) for one in message.transitions],
        "dropped": message.dropped,
    }
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _event_json(one: Transition, origin: Origin) -> dict[str, Any]:
    known = {info.sha: info for info in one.commits}
    return {
        "type": str(one.topic),
        "at": canonical.timestamp(one.at),
        "title": _headline(one),
        "message": one.message,
        "hint": one.hint,
        "about": one.about or None,
        "reason": one.reason or None,
        "commit": _commit_json(one.commit, known, origin) if one.commit else None,
        "commits": [_commit_json(sha, known, origin) for sha in known],
        "live": one.live,
        "details": list(one.details),
        "omitted": one.omitted,
        "lasted_seconds": round(one.lasted, 1) if one.topic is Topic.RECOVERED else None,
        "url": origin.link(one.commit) or None,
    }


def _commit_json(sha: str, known: dict[str, CommitInfo], origin: Origin) -> dict[str, Any]:
    info = known.get(sha)
    url = origin.commit_url.format(sha=sha) if origin.commit_url else None
    return {"sha": sha, "subject": info.subject if info else None, "author": info.author if info else None, "url": url}


def telegram_text(message: Message, origin: Origin) -> str:
    """Telegram's HTML, within its limit: https://core.telegram.org/bots/api#html-style."""
    title = message_title(message, origin)
    text = fit_lines([title, *message_lines(message, origin, break_mentions)], TELEGRAM_LIMIT, utf16_length)
    first, newline, rest = text.partition("\n")
    return f"<b>{html.escape(first, quote=False)}</b>{newline}{html.escape(rest, quote=False)}"


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


ROOM_FOR_REST = 40
"""Characters for how many lines are left out."""


def fit_lines(lines: Sequence[str], limit: int, measure: Any) -> str:
    """The lines that there is room for, joined, and how many are left out."""
    kept: list[str] = []
    room = limit - ROOM_FOR_REST
    for line in lines:
        length = measure(line) + 1
        if length > room and not kept:
            line, length = _shorten(line, room, measure), room  # noqa: PLW2901  a title is never left out whole
        if length > room:
            break
        kept.append(line)
        room -= length
    left = len(lines) - len(kept)
    return "\n".join([*kept, f"… and {plural(left, 'more line')}"] if left else kept)


def _shorten(line: str, room: int, measure: Any) -> str:
    while measure(line) >= room:
        line = f"{line[: len(line) * 3 // 4]}…"
    return line
