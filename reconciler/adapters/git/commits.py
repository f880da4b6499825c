"""Commit objects as values. Pure: bytes in, values out. Format: gitformat-commit, and git's own ident.c for names."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from reconciler.model.commit import Commit, Signature

FIRST = 0
LAST = int(datetime(2261, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
"""Times are kept within 1970 and 2261, in UTC: what DuckDB's TIMESTAMP and ClickHouse's DateTime64 can both hold."""

PERSON = re.compile(rb"(?P<name>[^<]*)<(?P<email>[^>]*)>(?P<rest>.*)", re.DOTALL)
TIME = re.compile(rb"(?P<seconds>-?\d+)(?:\s+(?P<sign>[+-])(?P<zone>\d{1,9}))?\s*$")
CHARSET = re.compile(r"utf-?8|(us-)?ascii|latin|l\d|iso|cp|windows|koi8|mac|euc|s(hift)?[-_]?jis|gb|big5|tis", re.I)
"""Encodings of text. Python knows others by name that are none (punycode, unicode-escape) or that are no ASCII."""

SIGNATURE_HEADERS = {b"gpgsig", b"gpgsig-sha256"}


def tree_id(raw: bytes) -> str:
    """The tree of a commit object, which its first line names."""
    return raw[: raw.index(b"\n")].removeprefix(b"tree ").decode("ascii")


def parent_ids(raw: bytes) -> tuple[str, ...]:
    """The parents that a commit object names, which need not all be here."""
    head = raw.partition(b"\n\n")[0]
    return tuple(line[7:].decode("ascii") for line in head.split(b"\n") if line.startswith(b"parent "))


def parse_commit(sha: str, parents: tuple[str, ...], raw: bytes) -> Commit:
    """A commit object's values. `parents` are given: a shallow clone has fewer than the object names."""
    head, _, body = raw.partition(b"\n\n")
    headers: dict[bytes, bytes] = {}
    for line in head.split(b"\n"):
        name, _, value = line.partition(b" ")
        headers.setdefault(name, value)
    charset = headers.get(b"encoding", b"").decode("ascii", "replace")
    return Commit(
        sha,
        parents,
        _person(headers.get(b"author", b""), charset),
        _person(headers.get(b"committer", b""), charset),
        _text(body, charset),
        signed=not SIGNATURE_HEADERS.isdisjoint(headers),
    )


def moment(seconds: int, sign: str, zone: int) -> datetime:
    """A commit's time in its writer's own zone; `zone` is hours times 100 plus minutes.

    A time outside 1970 to 2261 becomes the nearest inside, and a zone of a day or more becomes UTC.
    """
    offset = timedelta(hours=zone // 100, minutes=zone % 100) * (-1 if sign == "-" else 1)
    place = timezone(offset) if abs(offset) < timedelta(days=1) else UTC
    return datetime.fromtimestamp(min(max(seconds, FIRST), LAST), UTC).astimezone(place)


def _person(line: bytes, charset: str) -> Signature:
    """`Name <e-mail> seconds zone`; what is missing is empty, or 1970."""
    found = PERSON.fullmatch(line)
    if not found:
        return Signature(_text(line.strip(), charset), "", moment(0, "+", 0))
    time = TIME.search(found["rest"])
    when = moment(int(time["seconds"]), (time["sign"] or b"+").decode(), int(time["zone"] or 0)) if time else None
    name, email = found["name"].strip(), found["email"].strip()
    return Signature(_text(name, charset), _text(email, charset), when or moment(0, "+", 0))


def _text(raw: bytes, charset: str) -> str:
    """Text in the commit's encoding (UTF-8 unless it says otherwise); what cannot be read becomes U+FFFD."""
    try:
        text = raw.decode(charset if CHARSET.match(charset) else "utf-8")
    except (LookupError, UnicodeError):
        text = raw.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
