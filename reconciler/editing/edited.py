"""What becomes of an edit: the resources that it is about, the files that differ, and what is wrong then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Key
    from reconciler.model.problem import Problem


class Declared(Struct, frozen=True):
    """Where a resource is declared; one with errors has neither an id nor labels that are known."""

    key: Key
    path: str
    line: int
    id: str = ""
    labels: tuple[tuple[str, str], ...] = ()


class EditedFile(Struct, frozen=True):
    """A file as it lies on the disk, and as it is to be."""

    path: str
    before: bytes
    after: bytes


class EditedTree(Struct, frozen=True):
    """What became of an edit: the resources that it was about, the files that differ, and what is wrong then.

    `contents` are the files as git would commit them. The problems are those of the whole tree with the edit.
    """

    resources: tuple[Declared, ...]
    files: tuple[EditedFile, ...]
    contents: Mapping[str, bytes]
    problems: tuple[Problem, ...]
    kinds: Kinds

    @property
    def is_valid(self) -> bool:
        return not any(problem.is_error for problem in self.problems)
