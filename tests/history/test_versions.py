"""The order of versions: commits as letters, upper case on the mainline."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.history.points import group_by_merge, order_newest_first


def test_a_side_commit_belongs_to_the_first_merge_that_reaches_it() -> None:
    side = {"a": ("A",), "b": ("a",), "c": ("b",), "d": ("A", "c")}
    merges = [("C", ("B", "b")), ("D", ("C", "d")), ("E", ("D", "c", "d"))]
    assert group_by_merge(merges, side) == {"C": ["b", "a"], "D": ["d", "c"], "E": []}


def test_an_octopus_lists_its_branches_in_order() -> None:
    side = dict.fromkeys("xyz", ("A",))
    assert group_by_merge([("B", ("A", "x", "y", "z"))], side) == {"B": ["x", "y", "z"]}


def test_a_long_side_branch_does_not_exhaust_the_stack() -> None:
    side = {str(number): (str(number - 1),) for number in range(50_000)}
    assert group_by_merge([("B", ("A", "49999"))], side)["B"] == [str(number) for number in reversed(range(50_000))]


graphs = st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 30), max_size=3)), min_size=1, max_size=30)


@given(graphs)
def test_children_come_before_their_parents_and_nothing_twice(graph: list[tuple[bool, list[int]]]) -> None:
    """A random history: each commit is on the mainline or aside, with parents among the earlier ones."""
    mainline = ["0"]
    parents: dict[str, tuple[str, ...]] = {"0": ()}
    for number, (on_mainline, chosen) in enumerate(graph, start=1):
        others = tuple(dict.fromkeys(str(at % number) for at in chosen))
        first = (mainline[-1],) if on_mainline else ()
        parents[str(number)] = first + tuple(other for other in others if other not in first)
        if on_mainline:
            mainline.append(str(number))
    side = {name: above for name, above in parents.items() if name not in mainline}
    merged = group_by_merge([(name, parents[name]) for name in mainline], side)
    listed = order_newest_first(mainline[::-1], merged, 1000)
    assert len(listed) == len(set(listed))
    place = {name: at for at, name in enumerate(listed)}
    assert all(place[name] < place[parent] for name in listed for parent in parents[name] if parent in place)
    reachable, todo = set[str](), list(mainline)
    while todo:
        if (name := todo.pop()) not in reachable:
            reachable.add(name)
            todo.extend(parents[name])
    assert set(listed) == reachable
