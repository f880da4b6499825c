"""Tree objects (gitformat-pack, git's own tree-walk.c): their entries, and whether git would have written them so.

Old histories hold trees that git reads without a word and that mean one thing to one reader and another to the next:
two entries of one name, entries out of order, names that no path may have. The words are those of `git fsck`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import islice, pairwise
from operator import ge
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from reconciler.adapters.git.process import missing_object
from reconciler.errors import broken_tree, too_many_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.git.plumbing import Plumbing

FOLDER = b"40000"
LOOKS_ESCAPED = re.compile(rb"\\(?=x(?:[89a-f][0-9a-f]|5c))")
MAX_FLAWS = 100
"""Flaws of a commit's trees that are told."""
MAX_KEPT = 64 << 20
"""Bytes of trees that are remembered, so that a commit costs what it changes."""
CHUNK = 16
"""Entries between two places where a tree may be cut."""

Folders: TypeAlias = "dict[bytes, str]"
"""The trees in a tree by name."""


def path_text(raw: bytes) -> str:
    r"""A path as text that every UTF-8 store can hold.

    Bytes that are not UTF-8 are written as `\xNN`; a backslash that stands before what looks like such an escape
    is itself written as `\x5c`, so that two paths never get the same text. Git keeps paths as bytes; nearly all of
    them are UTF-8, and those come out as they are.
    """
    if b"\\x" in raw:
        raw = LOOKS_ESCAPED.sub(rb"\\x5c", raw)
    return raw.decode("utf-8", "backslashreplace")


def tree_entries(raw: bytes, id_size: int) -> Iterator[tuple[str, bytes, str]]:
    """Name, mode and id of each entry of a tree object: `mode name`, NUL, `id_size` bytes. Raises `BrokenTree`."""
    at = 0
    while at < len(raw):
        try:
            space = raw.index(b" ", at)
            end = raw.index(b"\0", space)
        except ValueError:
            raise broken_tree((".", CUT_OFF)) from None
        yield path_text(raw[space + 1 : end]), raw[at:space].lstrip(b"0"), raw[end + 1 : end + 1 + id_size].hex()
        at = end + 1 + id_size


CUT_OFF = "the tree ends in the midst of an entry"


class _Grammar(NamedTuple):
    """What the entries of a tree look like: all of a sound one, each as it may be, the names, the next folder, a chunk.

    Modes may begin with zeros, and permissions may be any: git takes them for the usual ones.
    """

    sound: re.Pattern[bytes]
    entry: re.Pattern[bytes]
    names: re.Pattern[bytes]
    folders: re.Pattern[bytes]
    chunk: re.Pattern[bytes]


MODE = rb"0*(?:100[0-7]{3}|120000|160000|40000)"
NAME = rb"(?!\.{1,2}\0|\.[gG][iI][tT]\0)[^\0/]+"


@lru_cache(maxsize=2)
def _grammar(id_size: int) -> _Grammar:
    size = b"%d" % id_size
    oid = rb"[\s\S]{" + size + rb"}"
    real = rb"(?!\0{" + size + rb"})" + oid
    return _Grammar(
        sound=re.compile(rb"(?>" + MODE + b" " + NAME + rb"\0" + real + rb")*+"),
        entry=re.compile(rb"(?P<mode>[^ \0]*) (?P<name>[^\0]*)\0(?P<oid>" + oid + rb")"),
        names=re.compile(rb" ([^\0]+)\0" + oid),
        folders=re.compile(rb"(?>0*1[0-7]+ [^\0]+\0" + oid + rb")*+0*40000 ([^\0]+)\0(" + oid + rb")"),
        chunk=re.compile(rb"(?>[0-7]+ [^\0]+\0" + oid + rb"){1," + b"%d" % CHUNK + rb"}+"),
    )


def list_folders(raw: bytes, id_size: int) -> Folders:
    """The trees in a tree that is sound."""
    folders: Folders = {}
    next_folder, at = _grammar(id_size).folders.match, 0
    while (match := next_folder(raw, at)) is not None:  # a search would begin anew at each byte
        folders[match[1]] = match[2].hex()
        at = match.end()
    return folders


