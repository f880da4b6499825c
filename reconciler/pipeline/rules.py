"""What a tree says about itself: `reconciler.yaml`, the schemas of its own kinds, its policies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rpds import HashTrieMap

from reconciler.decode.document import decode
from reconciler.model.commit import EntryType, FileChange
from reconciler.model.problem import Severity
from reconciler.pipeline.kindset import read_kinds
from reconciler.pipeline.layout import Layout, Role
from reconciler.pipeline.reading import not_a_file
from reconciler.validate.repository import read_repository

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import RepositorySpec
    from reconciler.model.problem import Problem
    from reconciler.pipeline.kindset import Shipped
    from reconciler.ports import Source

    Kindset = tuple[Kinds, tuple[Problem, ...]]

    Files = HashTrieMap[str, FileChange]


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
