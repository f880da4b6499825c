"""The parameters that addresses take: what each means, and its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.web.etags import LONGEST_WAIT
from reconciler.web.openapi.shapes import Shape, one_of, text
from reconciler.web.paging import LARGEST

if TYPE_CHECKING:
    from collections.abc import Mapping


def so_many(most: int) -> Shape:
    """A number from 1 on."""
    return {"type": "integer", "minimum": 1, "maximum": most}


PARAMETERS: Final[Mapping[str, tuple[str, Shape]]] = {
    "kind": ("A kind, as you like: its name or its table, in any case, singular or plural", text(minLength=1)),
    "name": ("A resource's name, or its id", text(minLength=1)),
    "revision": ("A sha or the start of it, a tag or a branch", text(minLength=1)),
    "session_id": ("The id of a session", text(format="uuid")),
    "table": ("A table, or a kind", text(minLength=1)),
    "secret": ("What follows from `repository.webhook_secret`", text(minLength=1)),
    "at": ("A sha, tag, branch, RFC 3339 or a date in UTC: as it was then", text(minLength=1)),
    "base": ("The older point, written as for `at`", text(minLength=1)),
    "head": ("The newer point, written as for `at`", text(minLength=1)),
    "limit": ("How many at once", so_many(999_999)),
    "page": ("How many at once; all without it", so_many(LARGEST)),
    "rows": ("How many rows at most", so_many(100_000)),
    "cursor": ("Where to go on: `next` of the answer before", text(maxLength=2_000)),
    "author": ("Part of `Name <email>`, in any case", text()),
    "of_kind": ("Only what changed a resource of this kind", text()),
    "of_name": ("Only what changed a resource of this name or id", text()),
    "since": ("Not before: RFC 3339, or a date in UTC", text()),
    "until": ("Not after: RFC 3339, or a date in UTC with all of its day", text()),
    "status": ("Only those", one_of("valid", "invalid", "orphaned")),
    "owner": ("Whose sessions: a name in git, or an id", text(minLength=1)),
    "only_kind": ("Only rows of this kind", text(maxLength=500)),
    "only_name": ("Only rows of this name", text(maxLength=500)),
    "last_event_id": ("The id that was told last", text(maxLength=500)),
    "query": ("One SELECT", text(minLength=1)),
    "history": ("Of the history instead of the live rows", one_of("true", "false", "1", "0")),
    "format": ("The form of the file", one_of("parquet", "csv", "json")),
    "if-none-match": ("The ETag of the answer that you have", text()),
    "prefer": (f"`wait=30`: answer when it is another one, or after so many seconds, {LONGEST_WAIT} at most", text()),
    "last-event-id": ("The id that was told last", text()),
}
SPELT: Final[Mapping[str, str]] = {
    "page": "limit",
    "rows": "limit",
    "of_kind": "kind",
    "of_name": "name",
    "only_kind": "kind",
    "only_name": "name",
}
"""Parameters that go by a name which others have too. The owner's is the store's own word, see `document.py`."""