class SoundTree(NamedTuple):
    """A tree without a flaw: its text, where that may be cut (its begin and end too), and the trees in it."""

    raw: bytes
    cuts: list[int]
    folders: Folders


NOTHING = SoundTree(b"", [0], {})


def read_tree(raw: bytes, id_size: int, old: SoundTree = NOTHING) -> SoundTree | tuple[bytes, str]:
    """A tree; or the first thing that is wrong with it: the name of the entry, empty for all of it, and what.

    Only what differs from an older tree is looked at, as far as it goes.
    """
    return _read_difference(raw, id_size, old) or _read_whole(raw, id_size)


def _read_whole(raw: bytes, id_size: int) -> SoundTree | tuple[bytes, str]:
    grammar = _grammar(id_size)
    if grammar.sound.fullmatch(raw) is None:
        return _find_bad_entry(raw, grammar)
    names, folders = grammar.names.findall(raw), list_folders(raw, id_size)
    if not _are_in_order(names, folders):
        return _find_misplaced(names, folders)
    return SoundTree(raw, _find_cuts(raw, grammar), folders)


def _read_difference(raw: bytes, id_size: int, old: SoundTree) -> SoundTree | None:
    """A tree by what differs from an older one; None where that is much, or looks wrong."""
    grammar, grown = _grammar(id_size), len(raw) - len(old.raw)
    same = _common_prefix(old.raw, raw)
    same_end = _common_prefix(old.raw[same:][::-1], raw[same:][::-1])
    # One chunk more at each side: the entries beside what differs have to be in order with it
    first = max(0, bisect_right(old.cuts, same) - 2)
    last = min(len(old.cuts) - 1, bisect_left(old.cuts, len(old.raw) - same_end) + 1)
    begin, old_end = old.cuts[first], old.cuts[last]
    if (old_end + grown - begin) * 2 > len(raw):
        return None
    part = raw[begin : old_end + grown]
    if grammar.sound.fullmatch(part) is None:
        return None
    names, folders, gone = grammar.names.findall(part), list_folders(part, id_size), old.raw[begin:old_end]
    gone_folders = list_folders(gone, id_size)
    kept = {name: tree for name, tree in old.folders.items() if name not in gone_folders}
    # A file and a folder of one name may stand far apart
    clash = any(name in kept for name in names) or any(
        raw.count(b" " + name + b"\0") > 1 for name in folders if name not in gone_folders
    )
    if clash or not _are_in_order(names, folders):
        return None
    cuts = [*old.cuts[:first], *(begin + cut for cut in _find_cuts(part, grammar))]
    return SoundTree(raw, [*cuts, *(cut + grown for cut in old.cuts[last + 1 :])], kept | folders)


def _are_in_order(names: list[bytes], folders: Folders) -> bool:
    """Whether no name comes twice, and each after those before it; git sorts a folder as if a slash were behind it."""
    keys = [name + b"/" if name in folders else name for name in names] if folders else names
    return not any(map(ge, keys, islice(keys, 1, None))) and (not folders or len(set(names)) == len(names))


def _find_cuts(raw: bytes, grammar: _Grammar) -> list[int]:
    cuts = [0]
    while (match := grammar.chunk.match(raw, cuts[-1])) is not None:
        cuts.append(match.end())
    return cuts


