"""New files of a working tree: skeletons of resources, a whole repository."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.errors import UsageError
from reconciler.kinds.check import find_draft_fault
from reconciler.reconcile.rules import Role
from reconciler.scaffold.files import NewFiles, join_path, schema_file
from reconciler.scaffold.newkind import Sample, derive_kind, kind_name, wrap_schema
from reconciler.scaffold.repository import scaffold_repository
from reconciler.service.paths import relative_path
from reconciler.words import did_you_mean, list_words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.watchtree import Watcher
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.problem import Problem
    from reconciler.reconcile.check import CheckResult
    from reconciler.scaffold.repository import NewRepository, TemplateFiles
    from reconciler.service.workingtree import Checkout

    OpenWatcher = Callable[[Path, str, Callable[[str], bool]], AbstractContextManager[Watcher]]


class BundledFiles(Struct, frozen=True):
    """Files that come with the program, by path: schemas of kinds, schemas for editors only, and templates."""

    schemas: Mapping[str, bytes]
    editor_schemas: Mapping[str, bytes]
    templates: TemplateFiles


class Scaffold(Struct, frozen=True):
    """A working tree to write new files into. `schemas` holds what its editors read, by file name."""

    author: NewFiles
    root: Path
    schemas: Mapping[str, bytes]

    def relative_path(self, path: Path) -> str:
        """A path of the command line as one from the root. Raises `UsageError` for one outside the tree."""
        return str(relative_path(self.root, path))


def load_scaffold(
    checkout: Checkout, files: BundledFiles, exists: Callable[[str], bool], roles: Collection[Role] = tuple(Role)
) -> Scaffold:
    """The scaffold of a working tree; of its files only those in some roles are read."""
    role = checkout.layout.role
    contents = checkout.read(lambda path: role(path) in roles)
    checked = checkout.check(contents)
    texts = {**files.schemas, **{path: data for path, data in contents.items() if isinstance(data, bytes)}}
    schemas = {schema_file(kind): texts[kind.origin] for kind in checked.kinds}
    author = _author(checkout, checked, exists)
    return Scaffold(author, checkout.root, {**schemas, **files.editor_schemas})


def _author(checkout: Checkout, checked: CheckResult, exists: Callable[[str], bool]) -> NewFiles:
    role = checkout.layout.role
    return NewFiles(
        base=checkout.folder,
        kinds=checked.kinds,
        own=frozenset(kind.name for kind in checked.kinds) - checkout.bundled.kinds.by_name.keys(),
        problems=checked.problems,
        entries=checked.entries,
        counts=lambda path: role(path) is Role.RESOURCES,
        exists=exists,
    )


def new_repository(
    kinds: Kinds, files: BundledFiles, wanted: NewRepository, new_id: Callable[[], str]
) -> Mapping[str, bytes]:
    """The files of a new config repository, by path; `new_id` gives the ids of its examples."""
    schemas = {schema_file(kind): files.schemas[kind.origin] for kind in kinds}
    return scaffold_repository(files.templates, wanted, {**schemas, **files.editor_schemas}, kinds, new_id)


class NewKindFiles(Struct, frozen=True):
    """The files of a new kind by their paths, the schema first; where `problems` has any, none is to be written.

    `replaced` is the path of the schema of values that became the kind's, empty where there was none. `marked` is what
    has to be filled in by hand.
    """

    files: Mapping[str, str]
    notes: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    marked: tuple[Problem, ...] = ()
    replaced: str = ""


def draft_kind(
    checkout: Checkout, word: str, path: str, sample: Sample | Mapping[str, Any], new_id: Callable[[], str]
) -> NewKindFiles:
    """The schema of a kind and its first resource, from a sample, or from a schema of values.

    `path` is where that is from the root, empty outside of it. Raises `UsageError` for a name that is none or is taken.
    """
    name = kind_name(word)
    if name is None:
        raise UsageError(
            f"{word} cannot be the name of a kind", hint="a capital letter, then up to 39 letters and digits"
        )
    files = checkout.read()
    known = checkout.check(files).kinds.find(name)
    if known is not None:
        raise UsageError(f"there is a kind {known.name} already", hint="choose another name")
    if isinstance(sample, Sample):
        made, replaced = derive_kind(name, sample), ""
    else:
        fault = find_draft_fault(sample)
        if fault:
            raise UsageError(f"{path} is no JSON Schema: {fault}", hint="mend it first")
        made = wrap_schema(name, sample, PurePosixPath(path).name)
        replaced = path if checkout.layout.role(path) is Role.SCHEMA else ""
    schema = replaced or join_path(checkout.layout.schemas_folder, f"{name.lower()}.schema.json")
    files[schema] = made.text.encode()
    checked = checkout.check(files)
    if name not in checked.kinds.by_name:
        own = tuple(problem for problem in checked.problems if problem.path == schema)
        return NewKindFiles({}, made.notes, own)
    author = _author(checkout, checked, exists=lambda path: path == schema)
    kind = checked.kinds.by_name[name]
    if not isinstance(sample, Sample):
        draft = author.draft_resource(kind, f"example-{name.lower()}", new_id())
        return NewKindFiles(
            {schema: made.text, draft.path: draft.text},
            made.notes,
            (),
            (*draft.problems, *draft.placeholders),
            replaced,
        )
    resource, text = author.write_resource(kind, made.name, {kind.key: new_id(), **made.spec})
    found = checkout.check({**files, resource: text.encode()}).problems
    wrong = tuple(problem for problem in found if problem.path == resource and problem.is_error)
    return NewKindFiles({schema: made.text, resource: text}, made.notes, wrong)


def choose_kind(kinds: Kinds, word: str, hint: str = "") -> Kind:
    """The kind of some rows. Raises `UsageError` when there is none."""
    kind = kinds.find(word)
    if kind is None:
        names = [kind.name for kind in kinds]
        message = f"there is no kind {word}{did_you_mean(word, names)}"
        raise UsageError(message, hint=f"{hint or 'choose one'}: {list_words(names)}")
    return kind
