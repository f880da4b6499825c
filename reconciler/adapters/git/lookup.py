"""Chosen paths of one commit, found by walking only the folders that lead to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from reconciler.adapters.git import failures
from reconciler.adapters.git.trees import FOLDER, entry_type, path_text, tree_entries
from reconciler.model.commit import FileChange

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.adapters.git.plumbing import Plumbing

Wanted: TypeAlias = "dict[str, Wanted]"
"""Names that are wanted in a folder, each with what is wanted below it: nothing, for a file."""

Folder: TypeAlias = tuple[str, Wanted]
"""The path of a folder, empty or with a slash at its end, and what is wanted in it."""


def files(plumbing: Plumbing, commit: str, paths: Collection[str]) -> tuple[FileChange, ...]:
    """Those of the paths that the commit's tree has, in order; a folder is none of them."""
    asked, found = set(paths), []
    level: list[tuple[str, Folder]] = [(f"{commit}^{{tree}}", ("", _wanted(paths)))] if paths else []
    while level:
        deeper: list[tuple[str, Folder]] = []
        for (prefix, wanted), _, raw in plumbing.objects((tree, folder) for tree, folder in level):
            for name, mode, oid in tree_entries(_present(plumbing, raw, prefix or commit), len(commit) // 2):
                below, path = wanted.get(name), prefix + name
                if below and mode == FOLDER:
                    deeper.append((oid, (f"{path}/", below)))
                elif below is not None and mode != FOLDER and path in asked:
                    found.append(FileChange(path, oid, entry_type(mode)))
        level = deeper
    return tuple(sorted(found, key=_path))


def paths(plumbing: Plumbing, commit: str) -> tuple[str, ...]:
    """All paths of the commit's tree but those of its folders: a quarter of what their ids would cost as well."""
    listed = plumbing.output("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit) or ""
    found = listed.split("\0")[:-1]
    if listed.isascii() and "\\x" not in listed:
        return tuple(found)
    return tuple(path_text(path.encode("utf-8", "surrogateescape")) for path in found)


def has_folder(plumbing: Plumbing, commit: str, folder: str) -> bool:
    """Whether the commit's tree has a folder."""
    return _tree(plumbing, commit, folder) is not None


def listing(plumbing: Plumbing, commit: str, folder: str) -> tuple[FileChange, ...]:
    """What stands directly in a folder, in order, but for other folders; nothing when there is no such folder."""
    tree = _tree(plumbing, commit, folder)
    if tree is None:
        return ()
    prefix = "".join(f"{name}/" for name in folder.split("/") if name)
    entries = _entries(plumbing, commit, tree)
    changes = (FileChange(prefix + name, oid, entry_type(mode)) for name, mode, oid in entries if mode != FOLDER)
    return tuple(sorted(changes, key=_path))


def _tree(plumbing: Plumbing, commit: str, folder: str) -> str | None:
    """The name of a folder's tree object, found step by step, as a path may hold what no object name can."""
    tree = f"{commit}^{{tree}}"
    for name in filter(None, folder.split("/")):
        found = [oid for entry, mode, oid in _entries(plumbing, commit, tree) if entry == name and mode == FOLDER]
        if not found:
            return None
        tree = found[0]
    return tree


def _entries(plumbing: Plumbing, commit: str, tree: str) -> list[tuple[str, bytes, str]]:
    ((_, _, raw),) = plumbing.objects([(tree, None)])
    return list(tree_entries(_present(plumbing, raw, tree), len(commit) // 2))


def _present(plumbing: Plumbing, raw: bytes | None, name: str) -> bytes:
    if raw is None:
        raise failures.lacks(plumbing.git_dir, f"tree of {name}")
    return raw


def _wanted(paths: Collection[str]) -> Wanted:
    root: Wanted = {}
    for path in paths:
        folder = root
        for name in path.split("/"):
            folder = folder.setdefault(name, {})
    return root


def _path(change: FileChange) -> str:
    return change.path