def _common_prefix(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _find_bad_entry(raw: bytes, grammar: _Grammar) -> tuple[bytes, str]:
    at = 0
    while (match := grammar.entry.match(raw, at)) is not None:
        mode, name = match["mode"], match["name"]
        if not name:
            return name, "an entry has no name"
        if b"/" in name:
            return name, "the name of an entry has a slash in it"
        if re.fullmatch(NAME + rb"\0", name + b"\0") is None:
            return name, f"an entry is named {path_text(name)}, as no file and no folder may be"
        if re.fullmatch(MODE, mode) is None:
            return name, f"an entry has the mode {mode[:20].decode('ascii', 'backslashreplace')}, which there is not"
        if not match["oid"].strip(b"\0"):
            return name, "an entry names no object"
        at = match.end()
    return b"", CUT_OFF


def _find_misplaced(names: list[bytes], folders: Folders) -> tuple[bytes, str]:
    seen: set[bytes] = set()
    for name in names:
        if name in seen:
            return name, "two entries have this name"
        seen.add(name)
    keys = [name + b"/" if name in folders else name for name in names]
    place = next(place for place, (one, next_one) in enumerate(pairwise(keys)) if one >= next_one)
    return names[place + 1], f"the entries are not in order: this one comes after {path_text(names[place])}"


class TreeChecker:
    """Checks the trees of commits. What it found sound it remembers, for any thread."""

    def __init__(self, plumbing: Plumbing) -> None:
        self._plumbing = plumbing
        self._sound: dict[str, SoundTree] = {}
        self._kept = 0

    def check(self, old: str | None, new: str) -> None:
        """Check every tree of a tree that is not in an older one, which is sound; None stands for the empty one.

        Raises `BrokenTree`, and `TooLarge` for more trees than `limits.paths`.
        """
        if self._kept > MAX_KEPT:
            self._sound, self._kept = {}, 0
        flaws: list[tuple[str, str]] = []
        seen, level = {new}, [(b"", old, new)]
        while level:
            trees = self._read(level, flaws)
            deeper: list[tuple[bytes, str | None, str]] = []
            for path, before, after in level:
                known = trees[before].folders if before else {}
                for name, tree in trees[after].folders.items():
                    if known.get(name) != tree and tree not in seen:
                        seen.add(tree)
                        deeper.append((path + name + b"/", known.get(name), tree))
            if len(seen) > self._plumbing.limits.paths:
                raise too_many_paths(self._plumbing.limits.paths)
            level = deeper
        if flaws:
            raise broken_tree(*flaws[:MAX_FLAWS])

    def _read(self, level: list[tuple[bytes, str | None, str]], flaws: list[tuple[str, str]]) -> dict[str, SoundTree]:
        """The trees of a level, older and newer; nothing in place of those with a flaw, which is added."""
        sound = self._sound  # another thread may begin anew
        trees = {old: sound.get(old, NOTHING) for _, old, _ in level if old}
        for tree, (kind, raw) in self._objects([old for old in trees if old not in sound]):
            read = read_tree(raw, len(tree) // 2) if kind == b"tree" else None
            if isinstance(read, SoundTree):
                self._keep(tree, read)
                trees[tree] = read
        place = {new: (path, old) for path, old, new in level}
        trees |= {new: sound[new] for new in place if new in sound}
        for tree, (kind, raw) in self._objects([new for new in place if new not in trees]):
            path, old = place[tree]
            flaw: SoundTree | tuple[bytes, str]
            flaw = (b"", f"this is a folder by its mode, and a {kind.decode()} by its object")
            if kind == b"tree":
                flaw = read_tree(raw, len(tree) // 2, trees[old] if old else NOTHING)
            if isinstance(flaw, SoundTree):
                self._keep(tree, flaw)
                trees[tree] = flaw
            else:
                trees[tree] = NOTHING
                flaws.append((path_text((path + flaw[0]).rstrip(b"/")) or ".", flaw[1]))
        return trees

    def _objects(self, names: list[str]) -> Iterator[tuple[str, tuple[bytes, bytes]]]:
        if not names:
            return
        requests = ((name, name) for name in names)
        for name, kind, raw in self._plumbing.objects(requests, self._plumbing.limits.bytes):
            if raw is None:
                raise missing_object(self._plumbing.git_dir, name)
            yield name, (kind, raw)

    def _keep(self, tree: str, sound: SoundTree) -> None:
        self._sound[tree] = sound
        self._kept += len(sound.raw)
