"""The settings of a host: one file, variables over it, flags over both. The only reader of the environment's."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from reconciler.errors import UsageError
from reconciler.model import grants
from reconciler.model.limits import Limits
from reconciler.model.receiver import Receiver, parse_receivers
from reconciler.times import parse_span
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "reconciler.toml"
PREFIX = "RECONCILER_"
URL = re.compile(r"[a-z][a-z+]+://|[\w.-]+@[\w.-]+:", re.IGNORECASE)
"""A URL, or the `git@host:path` that ssh takes."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `name` as in the file, its default as text, and what it is for.

    A `secret` one may be given as `file:/path` or `env:NAME`, and never appears in what the program prints. `many` is a
    list of texts in the file; in the variable commas stand between them. Here each is a line. `number` is a whole
    number in the file, `switch` true or false, both with or without quotes. `tables` is a list of tables in the file,
    the same or JSON in the variable. Here it is JSON.
    """

    name: str
    default: str
    purpose: str
    secret: bool = False
    many: bool = False
    number: bool = False
    switch: bool = False
    tables: bool = False

    @property
    def variable(self) -> str:
        """The environment variable over it."""
        return PREFIX + self.name.replace(".", "_").upper()


SETTINGS = (
    Setting("repository.url", "", "folder or URL of the config repository (default: the one around this folder)"),
    Setting("repository.name", "", "what the history calls the repository (default: where it was found first)"),
    Setting("repository.branch", "", "branch to reconcile (default: the one this host was first reconciled to)"),
    Setting(
        "repository.follow_checkout",
        "false",
        "go over to whatever branch is checked out, or is the remote's default one",
        switch=True,
    ),
    Setting("repository.path", "", "folder inside the repository where the configuration begins"),
    Setting("repository.poll_interval", "1m", "how often a running daemon looks at git without being told to"),
    Setting("repository.credentials", "", "a token, or `login:password`, for an https URL", True),
    Setting("repository.ssh_key", "", "file of the private key for an ssh URL (default: what ssh finds)"),
    Setting("repository.known_hosts", "", "file of the host keys to trust for an ssh URL (default: what ssh finds)"),
    Setting("repository.webhook_secret", "", "what forges sign their webhooks with (default: no webhooks)", True),
    Setting("state.dir", "", "the state folder (default: `reconciler` inside the repository's git folder)"),
    Setting(
        "history.url",
        "chdb",
        "the ledger: `chdb` (where it is missing `duckdb`), `duckdb`, `clickhouse://user:pw@host:8123/db`, "
        "`clickhouses://…`, `none`",
        True,
    ),
    Setting(
        "redis.url",
        "embedded",
        "sessions and the live view: `embedded`, `redis://…`, `rediss://…`, `redis+sentinel://…`, `none`",
        True,
    ),
    Setting("sessions.idle_timeout", "30m", "how long a session stays active without being used"),
    Setting("http.listen", "127.0.0.1:8642", "address and port that the daemon listens on"),
    Setting("http.tokens", "", "who may read or operate over HTTP: `ROLE:sha256:HEX`, …", many=True),
    Setting("http.local_reads", "open", "whether reads on this host need a token: `open` (none) or `token`"),
    Setting("host.name", "", "what this host is called in host events (default: its network name)"),
    Setting("host.system", "", "the resource whose log level, intervals and sizes this daemon obeys"),
    Setting("drift.mode", "heal", "what to do about live rows that are not as git says: `heal` or `report`"),
    Setting(
        "publish.path",
        "",
        "the published copy of the live rows (default: `live.duckdb` in the state folder), or `none`",
    ),
    Setting("publish.mode", "0400", "who may read the published copy, as an octal file mode (not on Windows)"),
    Setting(
        "evidence.key", "", "file of the SSH key that signs this host's daily roots (default: they are not signed)"
    ),
    Setting("limits.paths", "250000", "how many paths one commit may change", number=True),
    Setting("limits.yaml_mb", "256", "how many megabytes of files one commit may bring", number=True),
    Setting(
        "notify",
        "",
        'who is told what happens: `[{kind = "webhook", url = "env:NAME", on = ["live"]}, …]`',
        tables=True,
    ),
)
ASKED = "repository.branch"
"""The setting whose flag is for one call: it is kept apart, as no state folder is bound by it."""
FOLLOW = "repository.follow_checkout"
OF_LOCAL_READS = "http.local_reads"
OF_NAME = "repository.name"
LONGEST_NAME = 200
"""Characters that the name of a repository may have."""
BY_NAME = {setting.name: setting for setting in SETTINGS}

EMBEDDED_HISTORY, FILE_HISTORY, NO_HISTORY = "chdb", "duckdb", "none"
"""Values of history.url that are no server."""
EMBEDDED_REDIS, NO_REDIS = "embedded", "none"
"""Values of redis.url that are no server."""
NO_COPY = "none"
"""The value of publish.path that is no file."""
READABLE, OWN, WRITABLE = 0o444, 0o400, 0o200
"""The bits that publish.mode may have: everybody's right to read, the owner's at least, and his to write."""
DRIFT_MODES = ("heal", "report")
LOCAL_READS = ("open", "token")
SWITCH = ("true", "false")
SHORTEST_POLL = 1.0


@dataclass(frozen=True, slots=True)
class Origin:
    """The repository: a folder, or a URL with credentials. `poll_interval` is in seconds."""

    folder: Path
    url: str | None = None
    credentials: str = field(default="", repr=False)
    ssh_key: Path | None = None
    known_hosts: Path | None = None
    poll_interval: float = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force. `asked_branch` is the branch of one call (`--branch`), and no setting."""

    origin: Origin
    branch: str | None
    path: str
    state: Path | None
    history_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    idle_timeout: float
    webhook_secret: str = field(repr=False)
    listen: str
    grants: tuple[grants.Grant, ...]
    host: str
    config_resource: str | None
    heal_drift: bool
    limits: Limits
    publish_path: Path | None
    publish_mode: int
    publishes: bool
    local_reads: bool
    """Whether reads on this host need no token."""
    tokens: tuple[str, ...] = field(default=(), repr=False)
    """The tokens of grants that were read from elsewhere, to keep them out of the log."""
    history_given: bool = True
    """Whether somebody set `history_url`: else it gives way to what a state folder has, and this host can run."""
    asked_branch: str | None = None
    follow_checkout: bool = False
    repository_name: str = ""
    receivers: tuple[Receiver, ...] = ()
    evidence_key: Path | None = None

    @property
    def repository(self) -> Path:
        """The folder of the repository. Raises `UsageError` when it is elsewhere."""
        if self.origin.url is not None:
            raise UsageError(
                "this needs the files of the repository in a folder, and repository.url is a URL",
                hint="clone it, and name the clone with --repo",
            )
        return self.origin.folder

    @property
    def working_tree(self) -> Path | None:
        """The working tree around the folder of the repository; None for one elsewhere, or without."""
        if self.origin.url is not None:
            return None
        folder = self.origin.folder.resolve()
        return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must not appear in any message."""
        login, colon, password = self.origin.credentials.partition(":")
        secrets = [password if colon else login, self.webhook_secret, *self.tokens]
        secrets += [one for url in (self.origin.url, self.history_url, self.redis_url) for one in _passwords(url or "")]
        secrets += [secret for receiver in self.receivers for secret in receiver.secrets]
        return tuple(secret for secret in secrets if secret)


def find_file() -> Path | None:
    """The settings file that counts where none is named: `reconciler.toml` here, if it is there."""
    file = Path(FILE_NAME)
    return file if file.is_file() else None


def load(file: Path | None, flags: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from a file, if any, the environment and flags by setting name.

    Raises `UsageError` for a file that cannot be read and for names that do not exist.
    """
    environ = os.environ if environ is None else environ
    given = {**(_from_file(file) if file else {}), **_from_environment(environ)}
    given.update((name, value) for name, value in flags.items() if name != ASKED)
    values = {setting.name: setting.default for setting in SETTINGS} | given
    resolved = {name: _dereference(name, value, environ) for name, value in values.items()}
    read_token = partial(_read_reference, "http.tokens", environ=environ)
    allowed, tokens = grants.parse_grants(resolved["http.tokens"], read_token)
    return Settings(
        origin=_origin(resolved),
        branch=resolved["repository.branch"] or None,
        path=resolved["repository.path"].strip("/"),
        state=_path(resolved["state.dir"]),
        history_url=resolved["history.url"],
        history_given="history.url" in given,
        redis_url=resolved["redis.url"],
        idle_timeout=_seconds("sessions.idle_timeout", resolved["sessions.idle_timeout"]),
        webhook_secret=resolved["repository.webhook_secret"],
        listen=resolved["http.listen"],
        grants=allowed,
        host=resolved["host.name"],
        config_resource=resolved["host.system"] or None,
        heal_drift=_choice("drift.mode", resolved["drift.mode"], DRIFT_MODES) == DRIFT_MODES[0],
        local_reads=_choice(OF_LOCAL_READS, resolved[OF_LOCAL_READS], LOCAL_READS) == LOCAL_READS[0],
        limits=Limits(_count("limits.paths", resolved), _count("limits.yaml_mb", resolved)),
        publish_path=None if resolved["publish.path"] == NO_COPY else _path(resolved["publish.path"]),
        publish_mode=_mode("publish.mode", resolved["publish.mode"]),
        publishes=resolved["publish.path"] != NO_COPY,
        tokens=tokens,
        asked_branch=flags.get(ASKED) or None,
        follow_checkout=_choice(FOLLOW, resolved[FOLLOW].lower(), SWITCH) == SWITCH[0],
        repository_name=_name(OF_NAME, resolved[OF_NAME].strip()),
        evidence_key=_path(resolved["evidence.key"]),
        receivers=parse_receivers(
            _parse_tables("notify", resolved["notify"]), partial(_read_reference, environ=environ)
        ),
    )


