"""The part of a large tree that some changed files affect, found by searching: the cost follows the change.

A file names whatever it declares or refers to. So a file without any of the affected names and ids has nothing to do
with the change; only the others are read.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING
from uuid import UUID

from reconciler import canonical
from reconciler.model.change import Row
from reconciler.reconcile.rules import Role
from reconciler.snapshot import tree as trees
from reconciler.snapshot.base import EmptyBase, LoadedBase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import FileEntry, Key, Resource, Stamp
    from reconciler.model.commit import FileChange
    from reconciler.ports import Source
    from reconciler.reconcile.processor import CommitProcessor
    from reconciler.reconcile.rules import Rules

    Entries = Mapping[str, FileEntry]


MAX_FILES_READ_WHOLE = 1_000
"""Up to this number of files a tree is read whole."""
MAX_WORDS = 400
"""Up to this number of words a search is quicker than reading everything, and its command line short enough."""
DOCUMENT = "kind:"
"""What nearly every document has at the start of a line, once. Files without it are read to be counted."""
ESCAPE = r'"[^"]*\\'
"""An escape in double quotes: it could spell any word."""
HEX_LETTER = re.compile("[a-f]", re.IGNORECASE)
DERIVED_VERSION = 5
"""The version of the UUIDs that are made from names (RFC 9562)."""


@dataclass(frozen=True, slots=True)
class PartialTree:
    """The rows that a tree declares around some files; `declared` counts the resources of the whole tree."""

    base: LoadedBase
    declared: int


def load_affected(
    source: Source, processor: CommitProcessor, stamp: Stamp, rules: Rules, changes: Mapping[str, FileChange]
) -> PartialTree | None:
    """The part of a commit's tree that is affected by changes of some files.

    None when the tree is small, when the part cannot be told from the rest, and when something in it is wrong: then
    the whole tree has to be read.
    """
    commit = stamp.commit
    files = {path for path in source.paths(commit) if rules.layout.role(path) is Role.RESOURCES}
    kinds, problems = processor.rules.kinds_of(rules)
    if len(files) <= MAX_FILES_READ_WHOLE or len(changes) > MAX_WORDS or problems or rules.problems:
        return None
    new = processor.read_entries(kinds, changes.values())
    old = processor.read_entries(kinds, source.files(commit, changes.keys()))
    words = {word for entry in (*old.values(), *new.values()) for word in _search_patterns(kinds, entry)}
    if len(words) > MAX_WORDS or _may_have_derived_ids(old, new):
        return None
    counts, matching = _search(source, commit, rules, words)
    unchanged = files - changes.keys()
    uncounted = unchanged - counts.keys()
    affected = processor.read_entries(kinds, source.files(commit, (matching & unchanged) | uncounted))
    entries = {path: entry for path, entry in {**affected, **old}.items() if path in files}
    if not _is_sound(kinds, entries, old, new):
        return None
    rows = (Row(resource, stamp, stamp) for entry in entries.values() for resource in entry.resources)
    by_search = sum(counts[path] for path in unchanged - uncounted)
    by_reading = sum(len(entries[path].resources) for path in uncounted)
    in_changed = sum(len(entry.resources) for entry in old.values())
    return PartialTree(LoadedBase(rows, kinds), by_search + by_reading + in_changed)


def _search_patterns(kinds: Kinds, entry: FileEntry) -> Iterator[str]:
    """Regular expressions for the names and ids that a file declares or refers to. Ids match in any case."""
    for resource in entry.resources:
        yield HEX_LETTER.sub(lambda letter: f"[{letter[0].lower()}{letter[0].upper()}]", resource.id)
        for name in (resource.name, *(key.name for key in _references(kinds, resource))):
            yield _escape(name)
    for identified in entry.identified:
        yield _escape(identified.key.name)


def _escape(word: str) -> str:
    return re.escape(word).replace(r"\-", "-")  # POSIX does not define an escaped hyphen


def _references(kinds: Kinds, resource: Resource) -> Iterator[Key]:
    return trees.load_base_tree(EmptyBase(), kinds).targets(resource)


def _may_have_derived_ids(old: Entries, new: Entries) -> bool:
    """Whether a new id, written out, may be the one derived from a name in a file that does not contain it."""
    known = {resource.id for entry in old.values() for resource in entry.resources}
    added = (resource for entry in new.values() for resource in entry.resources if resource.id not in known)
    return any(
        UUID(resource.id).version == DERIVED_VERSION
        and resource.id != str(canonical.derived_id(resource.kind, resource.name))
        for resource in added
    )


def _search(source: Source, commit: str, rules: Rules, words: Iterable[str]) -> tuple[Counter[str], set[str]]:
    """The number of documents by file, and the files that contain one of the words."""
    counts, matching = Counter[str](), set[str]()
    patterns = (f"^{DOCUMENT}", ESCAPE, *sorted(words))
    for path, line in source.grep(commit, rules.layout.folder, patterns):
        if line.startswith(DOCUMENT):
            counts[path] += 1
        else:
            matching.add(path)
    return counts, matching


def _is_sound(kinds: Kinds, entries: Entries, old: Entries, new: Entries) -> bool:
    """Whether nothing among these files of a tree is wrong, as far as the change is concerned."""
    if any(problem.is_error for entry in entries.values() for problem in entry.problems):
        return False
    tree = trees.update_tree(trees.load_base_tree(EmptyBase(), kinds), kinds, entries).tree
    if len(tree.candidates.names) or len(tree.candidates.ids):
        return False
    needed = {key for entry in old.values() for resource in entry.resources for key in _references(kinds, resource)}
    declared = {resource.key for entry in chain(old.values(), new.values()) for resource in entry.resources}
    return not any(key in tree.candidates.missing for key in needed | declared)
