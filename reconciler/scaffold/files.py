"""New files of resources for one config repository. Nothing is written here.

Paths are from the repository's root, with `/`.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.decode.document import decode
from reconciler.errors import UsageError
from reconciler.model.change import Key
from reconciler.scaffold.sample import build_samples
from reconciler.scaffold.template import build_template, find_line
from reconciler.scaffold.yamltext import write_document
from reconciler.validate.placeholders import find_placeholders
from reconciler.validate.validator import Validator
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import FileEntry
    from reconciler.model.problem import Problem


_UNFIT = re.compile(r"[^\w.-]")

API_VERSION = "reconciler/v1"
EDITOR_FOLDER = ".reconciler/schemas"
"""The folder of the schemas that editors read: hidden, because they are copies."""


def schema_file(kind: Kind) -> str:
    return f"{kind.name.lower()}.schema.json"


def usual_folder(kind: Kind, entries: Mapping[str, FileEntry], base: str) -> str:
    """The folder where most resources of a kind stand, of several the first; without any, the kind's plural."""
    counts = Counter(
        path.rpartition("/")[0]
        for path, entry in sorted(entries.items())
        for resource in entry.resources
        if resource.kind == kind.name
    )
    return counts.most_common(1)[0][0] if counts else join_path(base, f"{kind.name.lower()}s")


def resource_file(name: str) -> str:
    """The file name of a resource: its name without characters that leave the folder or that some systems refuse."""
    return f"{_UNFIT.sub('-', name)}.yaml"


def join_path(folder: str, path: str) -> str:
    """A path inside a folder, which is empty for the root."""
    return f"{folder}/{path}" if folder else path


def path_between(target: str, file: str) -> str:
    """The path of a file relative to another file: `../schemas/x.schema.json`."""
    to, at = target.split("/"), file.split("/")[:-1]
    while to[:-1] and at and to[0] == at[0]:
        to, at = to[1:], at[1:]
    return "/".join([*[".."] * len(at), *to])


NAME = "/metadata/name"


class NewFile(Struct, frozen=True):
    """A file that could be written. `problems` is what no value was found for, `placeholders` what has one for now.

    `schema` is the file that its first line names for editors, `schema_exists` whether it is there.
    """

    path: str
    text: str
    problems: tuple[Problem, ...]
    placeholders: tuple[Problem, ...]
    schema: str
    schema_exists: bool


class NewFiles(Struct, frozen=True):
    """What has to be known of a repository to write for it.

    `base` is the folder where the configuration begins, empty for the root. `problems` are those of the repository's
    own kinds. `counts` says whether a path would be part of the configuration, `exists` whether there is a file.
    """

    base: str
    kinds: Kinds
    own: frozenset[str]
    problems: tuple[Problem, ...]
    entries: Mapping[str, FileEntry]
    counts: Callable[[str], bool]
    exists: Callable[[str], bool]

    def find_kind(self, name: str) -> Kind:
        """The kind with this name, in any form. Raises `UsageError` with the nearest one when there is none."""
        kind = self.kinds.find(name)
        if kind is None:
            raise UsageError(
                f"there is no kind {name}", hint=suggest(name, [known.name.lower() for known in self.kinds])
            )
        return kind

    def origin(self, kind: Kind) -> str:
        """Where a kind is from: `shipped`, or its file in the repository."""
        return kind.origin if kind.name in self.own else "shipped"

    def draft_resource(self, kind: Kind, name: str, row_id: str, path: str | None = None) -> NewFile:
        """A file with one new resource. Raises `UsageError` for an impossible or taken name, and for a wrong path."""
        name = name.encode(errors="backslashreplace").decode()  # a command line may hold what no text can
        self._refuse_twin(Key(kind.name, name))
        path = path or join_path(usual_folder(kind, self.entries, self.base), resource_file(name))
        schema, schema_exists = self._schema(kind)
        text, entry = self._fill(kind, name, row_id, path, path_between(schema, path))
        for problem in entry.problems:
            if problem.pointer == NAME or entry.unreadable:
                raise UsageError(f"[{problem.code}] {NAME}: {problem.message}", hint=problem.hint)
        if not self.counts(path):
            hint = "name a *.yaml or *.yml file below the configuration's folder, not in a hidden one"
            raise UsageError(f"{path} would not be part of the configuration", hint=hint)
        placeholders = find_placeholders(path, decode(path, text.encode()), self.kinds)
        return NewFile(path, text, entry.problems, placeholders, schema, schema_exists)

    def write_resource(self, kind: Kind, name: str, spec: Mapping[str, Value]) -> tuple[str, str]:
        """The path and text of a resource whose values are known."""
        path = join_path(usual_folder(kind, self.entries, self.base), resource_file(name))
        schema, _ = self._schema(kind)
        metadata: dict[str, Value] = {"name": name}
        document: dict[str, Value] = {
            "apiVersion": API_VERSION,
            "kind": kind.name,
            "metadata": metadata,
            "spec": {**spec},
        }
        return path, write_document(document, f"yaml-language-server: $schema={path_between(schema, path)}")

    def _fill(self, kind: Kind, name: str, row_id: str, path: str, schema: str) -> tuple[str, FileEntry]:
        """The text, in which what no value could be found for is marked, and what is wrong with it still."""
        samples = build_samples(kind, name, row_id)
        validator = Validator(self.kinds)
        unknown: set[str] = set()
        while True:
            text = build_template(kind, samples, schema, unknown)
            entry = validator.check(path, decode(path, text.encode()))
            wrong = {find_line(samples, problem.pointer) for problem in entry.problems} - {"", NAME}
            if wrong <= unknown:
                return text, entry
            unknown |= wrong

    def _refuse_twin(self, key: Key) -> None:
        for path, entry in self.entries.items():
            declared = [(resource.key, resource.line) for resource in entry.resources]
            declared += [(resource.key, resource.line) for resource in entry.identified]
            for declared_key, line in declared:
                if declared_key == key:
                    message = f"{key.kind} {key.name} is declared already: {path}:{line}"
                    raise UsageError(message, hint="choose another name, or edit that file")

    def _schema(self, kind: Kind) -> tuple[str, bool]:
        exported = join_path(self.base, f"{EDITOR_FOLDER}/{schema_file(kind)}")
        if self.exists(exported):
            return exported, True
        return (kind.origin, True) if kind.name in self.own else (exported, False)
