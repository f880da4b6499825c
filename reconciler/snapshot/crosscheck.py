"""The problems of a tree: those of its files, and those that only show between files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.problem import NOT_LOCATED, Problem
from reconciler.snapshot.tree import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.resource import Key, RowId
    from reconciler.snapshot.tree import Tree


NAMED = 3
"""Places that a message names."""


def problems(tree: Tree) -> tuple[Problem, ...]:
    """All problems of a tree in order of path, line and column.

    What stands between files carries the line of its document, and `NOT_LOCATED` for a column. References into
    nothing are withheld while some file cannot be read: what they refer to may well be in there.
    """
    found = [problem for path in tree.suspects.files for problem in tree.files[path].problems]
    for key in tree.suspects.names:
        found.extend(_duplicate_name(tree, key))
    for row_id in tree.suspects.ids:
        found.extend(_duplicate_id(tree, row_id))
    if not tree.suspects.unreadable:
        for key in tree.suspects.missing:
            found.extend(_dangling(tree, key))
    return tuple(sorted(found))


def _duplicate_name(tree: Tree, key: Key) -> Iterator[Problem]:
    places = tree.names[key]
    for place in places:
        yield Problem(
            path=place.path,
            line=place.line,
            column=NOT_LOCATED,
            code="duplicate-name",
            pointer="/metadata/name",
            message=f"{key.kind} {key.name} is declared more than once: also in {_others(places, place)}",
            hint="give one of them another name, or delete one",
        )


def _duplicate_id(tree: Tree, row_id: RowId) -> Iterator[Problem]:
    field = tree.kinds.by_name[row_id.kind].key
    resources = {Place(one.path, one.line): one for one in tree.ids[row_id]}
    for place, one in resources.items():
        yield Problem(
            path=one.path,
            line=one.line,
            column=NOT_LOCATED,
            code="duplicate-id",
            pointer=f"/spec/{field}",
            message=f"{field} {row_id.id} is declared more than once: also in {_others(resources, place)}",
            hint=f"leave {field} out to get one made from the name, or write a fresh UUID",
        )


def _others(places: Iterable[Place], place: Place) -> str:
    others = [f"{other.path}:{other.line}" for other in places if other != place]
    more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
    return ", ".join(others[:NAMED]) + more


def _dangling(tree: Tree, key: Key) -> Iterator[Problem]:
    for one in tree.referrers[key].values():
        for reference in tree.kinds.by_name[one.kind].references:
            names = one.refs.get(reference.role, ())
            if reference.kind != key.kind or key.name not in names:
                continue
            at = f"/{names.index(key.name)}" if reference.many else ""
            yield Problem(
                path=one.path,
                line=one.line,
                column=NOT_LOCATED,
                code="dangling-reference",
                pointer=f"/metadata/refs/{reference.role}{at}",
                message=f"{one.kind} {one.name} refers to {key.kind} {key.name}, which does not exist",
                hint=_dangling_hint(tree, key),
            )


def _dangling_hint(tree: Tree, key: Key) -> str:
    if key.kind not in tree.kinds.by_name:
        return f"there is no kind {key.kind}: add its schema to the schemas folder"
    return f"declare {key.kind} {key.name}, or name one that exists"
