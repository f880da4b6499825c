"""The part of a large tree that some changed files have to do with, found by searching: cost follows the change.

Whatever a file declares or refers to, it names; so a file without any of the names and ids that are touched has nothing
to do with them. Only those that have one are read.
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
    from reconciler.model.change import Stamp
    from reconciler.model.commit import FileChange
    from reconciler.model.resource import FileEntry, Key, Resource
    from reconciler.ports import Source
    from reconciler.reconcile.processor import Stepper
    from reconciler.reconcile.rules import Rules


FEW_FILES = 1_000
"""Up to here a whole tree is read at once, and everything in it judged."""
MANY_WORDS = 400
"""Words from which on a search is no longer quicker than reading everything, nor a command line short enough."""
DOCUMENT = "kind:"
"""What nearly every document has at the start of a line, once. Files without it are read to be counted."""
ESCAPE = r'"[^"]*\\'
"""An escape in double quotes: it could spell any word."""
LETTER = re.compile("[a-f]", re.IGNORECASE)
"""The letters of a UUID."""
DERIVED_VERSION = 5
"""The version of the UUIDs that are made from names (RFC 9562)."""


@dataclass(frozen=True, slots=True)
class Vicinity:
    """What a tree declares around some files; `declared` counts the resources of the whole tree."""

    base: LoadedBase
    declared: int


def look_around(
    source: Source, stepper: Stepper, stamp: Stamp, rules: Rules, changes: Mapping[str, FileChange]
) -> Vicinity | None:
    """The vicinity, in the tree of a commit, of files that are about to change.

    None when the tree is small, when they cannot be told apart from the rest, and when something in it is wrong: then
    all has to be read.
    """
    commit = stamp.commit
    files = {path for path in source.paths(commit) if rules.layout.role(path) is Role.RESOURCES}
    kinds, problems = stepper.rules.kinds(rules)
    if len(files) <= FEW_FILES or len(changes) > MANY_WORDS or problems or rules.problems:
        return None
    new = stepper.read(kinds, changes.values())
    old = stepper.read(kinds, source.files(commit, changes.keys()))
    words = {word for entry in (*old.values(), *new.values()) for word in _patterns(kinds, entry)}
    if len(words) > MANY_WORDS or _could_be_derived(old, new):
        return None
    counts, holding = _search(source, commit, rules, words)
    elsewhere = files - changes.keys()
    uncounted = elsewhere - counts.keys()
    around = stepper.read(kinds, source.files(commit, (holding & elsewhere) | uncounted))
    entries = {path: entry for path, entry in {**around, **old}.items() if path in files}
    if not _sound(kinds, entries, old, new):
        return None
    resources = [one for entry in entries.values() for one in entry.resources]
    counted = sum(counts[path] for path in elsewhere - uncounted)
    read = sum(len(entries[path].resources) for path in uncounted) + sum(len(entry.resources) for entry in old.values())
    return Vicinity(LoadedBase((Row(one, stamp, stamp) for one in resources), kinds), counted + read)


def _patterns(kinds: Kinds, entry: FileEntry) -> Iterator[str]:
    """What finds the names and ids that a file declares or refers to. An id is the same in any case of letters."""
    for one in entry.resources:
        yield LETTER.sub(lambda found: f"[{found[0].lower()}{found[0].upper()}]", one.id)
        for name in (one.name, *(key.name for key in _targets(kinds, one))):
            yield _literally(name)
    for known in entry.identified:
        yield _literally(known.key.name)


def _literally(word: str) -> str:
    return re.escape(word).replace(r"\-", "-")  # a hyphen that is escaped means nothing to POSIX


def _targets(kinds: Kinds, resource: Resource) -> Iterator[Key]:
    return trees.plant(EmptyBase(), kinds).targets(resource)


def _could_be_derived(old: Mapping[str, FileEntry], new: Mapping[str, FileEntry]) -> bool:
    """Whether a new id, written out, may be one that is made from a name in a file that does not hold it."""
    known = {one.id for entry in old.values() for one in entry.resources}
    added = (one for entry in new.values() for one in entry.resources if one.id not in known)
    return any(
        UUID(one.id).version == DERIVED_VERSION and one.id != str(canonical.derived_id(one.kind, one.name))
        for one in added
    )


def _search(source: Source, commit: str, rules: Rules, words: Iterable[str]) -> tuple[Counter[str], set[str]]:
    """Documents by file, and the files that hold one of the words."""
    counts, holding = Counter[str](), set[str]()
    patterns = (f"^{DOCUMENT}", ESCAPE, *sorted(words))
    for path, line in source.grep(commit, rules.layout.folder, patterns):
        if line.startswith(DOCUMENT):
            counts[path] += 1
        else:
            holding.add(path)
    return counts, holding


def _sound(
    kinds: Kinds, entries: Mapping[str, FileEntry], old: Mapping[str, FileEntry], new: Mapping[str, FileEntry]
) -> bool:
    """Whether nothing is wrong among these files of a tree, as far as the change has to do with it."""
    if any(problem.is_error for entry in entries.values() for problem in entry.problems):
        return False
    tree = trees.advance(trees.plant(EmptyBase(), kinds), kinds, entries).tree
    if len(tree.suspects.names) or len(tree.suspects.ids):
        return False
    asked = {key for entry in old.values() for one in entry.resources for key in _targets(kinds, one)}
    declared = {one.key for entry in chain(old.values(), new.values()) for one in entry.resources}
    return not any(key in tree.suspects.missing for key in asked | declared)
