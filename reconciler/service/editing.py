"""Editing fields of resources in the files of a working tree, checked as a whole before anything is written.

Others have values in place of what people type: they make their edits with `editing.assignments.make_edit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.decode.document import decode
from reconciler.editing.edited import Declared, EditedFile, EditedTree
from reconciler.editing.text import edit_text
from reconciler.errors import RefusedError, UsageError
from reconciler.format.format import UNREADABLE_CODES, KeyOrder
from reconciler.model.commit import EntryType
from reconciler.reconcile.check import WatchedTree
from reconciler.words import list_words, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from reconciler.editing.text import Edit
    from reconciler.kinds.kind import Kind
    from reconciler.model.commit import NotContent
    from reconciler.reconcile.check import CheckResult
    from reconciler.service.workingtree import Checkout

    Labels = Mapping[str, str]
    Choose = Callable[[CheckResult], Mapping[Declared, Sequence[Edit]]]

MAX_PLACES = 5
"""Places of a name that a message tells."""


def edit_tree(checkout: Checkout, choose: Choose) -> EditedTree:
    """Edit the resources of a working tree that somebody chooses, who sees what it declares and what is wrong with it.

    Nothing is written. Raises `RefusedError` for what cannot be edited without changing more, and what `choose` raises.
    """
    tree = _WorkingTree(checkout)
    return tree.edit(choose(tree.before))


class _WorkingTree:
    """A checked working tree, which checks itself again with some files edited."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout, self._edited = checkout, dict[str, bytes]()
        self._tree = WatchedTree(
            self._read_files, checkout.tree.read, checkout.folder, checkout.bundled, checkout.faults
        )
        self.before = self._tree.check()

    def edit(self, edits: Mapping[Declared, Sequence[Edit]]) -> EditedTree:
        order, files = KeyOrder(self.before.kinds), list[EditedFile]()
        paths = sorted({one.path for one in edits})
        committed = self._checkout.tree.files(paths)
        for path in paths:
            before = self._read_disk(path, committed.get(path))
            after = before
            # From the last document on: then the lines of those above stay as they are
            for one in sorted((one for one in edits if one.path == path), key=lambda one: -one.line):
                after = edit_text(path, after, one.line, edits[one], order)
            if after != before:
                files.append(EditedFile(path, before, after))
                self._edited[path] = after if before == committed[path] else after.replace(b"\r\n", b"\n")
        checked = self._tree.update(self._edited) if files else self.before
        problems = tuple(sorted({*self._checkout.problems, *checked.problems}))
        return EditedTree(tuple(edits), tuple(files), self._edited, problems, checked.kinds)

    def _read_files(self, paths: Collection[str]) -> Mapping[str, bytes | NotContent]:
        edited = {path: self._edited[path] for path in paths if path in self._edited}
        return {**self._checkout.tree.files([path for path in paths if path not in edited]), **edited}

    def _read_disk(self, path: str, committed: bytes | NotContent | None) -> bytes:
        """A file as it lies there. Raises `RefusedError` where that is not what git would commit."""
        data = self._checkout.disk.file(path)
        if data is EntryType.SYMLINK:
            raise RefusedError(f"{path} is a symbolic link, which git commits as one", hint="edit what it leads to")
        if not isinstance(data, bytes) or not isinstance(committed, bytes) or not _is_same_text(data, committed):
            raise RefusedError(f"{path} is not the text that git would commit", hint="edit the file by hand")
        problem = next((one for one in decode(path, data).problems if one.code in UNREADABLE_CODES), None)
        if problem is not None:
            place = f"{path}:{problem.line}:{problem.column}"
            raise RefusedError(f"{place}: [{problem.code}] {problem.message}", hint=problem.hint)
        return data


def _is_same_text(one: bytes, other: bytes) -> bool:
    return one == other or one.replace(b"\r\n", b"\n") == other.replace(b"\r\n", b"\n")


def select_resources(checked: CheckResult, kind: Kind, names: Sequence[str], labels: Labels) -> tuple[Declared, ...]:
    """The declared resources of a kind with some names or ids, and those with all of some labels.

    Raises `UsageError` for a name or labels that none has, `RefusedError` for a name that several have.
    """
    declared = tuple(_declared(checked, kind.name))
    chosen = [_named(declared, kind.name, name) for name in names]
    if labels:
        labelled = [one for one in declared if labels.items() <= set(one.labels)]
        if not labelled:
            told = ",".join(f"{key}={value}" for key, value in labels.items())
            known = {f"{key}={value}" for one in declared for key, value in one.labels}
            raise UsageError(f"no {kind.name} has the labels {told}", hint=suggest(told, sorted(known)))
        chosen += labelled
    return tuple({(one.path, one.line): one for one in chosen}.values())


def _declared(checked: CheckResult, kind: str) -> Iterator[Declared]:
    for path, entry in checked.entries.items():
        for one in entry.resources:
            if one.kind == kind:
                yield Declared(one.key, path, one.line, one.id, tuple(one.labels.items()))
        for other in entry.identified:
            if other.key.kind == kind:
                yield Declared(other.key, path, other.line)


def _named(known: Sequence[Declared], kind: str, name: str) -> Declared:
    """The one that goes by a name, else by an id."""
    found = tuple(one for one in known if one.key.name == name) or tuple(one for one in known if one.id == name)
    if not found:
        names = sorted({one.key.name for one in known})
        hint = suggest(name, names, f"the files declare no {kind}" if not names else "")
        raise UsageError(f"no file declares {kind} {name}", hint=hint)
    if len(found) > 1:
        places = list_words((f"{one.path}:{one.line}" for one in found), MAX_PLACES)
        raise RefusedError(f"{kind} {name} is declared more than once: {places}", hint="delete all but one of them")
    return found[0]
