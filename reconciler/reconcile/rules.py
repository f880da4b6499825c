"""The rules of a tree: which files count (`reconciler.yaml`), the schemas of its own kinds, its policies."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from rpds import HashTrieMap

from reconciler.decode.document import decode
from reconciler.errors import NeedsHuman
from reconciler.kinds.build import build_kind
from reconciler.kinds.check import MetaSchema
from reconciler.kinds.kind import Kinds
from reconciler.kinds.load import load_kinds
from reconciler.model.commit import EntryType, FileChange, NotContent
from reconciler.model.keptrules import KeptRules, OfferedRules, RuleFile, rules_id
from reconciler.model.problem import Problem, Severity
from reconciler.model.spec import POLICY_SUFFIX, RESOURCE_SUFFIXES, SCHEMA_SUFFIX, RepositorySpec
from reconciler.reconcile.faults import Answer, call_here, cannot_judge, is_commit_fault
from reconciler.reconcile.read import name_file, not_a_file_problem
from reconciler.validate.filepatterns import FilePatterns
from reconciler.validate.validator import read_repository
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from reconciler.gitports import Trees
    from reconciler.reconcile.faults import FaultFinder

    KindsAndProblems = tuple[Kinds, tuple[Problem, ...]]

    Files = HashTrieMap[str, FileChange]


REMEMBERED_RULES = 8
"""Commits whose rules are remembered."""
MAX_BYTES_HERE = 1 << 20
"""Bytes of all schemas that this process loads itself. The bundled ones have some 40,000."""
SETTINGS_FILE = "reconciler.yaml"
MEASURES = "measures"
"""The folder of the measures, in that of the policies."""


class Role(Enum):
    """What a file is for."""

    RESOURCES = "resources"
    SCHEMA = "schema"
    POLICY = "policy"
    MEASURE = "measure"
    SETTINGS = "settings"


@dataclass(frozen=True)
class Layout:
    """The layout of a config repository: where it begins (`folder`, empty for the root), and what its settings say."""

    folder: str = ""
    spec: RepositorySpec = field(default_factory=RepositorySpec)

    @property
    def settings_file(self) -> str:
        """The path of `reconciler.yaml`, whether or not it is there."""
        return self._path_to(SETTINGS_FILE)

    @property
    def schemas_folder(self) -> str:
        """The folder of the repository's own kinds, from the root."""
        return self._path_to(self.spec.schemas)

    @property
    def policies_folder(self) -> str:
        """The folder of the repository's policies, from the root. Deeper folders in it are their tests."""
        return self._path_to(self.spec.policies)

    @property
    def measures_folder(self) -> str:
        """The folder of the repository's measures, from the root."""
        return f"{self.policies_folder}/{MEASURES}"

    def role(self, path: str, entry_type: NotContent = EntryType.FILE) -> Role | None:
        """What the file at a path is for; None for one that does not count, such as all in hidden folders.

        A link or a submodule also has the role of the files that could be below it if it were a folder, such as
        policies.
        Works on the text, as it is called for every file of a repository.
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
        if inside.endswith(POLICY_SUFFIX) and inside.rpartition("/")[0] == f"{self.spec.policies}/{MEASURES}":
            return Role.MEASURE
        return None if entry_type is EntryType.FILE else self._role_of_folder(inside)

    def _role_of_yaml(self, inside: str) -> Role | None:
        if inside == SETTINGS_FILE:
            return Role.SETTINGS
        if inside.startswith(f"{self.spec.policies}/") or not self._is_selected(inside):
            return None
        return Role.RESOURCES

    def _role_of_folder(self, inside: str) -> Role | None:
        """The role of the files in a folder of this path: schemas, policies or resources."""
        for folder, role in ((self.spec.schemas, Role.SCHEMA), (self.spec.policies, Role.POLICY)):
            if f"{folder}/".startswith(f"{inside}/"):
                return role
        holds = any(self._role_of_yaml(f"{inside}/_{suffix}") is not None for suffix in RESOURCE_SUFFIXES)
        return Role.RESOURCES if holds else None

    def _is_selected(self, inside: str) -> bool:
        if self.spec.include and not self._include.match(inside):
            return False
        return not self.spec.exclude or not self._exclude.match(inside)

    @cached_property
    def _include(self) -> FilePatterns:
        return FilePatterns(self.spec.include)

    @cached_property
    def _exclude(self) -> FilePatterns:
        return FilePatterns(self.spec.exclude)

    def _path_to(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name


class BundledSchemas(Struct, frozen=True):
    """What the program brings: its kinds, the meta-schema of kinds, and the schema of `reconciler.yaml`."""

    kinds: Kinds
    meta: MetaSchema
    repository: Mapping[str, Any]


def read_kinds(
    files: Mapping[str, bytes], bundled: BundledSchemas, faults: FaultFinder
) -> tuple[Kinds, tuple[Problem, ...]]:
    """The bundled kinds and those of some schema files (JSON, which is YAML), and what is wrong with the files.

    When loading them fails, a fresh process loads them: if that fails as well, it is a problem of the files at fault.
    Large ones are loaded there from the first.
    """
    known = faults.known.by_subject
    found = (
        {path: known[subject] for path, subject in _name_schemas(files, bundled) if subject in known} if known else {}
    )
    if found:
        return bundled.kinds, _name_faults(found)
    if sum(map(len, files.values())) > MAX_BYTES_HERE:
        answer = faults.call_apart(_load_each, dict(files), bundled)
    else:
        try:
            return _load_kinds(files, bundled)
        except BaseException as error:
            if not is_commit_fault(error):
                raise
        answer = faults.try_again(_load_each, dict(files), bundled)
    if not answer.fault and not isinstance(answer.value, dict):
        loaded: tuple[Kinds, tuple[Problem, ...]] = answer.value
        return loaded
    answers: dict[str, Answer] = dict.fromkeys(files, answer) if answer.fault else answer.value
    for path, one in answers.items():
        faults.log_fault(path, one)
    faults.known.learn(
        {subject: answers[path].fault for path, subject in _name_schemas(files, bundled) if path in answers}
    )
    return bundled.kinds, _name_faults({path: one.fault for path, one in answers.items()})


def _name_schemas(files: Mapping[str, bytes], bundled: BundledSchemas) -> Iterator[tuple[str, str]]:
    """What the faults of schema files are known by: whether one can be loaded depends on the others."""
    together = "".join(f"{path} {hashlib.sha256(data).hexdigest()}\n" for path, data in sorted(files.items())).encode()
    return ((path, name_file(bundled.kinds, path, together)) for path in files)


def _name_faults(faults: Mapping[str, str]) -> tuple[Problem, ...]:
    return tuple(cannot_judge(path, fault) for path, fault in sorted(faults.items()))


def _load_kinds(files: Mapping[str, bytes], bundled: BundledSchemas) -> tuple[Kinds, tuple[Problem, ...]]:
    decoded = {path: decode(path, data) for path, data in files.items()}
    return load_kinds(decoded, bundled.meta, bundled.kinds)


def _load_each(
    files: Mapping[str, bytes], bundled: BundledSchemas
) -> tuple[Kinds, tuple[Problem, ...]] | dict[str, Answer]:
    """The kinds of all files; when that fails, why, by the files that fail alone, or by all. For a fresh process."""
    together = call_here(_load_kinds, files, bundled)
    if not together.fault:
        loaded: tuple[Kinds, tuple[Problem, ...]] = together.value
        return loaded
    alone = {path: call_here(_load_kinds, {path: data}, bundled) for path, data in files.items()}
    failed = {path: answer for path, answer in alone.items() if answer.fault}
    return failed or dict.fromkeys(files, together)


def load_bundled(files: Mapping[str, bytes], meta: Mapping[str, Any], repository: Mapping[str, Any]) -> BundledSchemas:
    """Build the kinds that the program brings. They are not looked through as others are: a test does that."""
    kinds = (build_kind(json.loads(text), path) for path, text in files.items())
    return BundledSchemas(Kinds(tuple(sorted(kinds, key=lambda kind: kind.name))), MetaSchema(meta), repository)


class Rules(Struct, frozen=True):
    """The rules of one tree: its layout, and the files of its schemas, policies and measures by path.

    While `reconciler.yaml` cannot be read, `layout` is that of the previous tree, and `problems` say why.
    """

    layout: Layout
    problems: tuple[Problem, ...] = ()
    schemas: Files = HashTrieMap()
    policies: Files = HashTrieMap()
    measures: Files = HashTrieMap()

    @property
    def spec(self) -> RepositorySpec:
        """The settings in force."""
        return self.layout.spec


class RuleReader:
    """Reads the rules of one repository's trees, with a cache of kinds. What fails is read once more."""

    def __init__(self, source: Trees, folder: str, bundled: BundledSchemas, faults: FaultFinder) -> None:
        self.folder = folder
        self._faults = faults
        self._source = source
        self._bundled = bundled
        self._kinds_by_schemas: dict[frozenset[FileChange], KindsAndProblems] = {}
        self._rules_by_commit: dict[str, Rules] = {}

    def forget_faults(self) -> None:
        """Load again what could not be loaded."""
        self._kinds_by_schemas.clear()

    def default_rules(self) -> Rules:
        """The rules before any commit."""
        return Rules(Layout(self.folder))

    def read_rules(self, commit: str) -> Rules:
        """The rules of a commit's tree."""
        return self._rules_by_commit.get(commit) or self._read_rules(commit)

    def find_rules(self, commit: str) -> Rules:
        """The rules of an applied commit; the defaults when git no longer has it because the history was rewritten."""
        try:
            return self._read_rules(commit)
        except NeedsHuman:
            return self.default_rules()

    def _read_rules(self, commit: str) -> Rules:
        defaults = self.default_rules()
        settings = self._source.files(commit, [defaults.layout.settings_file])
        return self._remember(commit, self._with_files(self._with_layout(defaults, settings), commit))

    def update_rules(self, rules: Rules, commit: str, changes: Iterable[FileChange]) -> Rules:
        """The rules of a commit's tree, from those of a tree that differs from it by `changes`."""
        settings = [change for change in changes if change.path == rules.layout.settings_file]
        configured = self._with_layout(rules, settings) if settings else rules
        if configured.layout != rules.layout:
            return self._remember(commit, self._with_files(configured, commit))
        few = [change for change in changes if _may_be_rule(rules, change)]
        schemas = _update_files(rules.schemas, few, rules.layout, Role.SCHEMA)
        policies = _update_files(rules.policies, few, rules.layout, Role.POLICY)
        measures = _update_files(rules.measures, few, rules.layout, Role.MEASURE)
        return self._remember(commit, replace(configured, schemas=schemas, policies=policies, measures=measures))

    def resource_changes(
        self, old: Rules, new: Rules, commit: str, changes: Iterable[FileChange]
    ) -> dict[str, FileChange]:
        """The files of resources that differ between two trees, by path; `commit` is the one with the new rules.

        Where the layout changed, files come and go without a change of their contents.
        """
        files: dict[str, FileChange] = {}
        if old.layout != new.layout:
            for file in self._source.changes(None, commit):
                was, now = (layout.role(file.path, file.type) is Role.RESOURCES for layout in (old.layout, new.layout))
                if was != now:
                    files[file.path] = file if now else FileChange(file.path, None)
        for change in changes:
            if new.layout.role(change.path, change.type) is Role.RESOURCES:
                files[change.path] = change
            elif old.layout.role(change.path, change.old_type) is Role.RESOURCES:
                files[change.path] = FileChange(change.path, None)
        return files

    def kinds_of(self, rules: Rules) -> KindsAndProblems:
        """The kinds in force under some rules, and what is wrong with the schemas."""
        version = frozenset(rules.schemas.values())
        if version not in self._kinds_by_schemas:
            texts, not_files = self.read_texts(rules.schemas.values())
            kinds, problems = read_kinds(texts, self._bundled, self._faults)
            self._kinds_by_schemas[version] = kinds, (*not_files, *problems)
        return self._kinds_by_schemas[version]

    def read_texts(self, files: Iterable[FileChange]) -> tuple[dict[str, bytes], tuple[Problem, ...]]:
        """The contents of regular files by path, and an error for each other entry: no rule may be ignored silently."""
        blobs = {file.path: file.blob for file in files if file.blob is not None and file.type is EntryType.FILE}
        others = [file for file in files if file.type is not EntryType.FILE]
        contents = (data for _, data in self._source.blobs(blobs.values()))
        problems = tuple(not_a_file_problem(file.path, file.type, Severity.ERROR) for file in others)
        return dict(zip(blobs, contents, strict=True)), problems

    def offer_rules(self, rules: Rules, commit: str) -> OfferedRules:
        """The rules of a commit, to be kept where they are not kept yet."""
        files = [*rules.schemas.values(), *rules.policies.values(), *rules.measures.values()]
        found = rules_id(rules.spec, {file.path: file.blob or "" for file in files})

        def read() -> KeptRules:
            blobs = {
                file.path: file.blob
                for file in (*files, *self._source.files(commit, [rules.layout.settings_file]))
                if file.blob is not None and file.type is EntryType.FILE
            }
            contents = (data for _, data in self._source.blobs(blobs.values()))
            kept = (RuleFile(path, blob, data) for (path, blob), data in zip(blobs.items(), contents, strict=True))
            return KeptRules(found, rules.spec, tuple(kept))

        return OfferedRules(found, read)

    def read_files(self, commit: str, paths: Collection[str]) -> dict[str, bytes]:
        """The contents, by path, of those files that a commit's tree has."""
        return self.read_texts(self._source.files(commit, paths))[0]

    def _remember(self, commit: str, rules: Rules) -> Rules:
        """The rules of a commit are asked for again when the next one comes, which is judged by them, too.

        Those with problems hang on what was before.
        """
        if not rules.problems:
            if len(self._rules_by_commit) >= REMEMBERED_RULES:
                del self._rules_by_commit[next(iter(self._rules_by_commit))]
            self._rules_by_commit[commit] = rules
        return rules

    def _with_layout(self, rules: Rules, settings: Iterable[FileChange]) -> Rules:
        """The rules with the layout that the settings file asks for, if it is there."""
        texts, not_files = self.read_texts([file for file in settings if file.blob is not None])
        if not_files:
            return replace(rules, problems=not_files)
        for path, data in texts.items():
            spec, problems = read_repository(path, decode(path, data), self._bundled.repository)
            return replace(rules, layout=rules.layout if spec is None else Layout(self.folder, spec), problems=problems)
        return replace(rules, layout=Layout(self.folder), problems=())

    def _with_files(self, rules: Rules, commit: str) -> Rules:
        """The rules with the schemas, policies and measures in their folders."""
        layout = rules.layout
        no_files: Files = HashTrieMap()
        folders = (layout.schemas_folder, layout.policies_folder, layout.measures_folder)
        links = self._source.files(commit, {path for folder in folders for path in _ancestors(folder)})
        schemas, policies, measures = ((*links, *self._source.listing(commit, folder)) for folder in folders)
        return replace(
            rules,
            schemas=_update_files(no_files, schemas, layout, Role.SCHEMA),
            policies=_update_files(no_files, policies, layout, Role.POLICY),
            measures=_update_files(no_files, measures, layout, Role.MEASURE),
        )


