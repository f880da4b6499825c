"""What a row of the endpoint table says: parameters, fields of the body, where the call runs, its answer."""

from __future__ import annotations

import re
from enum import StrEnum
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, convert, to_builtins

from reconciler.errors import UsageError
from reconciler.service.cursors import MAX_LENGTH as MAX_CURSOR
from reconciler.service.limits import FILTERS, FORMATS, MAX_PAGE, MAX_ROWS, MAX_SELECTOR
from reconciler.values import replace
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Json = dict[str, Any]

MAX_TEXT = 500
"""Characters of a reason, a name or another text in the body of an operation."""
MAX_WAIT = 60
"""Seconds that a client may be kept waiting for another answer."""
REPEATED = 500
"""Characters of a parameter that an error repeats."""
WHOLE_NUMBER = re.compile("[1-9][0-9]{0,5}", re.ASCII)
TRUE, FALSE = ("true", "1"), ("false", "0", "")
JSON = "application/json"
ADDRESSES = "reconciler.service.addresses"
"""The package with the rows of the table, in modules named like those of the services."""
EXPIRES = "reconciler-expires"
"""The header that says until when somebody waits for an operation: seconds since 1970, of a client on the same host."""


LIVE, PAST, NOW, SESSIONS, SQL, PROBES = (
    "Live rows",
    "The past",
    "This host",
    "Sessions",
    "Queries",
    "Probes",
)


class Role(StrEnum):
    """What a request needs: nothing, a token to read (none on this host), a token to operate, or a signature."""

    OPEN = "open"
    READ = "read"
    OPERATE = "operate"
    SIGNED = "signed"


class Runs(StrEnum):
    """Where a call runs: on the event loop, on a worker thread, or on the operations thread, which gives a future.

    Calls about sessions have threads of their own, so that they wait for Redis alone: those that need the live rows
    (OWNERS) apart from those that do not; so have queries (QUERY), which nobody may wait for to change, together with
    exports (EXPORT), which give a file, and those of a worker's calls that may take long. What must not wait for any of
    these has threads of its own (URGENT).
    """

    LOOP = "loop"
    WORKER = "worker"
    QUERY = "query"
    EXPORT = "export"
    OPERATIONS = "operations"
    URGENT = "urgent"
    SESSIONS = "sessions"
    OWNERS = "owners"


class Parameter(Struct, frozen=True):
    """A parameter of an address: its name there, JSON Schema, and name in the call (`argument`, else the same).

    `missing` is the message and hint where it is empty, or required and not there. `parse` reads its text and raises
    `UsageError`.
    """

    name: str
    description: str
    schema: Json
    argument: str = ""
    required: bool = False
    missing: tuple[str, str] = ("", "")
    parse: Callable[[str], Any] = str

    @property
    def keyword(self) -> str:
        """The name in the call."""
        return self.argument or self.name


class Field(Struct, frozen=True):
    """A field of a body. `missing` is the message and hint where a required one is not there, or blank.

    `check` returns the value to use, or raises `UsageError`.
    """

    name: str
    type: type
    schema: Json
    required: bool = False
    missing: tuple[str, str] = ("", "")
    check: Callable[[str, Any], Any] = lambda name, value: value


