"""What writes new files into a working tree. Apart from `checkout`, so that `validate` starts without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.bundled import (
    load_bundled_schemas,
    load_editor_schemas,
    load_example_files,
    load_scaffold_templates,
)
from reconciler.adapters.files import Folder, replace_content, write_new
from reconciler.adapters.samplefile import read_sample
from reconciler.errors import UsageError
from reconciler.reconcile.rules import Role
from reconciler.scaffold.repository import TemplateFiles
from reconciler.service.scaffolding import BundledFiles, draft_kind, load_scaffold
from reconciler.wiring.checkout import open_checkout

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from reconciler.service.scaffolding import NewKindFiles, Scaffold
    from reconciler.settings import Settings


def open_scaffold(settings: Settings, roles: Collection[Role] = tuple(Role)) -> tuple[Scaffold, Folder]:
    """The working tree that the settings name, to write new files into."""
    checkout = open_checkout(settings.repository, settings.path)
    folder = Folder(checkout.root)
    return load_scaffold(checkout, bundled_files(), folder.exists, roles), folder


def bundled_files() -> BundledFiles:
    """The files that come with the program."""
    return BundledFiles(
        load_bundled_schemas(), load_editor_schemas(), TemplateFiles(load_scaffold_templates(), load_example_files())
    )


def make_kind(settings: Settings, word: str, file: Path, new_id: Callable[[], str]) -> tuple[NewKindFiles, Path]:
    """Write the schema and the first resource of a new kind, unless something is wrong; and the tree's root."""
    checkout = open_checkout(settings.repository, settings.path)
    sample = read_sample(file)
    whole = file.resolve()
    path = whole.relative_to(checkout.root).as_posix() if whole.is_relative_to(checkout.root) else file.name
    drafted = draft_kind(checkout, word, path, sample, new_id)
    if drafted.problems:
        return drafted, checkout.root
    folder = Folder(checkout.root)
    new = {path: text for path, text in drafted.files.items() if path != drafted.replaced}
    for path in new:
        if folder.exists(path):
            raise UsageError(f"{checkout.root / path} exists already", hint="choose another name for the kind")
    write_new(checkout.root, new)
    if drafted.replaced:
        replace_content(checkout.root / drafted.replaced, drafted.files[drafted.replaced].encode())
    return drafted, checkout.root
