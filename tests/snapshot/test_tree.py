"""The tree: incremental equals at once, and what stands between files is found wherever it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reconciler.reconcile.read import FileReader
from reconciler.snapshot import tree
from reconciler.snapshot.snapshot import EmptyBase
from reconciler.snapshot.tree import find_tree_problems
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder
from tests.support import configs

if TYPE_CHECKING:
    from reconciler.model.problem import Problem
    from reconciler.snapshot.tree import Tree

KINDS = bundled_kinds().kinds
READER = FileReader(KINDS, fault_finder())
NAMES = ("ann", "bob", "cai")
PATHS = tuple(f"{letter}.yaml" for letter in "abcd")
IDS = ("0b9d6d6e-5f0c-4b43-8f5e-0d9a5f5f0001", "0b9d6d6e-5f0c-4b43-8f5e-0d9a5f5f0002")

documents = st.one_of(
    st.builds(configs.user, st.sampled_from(NAMES), risk=st.sampled_from([0.5, 1.0])),
    st.builds(configs.user, st.sampled_from(NAMES), user_id=st.sampled_from(IDS)),
    st.builds(configs.signal, st.sampled_from(NAMES), users=st.lists(st.sampled_from(NAMES), max_size=2, unique=True)),
    st.just(configs.BROKEN),
    st.builds(lambda name: configs.user(name, max_open_trades=0), st.sampled_from(NAMES)),
)
files = st.lists(documents, max_size=3).map("---\n".join)
trees = st.dictionaries(st.sampled_from(PATHS), files, max_size=4)


def grow(start: Tree, texts: dict[str, str | None]) -> Tree:
    entries = {
        path: READER.read_file(path, text.encode()) if text is not None else tree.NO_ENTRY
        for path, text in texts.items()
    }
    return tree.update_tree(start, KINDS, entries).tree


def empty() -> Tree:
    return tree.load_base_tree(EmptyBase(), KINDS)


def found(texts: dict[str, str]) -> tuple[Problem, ...]:
    return find_tree_problems(grow(empty(), dict(texts)))


def told(problems: tuple[Problem, ...]) -> list[tuple[str, str, int, str]]:
    return [(problem.code, problem.path, problem.line, problem.pointer) for problem in problems]


@given(st.lists(trees, min_size=1, max_size=4))
def test_walking_through_trees_ends_like_reading_the_last(steps: list[dict[str, str]]) -> None:
    at, last = empty(), dict[str, str]()
    for texts in steps:
        at = grow(at, {**dict.fromkeys(last), **texts})
        last = texts
    at_once = grow(empty(), dict(last))
    assert find_tree_problems(at) == find_tree_problems(at_once)
    for path in PATHS:
        assert at.files[path] == at_once.files[path]
        for one in at_once.files[path].resources:
            assert at.ids[one.row_id] == at_once.ids[one.row_id]
            assert at.names[one.key] == at_once.names[one.key]


@given(trees, st.permutations(PATHS))
def test_order_of_files_does_not_matter(texts: dict[str, str], order: list[str]) -> None:
    one_by_one = empty()
    for path in order:
        if path in texts:
            one_by_one = grow(one_by_one, {path: texts[path]})
    assert find_tree_problems(one_by_one) == found(texts)


def test_two_files_with_one_name_are_both_told() -> None:
    texts = {"a.yaml": configs.user("ann"), "b.yaml": configs.user("ann", user_id=IDS[0])}
    problems = found(texts)
    assert told(problems) == [
        ("duplicate-name", "a.yaml", 1, "/metadata/name"),
        ("duplicate-name", "b.yaml", 1, "/metadata/name"),
    ]
    assert "also in b.yaml:1" in problems[0].message


def test_two_resources_with_one_id_are_both_told() -> None:
    texts = {"a.yaml": configs.user("ann", user_id=IDS[0]) + "---\n" + configs.user("bob", user_id=IDS[0].upper())}
    assert [(problem.code, problem.line) for problem in found(texts)] == [("duplicate-id", 1), ("duplicate-id", 16)]


def test_a_reference_into_nothing_is_told_until_it_is_declared() -> None:
    at = grow(empty(), {"s.yaml": configs.signal("s", users=["ann", "bob"]), "a.yaml": configs.user("ann")})
    assert told(find_tree_problems(at)) == [("dangling-reference", "s.yaml", 1, "/metadata/refs/users/1")]
    at = grow(at, {"b.yaml": configs.user("bob")})
    assert find_tree_problems(at) == ()
    at = grow(at, {"b.yaml": None})
    assert told(find_tree_problems(at)) == [("dangling-reference", "s.yaml", 1, "/metadata/refs/users/1")]


def test_references_are_withheld_while_a_file_cannot_be_read() -> None:
    codes = [
        problem.code for problem in found({"s.yaml": configs.signal("s", users=["ann"]), "a.yaml": configs.BROKEN})
    ]
    assert codes == ["yaml-syntax"]


def test_a_user_with_an_error_is_still_there_to_refer_to() -> None:
    texts = {"s.yaml": configs.signal("s", users=["ann"]), "a.yaml": configs.user("ann", max_open_trades=0)}
    assert [problem.code for problem in found(texts)] == ["out-of-range"]