def rules_of(kept: KeptRules, folder: str) -> Rules:
    """The rules that a store keeps of a tree."""
    layout, files = Layout(folder, kept.spec), [FileChange(file.path, file.blob) for file in kept.files]
    no_files: Files = HashTrieMap()
    schemas, policies, measures = (
        _update_files(no_files, files, layout, role) for role in (Role.SCHEMA, Role.POLICY, Role.MEASURE)
    )
    return Rules(layout, schemas=schemas, policies=policies, measures=measures)


def _ancestors(folder: str) -> Iterator[str]:
    """The folder, and those that it is in."""
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def _may_be_rule(rules: Rules, change: FileChange) -> bool:
    """Whether a file is none of resources, or was none: of a hundred thousand, that is asked once each."""
    if rules.layout.role(change.path, change.type) is not Role.RESOURCES:
        return True
    return any(change.path in files for files in (rules.schemas, rules.policies, rules.measures))


def _update_files(files: Files, changes: Iterable[FileChange], layout: Layout, role: Role) -> Files:
    """The files of a role, and what stands in place of their folder and is none."""
    for change in changes:
        if change.blob is not None and layout.role(change.path, change.type) is role:
            files = files.insert(change.path, change)
        elif change.path in files:
            files = files.discard(change.path)
    return files