def _passwords(url: str) -> list[str]:
    """The passwords in a URL, as they are written there and as they are. `urlsplit` refuses some lists of hosts."""
    rest = url.partition("://")[2]
    written = re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")[0].partition(":")[2]
    query = rest.partition("?")[2].partition("#")[0]
    queried = [value for name, value in parse_qsl(query) if "password" in name]
    return [written, unquote(written), *queried]


def _origin(resolved: Mapping[str, str]) -> Origin:
    place = resolved["repository.url"]
    return Origin(
        folder=Path(place or "."),
        url=place if URL.match(place) else None,
        credentials=resolved["repository.credentials"],
        ssh_key=_path(resolved["repository.ssh_key"]),
        known_hosts=_path(resolved["repository.known_hosts"]),
        poll_interval=_seconds("repository.poll_interval", resolved["repository.poll_interval"]),
    )


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _name(setting: str, text: str) -> str:
    if len(text) > LONGEST_NAME or not text.isprintable():
        raise UsageError(
            f"{setting} is no name: it is one line of at most {LONGEST_NAME} characters",
            hint="all hosts of a repository have the same one, as `desk/config`",
        )
    return text


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise UsageError(f"{name} is {value!r}", hint=f"write {' or '.join(choices)}")
    return value


def _mode(name: str, text: str) -> int:
    mode = int(text, 8) if re.fullmatch(r"(0|0o)?[0-7]{3}", text) else 0
    if not mode & OWN or mode & ~(READABLE | WRITABLE):
        raise UsageError(f"{name} is {text!r}", hint="write who may read: 0400, 0440 for its group, 0444 for everybody")
    return mode


