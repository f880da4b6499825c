"""What a change touches: the resources that change, those that refer to them, and those that any of these run on.

A resource runs on another one when it refers to it and that one has the label `host`. Where it ran before counts as
well: a host that loses something is touched as much as the one that gets it.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from reconciler.model.review import Reach, Touched

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reconciler.model.change import Change, Key, Resource
    from reconciler.snapshot.tree import Tree

HOST = "host"
"""The label that says on which machine a resource is."""


def find_reach(changes: Collection[Change], tree: Tree, *, complete: bool) -> Reach:
    """The blast radius of some changes in the tree after them."""
    changed = {change.resource.key: change.resource for change in changes}
    touched = dict(changed)
    queue = deque(changed)
    while queue:
        for resource in tree.referrers[queue.popleft()].values():
            if resource.key not in touched:
                touched[resource.key] = resource
                queue.append(resource.key)
    earlier = [change.old for change in changes if change.old is not None]
    for resource in (*touched.values(), *earlier):
        touched.update((one.key, one) for key in tree.targets(resource) for one in _declared(tree, key) if _host(one))
    total = Counter(key.kind for key in touched)
    own = Counter(key.kind for key in changed)
    kinds = {kind: Touched(own[kind], total[kind] - own[kind]) for kind in sorted(total)}
    hosts = sorted({host for resource in (*touched.values(), *earlier) if (host := _host(resource))})
    return Reach(kinds, tuple(hosts), complete)


def _declared(tree: Tree, key: Key) -> Iterator[Resource]:
    for location in tree.names[key]:
        yield from (resource for resource in tree.files[location.path].resources if resource.key == key)


def _host(resource: Resource) -> str:
    return resource.labels.get(HOST, "")
