"""What a tree says about itself: which files count (`reconciler.yaml`), the schemas of its own kinds, its policies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from rpds import HashTrieMap

from reconciler.decode.document import decode
from reconciler.kinds.build import build_kind
from reconciler.kinds.kind import Kinds
from reconciler.kinds.load import load_kinds
from reconciler.kinds.narrowing import narrowings
from reconciler.model.commit import EntryType, FileChange, RepositorySpec
from reconciler.model.problem import NOT_LOCATED, Problem, Severity
from reconciler.reconcile.read import not_a_file
from reconciler.validate.repository import read_repository

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pathspec import GitIgnoreSpec

    from reconciler.ports import Source

    Kindset = tuple[Kinds, tuple[Problem, ...]]

    Files = HashTrieMap[str, FileChange]


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


@dataclass(frozen=True, slots=True)
class Shipped:
    """What comes with the program: its kinds, the meta-schema of every kind's schema, and that of `reconciler.yaml`."""

    kinds: Kinds
    meta: Mapping[str, Any]
    repository: Mapping[str, Any]


def read_kinds(files: Mapping[str, bytes], shipped: Shipped) -> tuple[Kinds, tuple[Problem, ...]]:
    """The shipped kinds and those of some schema files (JSON, which is YAML), and what is wrong with the files."""
    decoded = {path: decode(path, data) for path, data in files.items()}
    return load_kinds(decoded, shipped.meta, shipped.kinds)


def read_shipped(files: Mapping[str, bytes], meta: Mapping[str, Any], repository: Mapping[str, Any]) -> Shipped:
    """The kinds that come with the program, which are right."""
    kinds, problems = load_kinds({path: decode(path, data) for path, data in files.items()}, meta)
    assert not problems, problems
    return Shipped(kinds, meta, repository)


def stored_kinds(schemas: Mapping[str, Mapping[str, Any]]) -> Kinds:
    """The kinds that a store's tables were made from, by name."""
    return _built(_Schemas(schemas))


@lru_cache(maxsize=4)
def _built(made_from: _Schemas) -> Kinds:
    return Kinds(tuple(build_kind(made_from.schemas[name], "") for name in sorted(made_from.schemas)))


@dataclass(frozen=True, slots=True)
class _Schemas:
    """Schemas that are the same when all of them are."""

    schemas: Mapping[str, Mapping[str, Any]]

    def __hash__(self) -> int:
        return hash(tuple(self.schemas))