def _count(name: str, resolved: Mapping[str, str]) -> int:
    text = resolved[name]
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise UsageError(f"{name} is {text!r}", hint=f"write a whole number, such as {BY_NAME[name].default}")
    return int(text)


def _seconds(name: str, text: str) -> float:
    span = parse_span(text)
    if span is None or span.total_seconds() < SHORTEST_POLL:
        raise UsageError(f"{name} is {text!r}", hint="write a span of at least a second: 30s, 5m, 1h")
    return span.total_seconds()


def _from_file(path: Path) -> dict[str, str]:
    import tomllib

    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read settings: {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a TOML file: {error}") from error
    return dict(_flatten(path, tables))


def _flatten(path: Path, tables: Mapping[str, Any]) -> list[tuple[str, str]]:
    values: list[tuple[str, str]] = []
    for section, table in tables.items():
        is_section = isinstance(table, dict) and section not in BY_NAME
        entries = table.items() if is_section else [("", table)]
        for key, value in entries:
            name = f"{section}.{key}".rstrip(".")
            if name not in BY_NAME:
                raise UsageError(f"{path}: there is no setting {name}", hint=suggest(name, BY_NAME))
            values.append((name, _to_text(path, name, value)))
    return values


def _to_text(path: Path, name: str, value: object) -> str:
    if BY_NAME[name].number and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if BY_NAME[name].switch and isinstance(value, bool):
        return str(value).lower()
    if BY_NAME[name].tables:
        if not isinstance(value, list):
            raise UsageError(f"{path}: {name} is a list of tables", hint=f"begin each with [[{name}]]")
        return json.dumps(value, default=str)
    if not BY_NAME[name].many:
        if not isinstance(value, str):
            raise UsageError(f"{path}: {name} is a text in quotes, not {value!r}")
        return value
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{path}: {name} is a list of texts in quotes", hint=f'write {name} = ["…", "…"]')
    return "\n".join(value)


def _parse_tables(name: str, text: str) -> list[Any]:
    """A list of tables, in JSON or as it stands after `NAME =` in the file. It is never repeated: secrets are in it."""
    if not text.strip():
        return []
    try:
        value = json.loads(text)
    except ValueError:
        value = _parse_toml_value(text)
    if not isinstance(value, list):
        raise UsageError(f"{name} is no list of tables", hint='write [{kind = "webhook", url = "env:NAME"}], or JSON')
    return value


def _parse_toml_value(text: str) -> object:
    import tomllib

    try:
        return tomllib.loads(f"value = {text.strip()}").get("value")
    except tomllib.TOMLDecodeError:
        return None


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    variables = {setting.variable: setting.name for setting in SETTINGS}
    values: dict[str, str] = {}
    for variable, value in environ.items():
        if variable.startswith(PREFIX):
            if variable not in variables:
                raise UsageError(f"there is no setting behind {variable}", hint=suggest(variable, variables))
            name = variables[variable]
            values[name] = value.replace(",", "\n") if BY_NAME[name].many else value
    return values


def _dereference(name: str, value: str, environ: Mapping[str, str]) -> str:
    """The text behind `file:/path` or `env:NAME`, so that secrets need not stand in the file or on a command line."""
    if not BY_NAME[name].secret:
        return value
    scheme, _, reference = value.partition(":")
    return (
        _read_reference(name, scheme, reference, environ) if scheme in grants.REFERENCE_SCHEMES and reference else value
    )


def _read_reference(name: str, scheme: str, reference: str, environ: Mapping[str, str]) -> str:
    if scheme == "file":
        try:
            return Path(reference).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise UsageError(f"cannot read {name} from the file {reference}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"cannot read {name} from the file {reference}: it is not text") from error
    if reference not in environ:
        raise UsageError(f"{name} is to come from the variable {reference}, which is not set")
    return environ[reference].strip()
