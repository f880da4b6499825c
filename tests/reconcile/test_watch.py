"""A tree under watch says at any moment what checking all of it at once says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.bundled import load_bundled_schemas
from reconciler.adapters.worktree import WorkingTree
from reconciler.decode import document
from reconciler.errors import NeedsHuman
from reconciler.reconcile import read
from reconciler.reconcile.check import CheckResult, WatchedTree, check_tree, read_layout
from tests.reconcile.test_laws import documents, scratch
from tests.support import configs
from tests.support.laws import examples
from tests.support.world import FAULTS, SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.model.commit import EntryType


def _widget(limit: int) -> str:
    """The schema of a kind of the repository's own."""
    text = json.dumps(json.loads(load_bundled_schemas()["schemas/system.schema.json"]))
    for old, new in (("System", "Widget"), ("system_config", "widget_config"), ("604800", str(limit))):
        text = text.replace(old, new)
    return text


WIDGET = configs.system("ann").replace("kind: System", "kind: Widget")
MARKED = configs.system("ann").replace("name: ann", "name: ann\n  labels: {desk: CHANGE-ME}")
SETTINGS = "apiVersion: reconciler/v1\nkind: Repository\nspec: {SPEC}\n"
LINK = "link"
PATHS = ("a.yaml", "b.yaml", "deep/c.yaml", "deep/d.yml")
SCHEMAS = ("schemas/widget.schema.json", "kinds/widget.schema.json")
texts = st.one_of(documents, st.sampled_from([None, WIDGET, WIDGET, LINK, "", MARKED]))
schemas = st.sampled_from([None, _widget(1000), _widget(90000), _widget(90000), "{", LINK])
specs = ["", "exclude: [deep/]", "include: [a.yaml, deep/c.yaml]", "schemas: kinds", "nonsense: 1"]
layouts = st.sampled_from([None, *(SETTINGS.replace("SPEC", spec) for spec in specs), configs.BROKEN, LINK])
edits = st.one_of(
    st.dictionaries(st.sampled_from(PATHS), texts, min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(SCHEMAS), schemas, min_size=1),
    st.dictionaries(st.just("reconciler.yaml"), layouts, min_size=1),
)
noise = st.sets(st.sampled_from([*PATHS, *SCHEMAS, "reconciler.yaml", "nowhere.yaml", "notes.txt"]))


def write(root: Path, files: dict[str, str | None]) -> None:
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        if text == LINK:
            place.symlink_to("elsewhere")
        elif text is not None:
            place.write_text(text, encoding="utf-8", newline="\n")


def at_once(root: Path) -> CheckResult:
    tree = WorkingTree(root)
    layout, problems = read_layout(tree.file("reconciler.yaml"), "", SHIPPED)
    return check_tree(dict(tree.read(lambda path: layout.role(path) is not None)), layout, SHIPPED, FAULTS, problems)


def watch(files: WorkingTree) -> WatchedTree:
    return WatchedTree(files.files, files.read, "", SHIPPED, FAULTS)


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(edits, noise), min_size=1, max_size=8))
def test_after_any_edits_it_says_what_checking_everything_says(
    history: list[tuple[dict[str, str | None], set[str]]],
) -> None:
    with scratch() as root:
        watched = watch(WorkingTree(root))
        assert watched.check() == at_once(root)
        for files, more in history:
            write(root, files)
            assert watched.update(files.keys() | more) == at_once(root)


@pytest.mark.parametrize("later", [None, _widget(1000), "{", LINK])
def test_a_schema_that_comes_and_goes_has_its_files_validated_again(tmp_path: Path, later: str | None) -> None:
    write(tmp_path, {"a.yaml": WIDGET, "b.yaml": configs.user("bob")})
    watched = watch(WorkingTree(tmp_path))
    unknown = watched.check()
    write(tmp_path, {SCHEMAS[0]: _widget(90000)})
    known = watched.update([SCHEMAS[0]])
    write(tmp_path, {SCHEMAS[0]: later})
    changed = watched.update([SCHEMAS[0]])
    assert ([one.code for one in unknown.problems], known.problems) == (["unknown-kind"], ())
    assert "a.yaml" in {one.path for one in changed.problems}
    assert changed == at_once(tmp_path)


def test_only_what_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {f"{number}.yaml": configs.user(f"u{number}") for number in range(50)})
    watched = watch(WorkingTree(tmp_path))
    watched.check()
    decoded: list[str] = []

    def counted(path: str, data: bytes, decode: Callable[[str, bytes], object] = document.decode) -> object:
        decoded.append(path)
        return decode(path, data)

    monkeypatch.setattr(read, "decode", counted)
    write(tmp_path, {"7.yaml": configs.user("u7", risk=1.0)})
    assert len(watched.update(["7.yaml"]).entries) == 50
    assert decoded == ["7.yaml"]


class Locked(WorkingTree):
    """A tree with a file that somebody else has locked, as editors do on Windows."""

    locked = ""

    def file(self, path: str) -> bytes | EntryType | None:
        if path == self.locked:
            raise NeedsHuman(f"cannot read {path}: it is in use")
        return super().file(path)


class Once:
    """Changes that come once."""

    def __init__(self, *paths: str) -> None:
        self.paths = frozenset(paths)

    def wait(self, _: float) -> frozenset[str]:
        paths, self.paths = self.paths, frozenset()
        return paths


def test_what_cannot_be_read_for_a_moment_is_read_later(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": configs.user("ann"), "b.yaml": configs.user("bob")})
    files = Locked(tmp_path)
    watched = watch(files)
    watched.check()
    write(tmp_path, {"a.yaml": None, "b.yaml": configs.BROKEN})
    files.locked = "b.yaml"
    with pytest.raises(NeedsHuman, match="in use"):
        watched.follow(Once("a.yaml", "b.yaml").wait)
    files.locked = ""
    changed, checked = watched.follow(Once().wait)
    assert (changed, checked) == ({"a.yaml", "b.yaml"}, at_once(tmp_path))


def test_files_without_a_say_are_waited_over(tmp_path: Path) -> None:
    write(tmp_path, {"reconciler.yaml": SETTINGS.replace("SPEC", "exclude: [notes/]"), "a.yaml": configs.user("ann")})
    watched = watch(WorkingTree(tmp_path))
    watched.check()

    class Twice(Once):
        def wait(self, seconds: float) -> frozenset[str]:
            return super().wait(seconds) or frozenset({"a.yaml", "policies/tests/x.yaml"})

    assert watched.follow(Twice("notes/a.yaml", "policies/a.yaml").wait)[0] == {"a.yaml"}
