"""Commits, trees, paths and differences as git writes them. Pure: bytes in, values out.

Formats: gitformat-commit, and git's own ident.c for names.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from reconciler.model.commit import Commit, EntryType, FileChange, Signature

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def parse_moment(seconds: int, sign: str, zone: int) -> datetime:
    """A commit's time in its writer's own zone; `zone` is hours times 100 plus minutes.

    A time outside 1970 to 2261 becomes the nearest inside, and a zone of a day or more becomes UTC.
    """
    offset = timedelta(hours=zone // 100, minutes=zone % 100) * (-1 if sign == "-" else 1)
    place = timezone(offset) if abs(offset) < timedelta(days=1) else UTC
    return datetime.fromtimestamp(min(max(seconds, FIRST), LAST), UTC).astimezone(place)


def _person(line: bytes, charset: str) -> Signature:
    """`Name <e-mail> seconds zone`; what is missing is empty, or 1970."""
    matched = PERSON.fullmatch(line)
    if not matched:
        return Signature(_text(line.strip(), charset), "", parse_moment(0, "+", 0))
    time = TIME.search(matched["rest"])
    when = parse_moment(int(time["seconds"]), (time["sign"] or b"+").decode(), int(time["zone"] or 0)) if time else None
    name, email = matched["name"].strip(), matched["email"].strip()
    return Signature(_text(name, charset), _text(email, charset), when or parse_moment(0, "+", 0))


def _text(raw: bytes, charset: str) -> str:
    """Text in the commit's encoding (UTF-8 unless it says otherwise); what cannot be read becomes U+FFFD."""
    try:
        text = raw.decode(charset if CHARSET.match(charset) else "utf-8")
    except (LookupError, UnicodeError):
        text = raw.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


SYMLINK, SUBMODULE, FOLDER = b"120000", b"160000", b"40000"
TYPES = {SYMLINK: EntryType.SYMLINK, SUBMODULE: EntryType.SUBMODULE}
LOOKS_ESCAPED = re.compile(rb"\\(?=x(?:[89a-f][0-9a-f]|5c))")


def path_text(raw: bytes) -> str:
    r"""A path as text that every UTF-8 store can hold.

    Bytes that are not UTF-8 are written as `\xNN`; a backslash that stands before what looks like such an escape
    is itself written as `\x5c`, so that two paths never get the same text. Git keeps paths as bytes; nearly all of
    them are UTF-8, and those come out as they are.
    """
    if b"\\x" in raw:
        raw = LOOKS_ESCAPED.sub(rb"\\x5c", raw)
    return raw.decode("utf-8", "backslashreplace")


def entry_type(mode: bytes) -> EntryType:
    """The type of an entry by its mode in octal; executable or not makes no difference."""
    return TYPES.get(mode, EntryType.FILE)


def parse_changes(raw: bytes) -> tuple[FileChange, ...]:
    """The records of `git diff-tree -r -z --raw`: `:old-mode new-mode old-id new-id status`, NUL, path, NUL."""
    fields = raw.split(b"\0")
    return tuple(_change(header, path) for header, path in zip(fields[:-1:2], fields[1::2], strict=True))


def _change(header: bytes, path: bytes) -> FileChange:
    _, mode, _, blob, status = header.split(b" ")
    if status == b"D":
        return FileChange(path_text(path), None)
    return FileChange(path_text(path), blob.decode(), entry_type(mode))


def tree_entries(raw: bytes, id_size: int) -> Iterator[tuple[str, bytes, str]]:
    """Name, mode and id of each entry of a tree object: `mode name`, NUL, `id_size` bytes."""
    at = 0
    while at < len(raw):
        space = raw.index(b" ", at)
        end = raw.index(b"\0", space)
        yield path_text(raw[space + 1 : end]), raw[at:space], raw[end + 1 : end + 1 + id_size].hex()
        at = end + 1 + id_size
