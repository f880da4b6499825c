"""Which files of a repository count, and as what."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from reconciler.model.commit import RepositorySpec

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

SCHEMA_SUFFIX = ".schema.json"
SETTINGS_FILE = "reconciler.yaml"
POLICY_SUFFIX = ".sql"
RESOURCE_SUFFIXES = (".yaml", ".yml")


class Role(Enum):
    """What a file is to us."""

    RESOURCES = "resources"
    SCHEMA = "schema"
    POLICY = "policy"
    SETTINGS = "settings"


@dataclass(frozen=True)
class Layout:
    """The layout of a config repository: where it begins (`folder`, empty for the root), and what its settings say."""

    folder: str = ""
    spec: RepositorySpec = field(default_factory=RepositorySpec)

    @property
    def settings_file(self) -> str:
        """The path of `reconciler.yaml`, whether or not it is there."""
        return self._below(SETTINGS_FILE)

    @property
    def schemas_folder(self) -> str:
        """The folder of the repository's own kinds, from the root."""
        return self._below(self.spec.schemas)

    @property
    def policies_folder(self) -> str:
        """The folder of the repository's policies, from the root. What stands deeper in it are their tests."""
        return self._below(self.spec.policies)

    def role(self, path: str) -> Role | None:
        """What the file at a path is; None for what does not count, such as all in hidden folders.

        Works on the text: it is asked for every file of a repository.
        """
        prefix = f"{self.folder}/" if self.folder else ""
        inside = path.removeprefix(prefix)
        if not path.startswith(prefix) or inside.startswith(".") or "/." in inside:
            return None
        if inside.endswith(RESOURCE_SUFFIXES):
            return self._role_of_yaml(inside)
        if inside.endswith(SCHEMA_SUFFIX) and inside.rpartition("/")[0] == self.spec.schemas:
            return Role.SCHEMA
        if inside.endswith(POLICY_SUFFIX) and inside.rpartition("/")[0] == self.spec.policies:
            return Role.POLICY
        return None

    def _role_of_yaml(self, inside: str) -> Role | None:
        if inside == SETTINGS_FILE:
            return Role.SETTINGS
        if inside.startswith(f"{self.spec.policies}/") or not self._selected(inside):
            return None
        return Role.RESOURCES

    def _selected(self, inside: str) -> bool:
        if self._include is not None and not self._include.match_file(inside):
            return False
        return self._exclude is None or not self._exclude.match_file(inside)

    @cached_property
    def _include(self) -> GitIgnoreSpec | None:
        return _patterns(self.spec.include)

    @cached_property
    def _exclude(self) -> GitIgnoreSpec | None:
        return _patterns(self.spec.exclude)

    def _below(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name


def _patterns(lines: tuple[str, ...]) -> GitIgnoreSpec | None:
    if not lines:
        return None
    from pathspec import GitIgnoreSpec  # most repositories have no patterns

    return GitIgnoreSpec.from_lines(lines)
