"""What comes with the program: its schemas and the example repository, from a wheel or from a checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.errors import BugError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE = Path(__file__).resolve().parent.parent
_FOLDERS = (_PACKAGE / "_data", _PACKAGE.parent)
"""A wheel carries the folders inside the package; in a checkout they stand beside it."""

DATA = ("schemas", "config-repo-example", "scaffold")

_SUFFIX = ".schema.json"
_KIND_MARK = "x-reconciler"
_OF_FILES = ("reconciler-toml", "repository")
"""The schemas of a host's settings and of `reconciler.yaml`."""


def load_bundled_schemas() -> Mapping[str, bytes]:
    """The schema files of the shipped kinds, by a path that messages can name (`schemas/NAME.schema.json`)."""
    texts = {f"schemas/{file.name}": file.read_bytes() for file in sorted(_find_folder("schemas").glob(f"*{_SUFFIX}"))}
    return {path: text for path, text in texts.items() if _KIND_MARK in json.loads(text)}


def load_schema(name: str) -> dict[str, Any]:
    """A shipped JSON Schema by the first part of its file name, such as `kind` or `session_state`."""
    file = _find_folder("schemas") / f"{name}{_SUFFIX}"
    try:
        schema = json.loads(file.read_bytes())
    except OSError as error:
        raise BugError(f"the schema {name} does not come with this program") from error
    assert isinstance(schema, dict)
    return schema


def find_example_repository() -> Path:
    """The folder of the example configuration repository, to be copied and never written to."""
    return _find_folder("config-repo-example")


def load_example_schemas() -> Mapping[str, bytes]:
    """The schemas of the example repository's own kinds, by file name: shipped kinds refer to them."""
    folder = find_example_repository() / "schemas"
    return {file.name: file.read_bytes() for file in sorted(folder.glob(f"*{_SUFFIX}"))}


def load_editor_schemas() -> Mapping[str, bytes]:
    """The schemas of files that hold no resources, such as `reconciler.yaml`, by file name: for editors."""
    files = [_find_folder("schemas") / f"{name}{_SUFFIX}" for name in _OF_FILES]
    return {file.name: file.read_bytes() for file in files}


def load_scaffold_templates() -> Mapping[str, bytes]:
    """What new config repositories are made of, by path."""
    return _read_all(_find_folder("scaffold"))


def load_example_files() -> Mapping[str, bytes]:
    """The files of the example configuration repository, by path."""
    return _read_all(find_example_repository())


def data_folders() -> Mapping[str, Path]:
    """The folders that a wheel carries inside the package, by the names they have there."""
    return {name: _find_folder(name) for name in DATA}


def _read_all(folder: Path) -> dict[str, bytes]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def _find_folder(name: str) -> Path:
    for place in _FOLDERS:
        if (place / name).is_dir():
            return place / name
    raise BugError(f"this installation lacks its folder {name}", hint="install the program again")
