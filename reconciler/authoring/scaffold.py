"""The files of a new config repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.authoring.places import EDITOR_FOLDER, address, below, file_name, schema_file, usual_folder
from reconciler.authoring.skeleton import skeleton

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.kinds.kind import Kinds


def scaffold(
    templates: Mapping[str, bytes], schemas: Mapping[str, bytes], kinds: Kinds, new_id: Callable[[], str]
) -> dict[str, bytes]:
    """Every file by its path: the templates as they are, the editors' schemas, and an example of each kind.

    `new_id` gives a UUID that nobody else has.
    """
    files = {**templates, **{f"{EDITOR_FOLDER}/{name}": data for name, data in schemas.items()}}
    for kind in kinds:
        name = f"example-{kind.name.lower()}"
        path = below(usual_folder(kind, {}, ""), file_name(name))
        schema = address(f"{EDITOR_FOLDER}/{schema_file(kind)}", path)
        files[path] = skeleton(kind, name, new_id(), schema).encode()
    return dict(sorted(files.items()))