class Endpoint(Struct, frozen=True):
    """An address.

    `call` is the method that answers: of a service, or of `HostControl`; None where the web package answers by itself.
    `answer` is the type of the JSON answer, `media` has the schemas of other answers by media type. `tagged` answers
    carry an ETag (`weak` where the passing of time does not count), and `waits` says that a client may wait for
    another. `slow` calls have the deadline of an operation. `gathers` names an argument of the
    call and its type, a struct which carries the fields of the body that it has. `also` are statuses besides those of
    all endpoints of its role. Unknown parameters are refused with the
    word `refuses`, and ignored where it is empty. `unavailable` is the error's code where the answer is 503.
    """

    method: str
    path: str
    call: Callable[..., Any] | None
    summary: str
    tag: str
    answer: Any = None
    params: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    body: tuple[Field, ...] | None = None
    gathers: tuple[str, type[Struct]] | None = None
    role: Role = Role.READ
    runs: Runs = Runs.WORKER
    media: Mapping[str, Json] | None = None
    status: int = HTTPStatus.OK
    also: tuple[int, ...] = ()
    tagged: bool = False
    weak: bool = False
    waits: bool = False
    slow: bool = False
    refuses: str = ""
    unavailable: str = ""

    def gather(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a body, as arguments of the call."""
        if self.gathers is None:
            return dict(fields)
        argument, type_ = self.gathers
        carried = {name: value for name, value in fields.items() if name in type_.__struct_fields__}
        others = {name: value for name, value in fields.items() if name not in carried}
        given = {name: value for name, value in carried.items() if value is not None}
        return {**others, argument: convert(given, type_)}

    def spread(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of the call, as fields of a body."""
        if self.gathers is None:
            return dict(arguments)
        carried = arguments[self.gathers[0]]
        others = {name: value for name, value in arguments.items() if name != self.gathers[0]}
        return {**others, **to_builtins(carried)}

    @property
    def path_names(self) -> tuple[str, ...]:
        """The names in the path."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))


def find_endpoint(call: Callable[..., Any]) -> Endpoint:
    """The address that a call is answered at; of two the one that takes a body."""
    rows: tuple[Endpoint, ...] = import_module(f"{ADDRESSES}.{call.__module__.rpartition('.')[2]}").ENDPOINTS
    return max((endpoint for endpoint in rows if endpoint.call is call), key=lambda endpoint: endpoint.body is not None)


def read(path: str, call: Callable[..., Any], answer: Any, tag: str, summary: str, **more: Any) -> Endpoint:
    """A read that carries a tag and can be waited for."""
    return Endpoint("GET", path, call, summary, tag, answer, tagged=True, waits=True, **more)


def text(**more: Any) -> Json:
    """The schema of a text."""
    return {"type": "string", **more}


def whole_number(most: int) -> Json:
    """The schema of a number from 1 on."""
    return {"type": "integer", "minimum": 1, "maximum": most}


def one_of(*words: str) -> Json:
    """The schema of some words."""
    return {"type": "string", "enum": list(words)}


def parse_limit(value: str) -> int:
    """How many are asked for. Raises `UsageError` for what is no number of them."""
    if not WHOLE_NUMBER.fullmatch(value):
        raise UsageError(f"limit is {value[:REPEATED]!r}", hint="write a number from 1 on")
    return int(value)


def parse_rows(value: str) -> int:
    """How many rows of a query are asked for."""
    return check_rows("limit", int(value) if re.fullmatch("[0-9]{1,6}", value, re.ASCII) else 0)


def parse_flag(value: str) -> bool:
    """Whether the history is meant."""
    if value.lower() not in (*TRUE, *FALSE):
        raise UsageError("history is true or false")
    return value.lower() in TRUE


def parse_metadata(value: str) -> bool:
    """Whether metadata is wanted."""
    if value.lower() not in (*TRUE, *FALSE):
        raise UsageError("metadata is true or false")
    return value.lower() in TRUE


def check_text(name: str, value: str) -> str:
    """A text for people: short, and all of it visible."""
    if len(value) > MAX_TEXT or not value.isprintable():
        raise UsageError(f"{name} is longer than {MAX_TEXT} characters, or has some that do not print")
    return value


def check_texts(name: str, value: list[Any]) -> list[Any]:
    """Some texts for people. How many there may be is for the call to say."""
    if not all(isinstance(one, str) for one in value):
        raise UsageError(f"{name} is a list of texts")
    return [check_text(name, one) for one in value]


def check_rows(name: str, value: int) -> int:
    """How many rows of a query are asked for."""
    if not 1 <= value <= MAX_ROWS:
        raise UsageError(f"limit is a number of rows from 1 to {MAX_ROWS:,}")
    return value


def parse_format(value: str) -> str:
    """The form of an exported file."""
    if value not in FORMATS:
        raise UsageError("there is no such format", hint=suggest(value, FORMATS))
    return value


def parse_session_limit(value: str) -> object:
    """How many sessions are asked for; what is no number goes to the check of sessions as it is."""
    return int(value) if value.isdecimal() and len(value) < len("1000000") else value


UNKNOWN_FILTER, UNKNOWN_PARAMETER = "filter", "parameter"
NO_POINT = "name a commit or a moment, such as 2026-11-23T08:00Z"
NO_FILE = ("there is no file", "name a backup on this host")
NO_REASON = ("there is no reason", "say why, for whoever finds this host suspended")
NO_HALT_REASON = ("there is no reason", "say why, for whoever finds it halted or released")
NO_QUERY = ("there is no query", "name it as query: one SELECT")
NO_OWNER = ("say whose sessions: ?{}=", "a name in git, or an id")
OWNER_NAME = "owner"
"""Stands for the parameter whose name is the kind that has sessions."""

PATH: Final[Mapping[str, Parameter]] = {
    parameter.name: parameter
    for parameter in (
        Parameter(
            "kind", "A kind, as you like: its name or its table, in any case, singular or plural", text(minLength=1)
        ),
        Parameter("name", "A resource's name, or its id", text(minLength=1)),
        Parameter("revision", "A sha or the start of it, a tag or a branch", text(minLength=1)),
        Parameter("session_id", "The id of a session", text(format="uuid")),
        Parameter("table", "A table, or a kind", text(minLength=1)),
        Parameter("secret", "What follows from `repository.webhook_secret`", text(minLength=1)),
    )
}
AT = Parameter(
    "at",
    "A sha, tag, branch, RFC 3339 or a date in UTC: as it was then",
    text(minLength=1),
    missing=("there is no at", NO_POINT),
)
OF_HOST = Parameter("host", "As this host saw it; by default the one that answers", text(minLength=1))
OF_BRANCH = Parameter("branch", "The history of this branch; by default of the one that is followed", text(minLength=1))
OF_FIELD = Parameter("field", "Only this field, such as `leverage` or `labels.desk`", text(minLength=1))
BASE = Parameter(
    "base",
    "The older point, written as for `at`",
    text(minLength=1),
    required=True,
    missing=("there is no base", NO_POINT),
)
HEAD = replace(
    BASE, name="head", description="The newer point, written as for `at`", missing=("there is no head", NO_POINT)
)
LIMIT = Parameter("limit", "How many at once", whole_number(999_999), parse=parse_limit)
PAGE_LIMIT = replace(LIMIT, description="How many at once; all without it", schema=whole_number(MAX_PAGE))
ROW_LIMIT = replace(LIMIT, description="How many rows at most", schema=whole_number(MAX_ROWS), parse=parse_rows)
SESSION_LIMIT = replace(LIMIT, parse=parse_session_limit)
LABELS = Parameter(
    "label",
    "Only rows with these labels, as kubectl selects them: `key`, `!key`, `key=value`, `key!=value`, `key in (a,b)`, "
    "with commas between",
    text(maxLength=MAX_SELECTOR),
)
ROW_FILTERS = Parameter(
    "filter",
    "Only rows with these values: `field=value`, `field!=value`, with commas between; a comma in a value is `\\,`",
    text(maxLength=MAX_SELECTOR),
    argument="filters",
)
SORT = Parameter("sort", "The field that the order goes by, `-field` for downwards", text(maxLength=MAX_SELECTOR))
METADATA = Parameter(
    "metadata",
    "With labels, annotations and refs, and how a table shows the rows",
    one_of("true", "false", "1", "0"),
    parse=parse_metadata,
)
CURSOR = Parameter("cursor", "Where to go on: `next` of the answer before", text(maxLength=MAX_CURSOR))
FILTER_PARAMETERS = (
    Parameter("grep", "Part of the message or of the author's `Name <email>`, or how a sha begins", text()),
    Parameter("author", "Part of `Name <email>`, in any case", text()),
    Parameter("kind", "Only what changed a resource of this kind", text()),
    Parameter("name", "Only what changed a resource of this name or id", text()),
    Parameter("since", "Not before: RFC 3339, or a date in UTC", text()),
    Parameter("until", "Not after: RFC 3339, or a date in UTC with all of its day", text()),
    Parameter("status", "Only those", one_of("valid", "invalid", "orphaned")),
)
assert tuple(parameter.name for parameter in FILTER_PARAMETERS) == FILTERS
OWNER = Parameter(
    OWNER_NAME, "Whose sessions: a name in git, or an id", text(minLength=1), required=True, missing=NO_OWNER
)
ONLY_KIND = Parameter("kind", "Only rows of this kind", text(maxLength=MAX_TEXT))
ONLY_NAME = Parameter("name", "Only rows of this name", text(maxLength=MAX_TEXT))
LAST_EVENT_ID = Parameter("last_event_id", "The id that was told last", text(maxLength=MAX_TEXT))
QUERY = Parameter("query", "One SELECT", text(minLength=1), required=True, missing=NO_QUERY)
OF_HISTORY = Parameter(
    "history",
    "Of the history instead of the live rows",
    one_of("true", "false", "1", "0"),
    parse=parse_flag,
)
FORMAT = Parameter("format", "The form of the file", one_of(*FORMATS), argument="form", parse=parse_format)

IF_NONE_MATCH = Parameter("if-none-match", "The ETag of the answer that you have", text())
PREFER = Parameter(
    "prefer", f"`wait=30`: answer when it is another one, or after so many seconds, {MAX_WAIT} at most", text()
)
LAST_EVENT_ID_HEADER = replace(LAST_EVENT_ID, name="last-event-id", schema=text())

FLAG: Json = {"type": "boolean"}
BY = Field("by", str, text(description="who asks", maxLength=MAX_TEXT), check=check_text)
