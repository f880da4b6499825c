"""The settings of a host: one file, variables over it, flags over both. The only reader of the environment's."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "reconciler.toml"
PREFIX = "RECONCILER_"
URL = re.compile(r"[a-z][a-z+]+://|[\w.-]+@[\w.-]+:", re.IGNORECASE)
"""A URL, or the `git@host:path` that ssh takes."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `name` as in the file, its default as text, and what it is for.

    A `secret` one may be given as `file:/path` or `env:NAME`, and never appears in what the program prints.
    """

    name: str
    default: str
    purpose: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable over it."""
        return PREFIX + self.name.replace(".", "_").upper()


SETTINGS = (
    Setting("repository.url", "", "folder of the config repository (default: the one around the working directory)"),
    Setting("repository.branch", "", "branch to reconcile (default: the one that is checked out)"),
    Setting("repository.path", "", "folder inside the repository where the configuration begins"),
    Setting("state.dir", "", "the state folder (default: `reconciler` inside the repository's git folder)"),
    Setting(
        "history.url",
        "chdb",
        "the ledger: `chdb`, `clickhouse://user:pw@host:8123/db`, `clickhouses://…`, `none`",
        True,
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force."""

    repository: Path
    branch: str | None
    path: str
    state: Path | None
    history_url: str


def load(config: Path | None, flags: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from a file (`reconciler.toml` here, if it is there), the environment and flags by setting name.

    Raises `UsageError` for a file that cannot be read and for names that do not exist.
    """
    environ = os.environ if environ is None else environ
    values = {setting.name: setting.default for setting in SETTINGS}
    values.update(_from_file(config))
    values.update(_from_environment(environ))
    values.update(flags)
    resolved = {name: _dereference(name, value, environ) for name, value in values.items()}
    return Settings(
        repository=_folder(resolved["repository.url"]),
        branch=resolved["repository.branch"] or None,
        path=resolved["repository.path"].strip("/"),
        state=Path(resolved["state.dir"]) if resolved["state.dir"] else None,
        history_url=resolved["history.url"],
    )


def _folder(repository: str) -> Path:
    if URL.match(repository):
        raise UsageError(f"{repository} is a URL, and only a folder can be read", hint="clone it, and name the clone")
    return Path(repository or ".")


def _from_file(config: Path | None) -> dict[str, str]:
    path = config or Path(FILE_NAME)
    if config is None and not path.is_file():
        return {}
    import tomllib

    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read settings: {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a TOML file: {error}") from error
    return dict(_flat(path, tables))


def _flat(path: Path, tables: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for section, table in tables.items():
        entries = table.items() if isinstance(table, dict) else [("", table)]
        for key, value in entries:
            name = f"{section}.{key}".rstrip(".")
            if name not in BY_NAME:
                raise UsageError(f"{path}: there is no setting {name}", hint=_similar(name, tuple(BY_NAME)))
            if not isinstance(value, str):
                raise UsageError(f"{path}: {name} is a text in quotes, not {value!r}")
            found.append((name, value))
    return found


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    variables = {setting.variable: setting.name for setting in SETTINGS}
    found: dict[str, str] = {}
    for variable, value in environ.items():
        if variable.startswith(PREFIX):
            if variable not in variables:
                raise UsageError(f"there is no setting behind {variable}", hint=_similar(variable, tuple(variables)))
            found[variables[variable]] = value
    return found


def _dereference(name: str, value: str, environ: Mapping[str, str]) -> str:
    """The text behind `file:/path` or `env:NAME`, so that secrets need not stand in the file or on a command line."""
    if not BY_NAME[name].secret:
        return value
    scheme, _, rest = value.partition(":")
    if scheme == "file" and rest:
        try:
            return Path(rest).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise UsageError(f"cannot read {name} from the file {rest}: {error.strerror}") from error
    if scheme == "env" and rest:
        if rest not in environ:
            raise UsageError(f"{name} is to come from the variable {rest}, which is not set")
        return environ[rest]
    return value


def _similar(word: str, words: tuple[str, ...]) -> str:
    import difflib

    close = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(words)}"
