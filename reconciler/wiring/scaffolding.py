"""What writes new files into a working tree. Apart from `checkout`, so that `validate` starts without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.bundled import load_bundled_schemas, load_editor_schemas, load_scaffold_templates
from reconciler.adapters.files import Folder
from reconciler.reconcile.rules import Role
from reconciler.service.scaffolding import BundledFiles, load_scaffold
from reconciler.wiring.checkout import open_checkout

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.service.scaffolding import Scaffold
    from reconciler.settings import Settings


def open_scaffold(settings: Settings, roles: Collection[Role] = tuple(Role)) -> tuple[Scaffold, Folder]:
    """The working tree that the settings name, to write new files into."""
    checkout = open_checkout(settings.repository, settings.path)
    folder = Folder(checkout.root)
    return load_scaffold(checkout, bundled_files(), folder.exists, roles), folder


def bundled_files() -> BundledFiles:
    """The files that come with the program."""
    return BundledFiles(load_bundled_schemas(), load_editor_schemas(), load_scaffold_templates())
