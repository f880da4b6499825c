"""Which files of a repository count, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SCHEMA_SUFFIX = ".schema.json"
SETTINGS_FILE = "reconciler.yaml"
RESOURCE_SUFFIXES = (".yaml", ".yml")


class Role(Enum):
    """What a file is to us."""

    RESOURCES = "resources"
    SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a config repository: where it begins (`folder`, empty for the root) and where its kinds stand."""

    folder: str = ""
    schemas: str = "schemas"

    @property
    def schemas_folder(self) -> str:
        """The folder of the repository's own kinds, from the root."""
        return f"{self.folder}/{self.schemas}" if self.folder else self.schemas

    def role(self, path: str) -> Role | None:
        """What the file at a path is; None for what does not count, such as all in hidden folders.

        Works on the text: it is asked for every file of a repository.
        """
        prefix = f"{self.folder}/" if self.folder else ""
        inside = path.removeprefix(prefix)
        if not path.startswith(prefix) or inside.startswith(".") or "/." in inside:
            return None
        if inside.endswith(SCHEMA_SUFFIX) and inside.rpartition("/")[0] == self.schemas:
            return Role.SCHEMA
        return Role.RESOURCES if inside.endswith(RESOURCE_SUFFIXES) and inside != SETTINGS_FILE else None
