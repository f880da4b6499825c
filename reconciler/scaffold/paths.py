"""Where files go in a config repository, and how they name each other. Paths are from the root, with `/`."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.model.resource import FileEntry


_UNFIT = re.compile(r"[^\w.-]")

EDITOR_FOLDER = ".reconciler/schemas"
"""Where the schemas stand that editors read: hidden, as they are copies."""


def schema_file(kind: Kind) -> str:
    """The file name of a kind's exported schema."""
    return f"{kind.name.lower()}.schema.json"


def usual_folder(kind: Kind, entries: Mapping[str, FileEntry], base: str) -> str:
    """The folder where most resources of a kind stand, of several the first; without any, the kind's plural."""
    counts = Counter(
        path.rpartition("/")[0]
        for path, entry in sorted(entries.items())
        for resource in entry.resources
        if resource.kind == kind.name
    )
    return counts.most_common(1)[0][0] if counts else join_path(base, f"{kind.name.lower()}s")


def resource_file(name: str) -> str:
    """The file of a resource: its name, without what could lead out of the folder or what some systems refuse."""
    return f"{_UNFIT.sub('-', name)}.yaml"


def join_path(folder: str, path: str) -> str:
    """A path inside a folder, which is empty for the root."""
    return f"{folder}/{path}" if folder else path


def path_between(target: str, file: str) -> str:
    """How one file is named in another: `../schemas/x.schema.json`."""
    to, at = target.split("/"), file.split("/")[:-1]
    while to[:-1] and at and to[0] == at[0]:
        to, at = to[1:], at[1:]
    return "/".join([*[".."] * len(at), *to])
