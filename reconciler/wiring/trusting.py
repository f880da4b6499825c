"""Which settings file counts for a command that judges. Apart from `checkout`: `plan` has to know before it judges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.adapters.worktree import find_root, holds_files, is_root, trace_path
from reconciler.model.spec import POLICY_SUFFIX, RESOURCE_SUFFIXES, SCHEMA_SUFFIX
from reconciler.service.paths import start_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.settings import Settings


def is_brought(file: Path, settings: Settings, paths: Sequence[Path] = ()) -> bool:
    """Whether a change to what is judged may bring a settings file that was found here, or what it is a link to.

    `settings` are those without the file, `paths` what is named to be judged. In a repository, a change may bring any
    file; in a folder that is none, all that lies where something is judged.
    """
    places = trace_path(file)
    if any(map(is_root, places)):
        return True
    if settings.origin.url is not None:
        return False
    judged = find_root(start_folder(paths, settings.repository, may_be_gone=True))
    if is_root(judged):
        return False
    folders = {judged.resolve(), file.parent.resolve()} if settings.repository == Path() else {judged.resolve()}
    return any(folder in places and holds_files(folder, _is_judged) for folder in folders)


def _is_judged(name: str) -> bool:
    return name.endswith((*RESOURCE_SUFFIXES, SCHEMA_SUFFIX, POLICY_SUFFIX))
