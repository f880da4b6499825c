"""Names for rows that have none, and the files that resources go to."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler.scaffold.paths import below, file_name, usual_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.model.resource import FileEntry

SHORTEST, LONGEST = 8, 32
"""Hexadecimal digits of an id that go into a name: as many as it takes to be unique."""

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
"""Names that no file on Windows can have, whatever comes after the dot."""


def derived_names(kind: Kind, ids: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """A name for each id: the kind and the beginning of the id, as long as it takes to be unique.

    It does not depend on the order of the ids. What is no UUID gets no name.
    """
    names: dict[str, str] = {}
    left = {one for one in ids if UUID.fullmatch(one)}
    for length in range(SHORTEST, LONGEST + 1):
        groups: dict[str, list[str]] = defaultdict(list)
        for one in left:
            groups[f"{kind.name.lower()}-{one.replace('-', '')[:length]}"].append(one)
        settled = {
            members[0]: name
            for name, members in groups.items()
            if (len(members) == 1 and name not in taken) or length == LONGEST
        }
        names |= settled
        left -= settled.keys()
    return names


class Folders:
    """Where new files go: each kind's beside its other ones below `top`, and to no path that is taken.

    `top` is a folder's path from the root, empty for the root itself.
    """

    def __init__(self, top: str, entries: Mapping[str, FileEntry], taken: Iterable[str]) -> None:
        self._top = top
        self._entries = {path: entry for path, entry in entries.items() if path.startswith(below(top, ""))}
        self._taken = {path.lower() for path in taken}  # some file systems know no capitals
        self._homes: dict[str, str] = {}

    def place(self, kind: Kind, name: str) -> str:
        """The path for a new resource's file, which is taken from now on."""
        stem = file_name(name).removesuffix(".yaml").strip(".")
        if not stem or DEVICES.fullmatch(stem):
            stem = f"{kind.name.lower()}-{stem}"
        home, path, number = self._home(kind), f"{stem}.yaml", 1
        while below(home, path).lower() in self._taken:
            number += 1
            path = f"{stem}-{number}.yaml"
        self._taken.add(below(home, path).lower())
        return below(home, path)

    def _home(self, kind: Kind) -> str:
        if kind.name not in self._homes:
            self._homes[kind.name] = usual_folder(kind, self._entries, self._top)
        return self._homes[kind.name]