def migration_problems(old: Kinds, new: Kinds) -> tuple[Problem, ...]:
    """Why rows made under the old kinds could not stand under the new ones."""
    problems: list[Problem] = []
    for kind in old:
        successor = new.by_name.get(kind.name)
        if successor is None:
            problems.append(
                Problem(
                    path=kind.origin,
                    line=1,
                    column=1,
                    code="schema-narrowed",
                    pointer="",
                    message=f"the schema of {kind.name} is gone, but its table and history still need it",
                    hint="put the file back; to stop using the kind, delete its resources instead",
                )
            )
            continue
        problems.extend(
            Problem(successor.origin, 1, NOT_LOCATED, "schema-narrowed", found.pointer, found.message, found.hint)
            for found in narrowings(kind, successor)
        )
    return tuple(problems)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one tree, as far as they were read: the files of its schemas and policies, by path.

    While `reconciler.yaml` cannot be read, `layout` is that of the tree before, and `problems` say why.
    """

    layout: Layout
    problems: tuple[Problem, ...] = ()
    schemas: Files = field(default_factory=HashTrieMap)
    policies: Files = field(default_factory=HashTrieMap)

    @property
    def spec(self) -> RepositorySpec:
        """The settings in force."""
        return self.layout.spec


class RuleReader:
    """Reads the rules of one repository's trees, remembering what it read."""

    def __init__(self, source: Source, folder: str, shipped: Shipped) -> None:
        self.folder = folder
        self._source = source
        self._shipped = shipped
        self._kindsets: dict[frozenset[FileChange], Kindset] = {}

    def none(self) -> Rules:
        """The rules before any commit: the defaults."""
        return Rules(Layout(self.folder))

    def at(self, commit: str) -> Rules:
        """The rules of a commit's tree."""
        start = self.none()
        settings = self._source.files(commit, [start.layout.settings_file])
        return self._gathered(self._configured(start, settings), commit)

    def after(self, rules: Rules, commit: str, changes: Iterable[FileChange]) -> Rules:
        """The rules of the tree of a commit that differs in some paths from the one whose rules are given."""
        touched = [change for change in changes if change.path == rules.layout.settings_file]
        configured = self._configured(rules, touched) if touched else rules
        if configured.layout != rules.layout:
            return self._gathered(configured, commit)
        schemas = _updated(rules.schemas, changes, rules.layout, Role.SCHEMA)
        policies = _updated(rules.policies, changes, rules.layout, Role.POLICY)
        return replace(configured, schemas=schemas, policies=policies)

    def counting(self, old: Rules, new: Rules, commit: str, changes: Iterable[FileChange]) -> dict[str, FileChange]:
        """The files whose resources differ between two trees, as they are in the commit with the new rules.

        Where the layout changed, files come and go without having been touched.
        """
        found: dict[str, FileChange] = {}
        if old.layout != new.layout:
            for one in self._source.changes(None, commit):
                was, now = (layout.role(one.path) is Role.RESOURCES for layout in (old.layout, new.layout))
                if was != now:
                    found[one.path] = one if now else FileChange(one.path, None)
        for one in changes:
            if new.layout.role(one.path) is Role.RESOURCES:
                found[one.path] = one
            elif old.layout.role(one.path) is Role.RESOURCES:
                found[one.path] = FileChange(one.path, None)
        return found

    def kinds(self, rules: Rules) -> Kindset:
        """The kinds in force under some rules, and what is wrong with the schemas."""
        version = frozenset(rules.schemas.values())
        if version not in self._kindsets:
            texts, odd = self.texts(rules.schemas.values())
            kinds, problems = read_kinds(texts, self._shipped)
            self._kindsets[version] = kinds, (*odd, *problems)
        return self._kindsets[version]

    def texts(self, files: Iterable[FileChange]) -> tuple[dict[str, bytes], tuple[Problem, ...]]:
        """The contents of files by path, and a problem for each that is none: no rule may get lost in silence."""
        blobs = {one.path: one.blob for one in files if one.blob is not None and one.type is EntryType.FILE}
        odd = (not_a_file(one.path, one.type, Severity.ERROR) for one in files if one.type is not EntryType.FILE)
        contents = (data for _, data in self._source.blobs(blobs.values()))
        return dict(zip(blobs, contents, strict=True)), tuple(odd)

    def contents(self, commit: str, paths: Collection[str]) -> dict[str, bytes]:
        """Those of some files that a commit's tree has, with what they hold."""
        return self.texts(self._source.files(commit, paths))[0]

    def _configured(self, rules: Rules, settings: Iterable[FileChange]) -> Rules:
        """The rules with the layout that the settings file asks for, if it is there."""
        texts, odd = self.texts([one for one in settings if one.blob is not None])
        if odd:
            return replace(rules, problems=odd)
        for path, data in texts.items():
            spec, problems = read_repository(path, decode(path, data), self._shipped.repository)
            return replace(rules, layout=rules.layout if spec is None else Layout(self.folder, spec), problems=problems)
        return replace(rules, layout=Layout(self.folder), problems=())

    def _gathered(self, rules: Rules, commit: str) -> Rules:
        """The rules with the schemas and policies that stand in their folders."""
        layout = rules.layout
        nothing: Files = HashTrieMap()
        schemas = _updated(nothing, self._source.listing(commit, layout.schemas_folder), layout, Role.SCHEMA)
        policies = _updated(nothing, self._source.listing(commit, layout.policies_folder), layout, Role.POLICY)
        return replace(rules, schemas=schemas, policies=policies)


def _updated(files: Files, changes: Iterable[FileChange], layout: Layout, role: Role) -> Files:
    for change in changes:
        if layout.role(change.path) is not role:
            continue
        if change.blob is not None:
            files = files.insert(change.path, change)
        elif change.path in files:
            files = files.discard(change.path)
    return files
