"""All files of a new config repository, from a template. Nothing is written here.

`templates.toml` says what each template consists of. Its own files are a repository that is valid as it stands; a new
one gets ids and a name of its own.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from msgspec import Struct, convert

from reconciler.errors import UsageError
from reconciler.scaffold.files import EDITOR_FOLDER, path_between, resource_file, schema_file, usual_folder
from reconciler.scaffold.sample import build_samples
from reconciler.scaffold.template import build_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.kinds.kind import Kinds

INDEX = "templates.toml"
COMMON, OF_PLATFORMS = "common", "ci"
STAND_IN = "desk-name"
"""What a template's own files call the desk."""
PROGRAM_FOLDER = ".reconciler/program"
"""The folder of the program's wheel, from which the checks install it."""

_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_UNFIT = re.compile(r"[^a-z0-9.]+")
_RULES = ("policies/", "schemas/", ".")
"""Where the paths of files begin that declare no resources."""


class RepositoryTemplate(Struct, frozen=True, forbid_unknown_fields=True):
    """What a repository may start from: made `samples` of each kind, and folders of the `example` repository.

    `obeyed` is the resource that a host takes its own settings from.
    """

    about: str
    obeyed: str
    samples: bool
    example: tuple[str, ...]


class NewRepository(Struct, frozen=True):
    """What somebody wants to start: from which template, its name, and the platforms that check changes."""

    template: str
    name: str
    platforms: tuple[str, ...]


class TemplateFiles(Struct, frozen=True):
    """What templates are made of, by path: their own files, and those of the example repository."""

    own: Mapping[str, bytes]
    example: Mapping[str, bytes]

    @property
    def templates(self) -> Mapping[str, RepositoryTemplate]:
        """The templates by name."""
        return convert(tomllib.loads(self.own[INDEX].decode()), dict[str, RepositoryTemplate])

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms for which there are files."""
        return tuple(sorted({path.split("/")[1] for path in self.own if path.startswith(f"{OF_PLATFORMS}/")}))

    def find_obeyed(self, wanted: NewRepository) -> str:
        """The name of the resource that a host takes its own settings from."""
        return self.templates[wanted.template].obeyed.replace(STAND_IN, wanted.name)

    def below(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """The files in a folder, by their paths from there."""
        return ((path[len(folder) + 1 :], data) for path, data in self.own.items() if path.startswith(f"{folder}/"))

    def of_example(self, folders: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        """The files in some folders of the example."""
        return ((path, data) for path, data in self.example.items() if path.split("/")[0] in folders)


def fit_name(words: str) -> str:
    """The name of a desk from any words, such as those of a folder."""
    return _UNFIT.sub("-", words.lower())[:63].strip("-.") or "desk"


def check_name(name: str) -> str:
    """The name of a desk. Raises `UsageError` where no resource can be called so."""
    if not _NAME.fullmatch(name):
        hint = f"lower-case letters, digits, hyphens and dots, such as {fit_name(name)}"
        raise UsageError(f"{name!r} cannot be the name of a desk", hint=hint)
    return name


def scaffold_repository(
    files: TemplateFiles, wanted: NewRepository, schemas: Mapping[str, bytes], kinds: Kinds, new_id: Callable[[], str]
) -> dict[str, bytes]:
    """Every file by its path: the template's, those of the platforms, and the editors' schemas.

    `new_id` gives a UUID that nobody else has.
    """
    template = files.templates[wanted.template]
    ids: dict[bytes, bytes] = {}
    new: dict[str, bytes] = {f"{EDITOR_FOLDER}/{name}": data for name, data in schemas.items()}
    new |= dict(files.below(COMMON))
    for platform in wanted.platforms:
        new |= dict(files.below(f"{OF_PLATFORMS}/{platform}"))
    for path, data in files.of_example(template.example):
        new[path] = _renew(path, data, ids, new_id)
    for path, data in files.below(wanted.template):
        named = data.replace(STAND_IN.encode(), wanted.name.encode())
        new[path.replace(STAND_IN, wanted.name)] = _renew(path, named, ids, new_id)
    return dict(sorted({**new, **(_make_samples(kinds, new_id) if template.samples else {})}.items()))


def _renew(path: str, data: bytes, ids: dict[bytes, bytes], new_id: Callable[[], str]) -> bytes:
    """A file with each id replaced by one that nobody has; what was the same id before is the same again."""
    if path.startswith(_RULES):
        return data
    return _UUID.sub(lambda found: ids.setdefault(found[0], new_id().encode()), data)


def _make_samples(kinds: Kinds, new_id: Callable[[], str]) -> dict[str, bytes]:
    """An example of each kind."""
    made = {}
    for kind in kinds:
        name = f"example-{kind.name.lower()}"
        path = f"{usual_folder(kind, {}, '')}/{resource_file(name)}"
        schema = path_between(f"{EDITOR_FOLDER}/{schema_file(kind)}", path)
        made[path] = build_template(kind, build_samples(kind, name, new_id()), schema).encode()
    return made
