"""What a change touches: the resources that change, those that refer to them, and those that any of these run on.

A resource runs on another one when it refers to it and that one has the label `host`.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from reconciler.model.review import Reach, Touched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.change import Change, Key, Resource
    from reconciler.snapshot.tree import Tree

HOST = "host"
"""The label that says on which machine a resource is."""


def find_reach(changes: Iterable[Change], tree: Tree, *, complete: bool) -> Reach:
    """The blast radius of some changes in the tree after them."""
    changed = {change.resource.key: change.resource for change in changes}
    touched = dict(changed)
    queue = deque(changed)
    while queue:
        for resource in tree.referrers[queue.popleft()].values():
            if resource.key not in touched:
                touched[resource.key] = resource
                queue.append(resource.key)
    for resource in list(touched.values()):
        touched.update((one.key, one) for key in tree.targets(resource) for one in _declared(tree, key) if _host(one))
    total = Counter(key.kind for key in touched)
    own = Counter(key.kind for key in changed)
    kinds = {kind: Touched(own[kind], total[kind] - own[kind]) for kind in sorted(total)}
    hosts = sorted({host for resource in touched.values() if (host := _host(resource))})
    return Reach(kinds, tuple(hosts), complete)


def _declared(tree: Tree, key: Key) -> Iterator[Resource]:
    for location in tree.names[key]:
        yield from (resource for resource in tree.files[location.path].resources if resource.key == key)


def _host(resource: Resource) -> str:
    return resource.labels.get(HOST, "")
