"""Where a new file goes, what is refused, and which schema its first line names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import UsageError
from reconciler.kinds.kind import Kinds
from reconciler.model.change import FileEntry, Identified, Key
from reconciler.scaffold.files import NewFiles, path_between, resource_file, usual_folder
from reconciler.values import replace
from tests.scaffold.kinds import ROW, checked, example_kinds, thing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

USER = example_kinds().by_name["User"]
BROKER = example_kinds().by_name["Broker"]
EXPORTED = ".reconciler/schemas/user.schema.json"


def author(
    entries: Mapping[str, FileEntry] | None = None, *, files: Collection[str] = (), base: str = "", counts: bool = True
) -> NewFiles:
    return NewFiles(
        base=base,
        kinds=example_kinds(),
        own=frozenset({"Broker"}),
        problems=(),
        entries=entries or {},
        counts=lambda path: counts,
        exists=lambda path: path in files,
    )


def declared(name: str) -> FileEntry:
    return checked(USER, author().draft_resource(USER, name, ROW).text)


def test_it_goes_where_most_others_of_its_kind_stand() -> None:
    entries = {"z/a.yaml": declared("a"), "desk/users/b.yaml": declared("b"), "desk/users/c.yaml": declared("c")}
    assert author(entries).draft_resource(USER, "d", ROW).path == "desk/users/d.yaml"
    assert usual_folder(BROKER, entries, "") == "brokers"


def test_of_two_folders_alike_it_is_always_the_same() -> None:
    entries = {"b/one.yaml": declared("one"), "a/two.yaml": declared("two")}
    assert usual_folder(USER, entries, "") == usual_folder(USER, dict(reversed(entries.items())), "") == "a"


def test_without_any_it_is_the_plural_below_the_configurations_folder() -> None:
    assert author(base="desk").draft_resource(USER, "d", ROW).path == "desk/users/d.yaml"


def test_others_at_the_root_are_followed_there() -> None:
    assert author({"a.yaml": declared("a")}).draft_resource(USER, "b", ROW).path == "b.yaml"


@pytest.mark.parametrize(
    ("path", "files", "base", "line", "there"),
    [
        (None, {EXPORTED}, "", "../.reconciler/schemas/user.schema.json", True),
        (None, set(), "", "../.reconciler/schemas/user.schema.json", False),
        ("x.yaml", {EXPORTED}, "", ".reconciler/schemas/user.schema.json", True),
        ("a/b/x.yaml", {EXPORTED}, "", "../../.reconciler/schemas/user.schema.json", True),
        (None, {f"desk/{EXPORTED}"}, "desk", "../.reconciler/schemas/user.schema.json", True),
    ],
)
def test_the_first_line_names_the_exported_schema(
    path: str | None, files: set[str], base: str, line: str, there: bool
) -> None:
    draft = author(files=files, base=base).draft_resource(USER, "x", ROW, path)
    assert draft.text.startswith(f"# yaml-language-server: $schema={line}\n")
    assert draft.schema_exists is there


def test_an_own_kind_names_its_source_unless_it_was_exported() -> None:
    assert "$schema=../schemas/broker.schema.json\n" in author().draft_resource(BROKER, "x", ROW).text
    exported = author(files={".reconciler/schemas/broker.schema.json"}).draft_resource(BROKER, "x", ROW)
    assert "$schema=../.reconciler/schemas/broker.schema.json\n" in exported.text


@pytest.mark.parametrize("name", ["Bad Name", "", "a/b", "-x", "x" * 64, "ü", "\ud800", "x\n", "x: y"])
def test_a_name_against_the_schema_is_refused_in_the_words_of_a_problem(name: str) -> None:
    with pytest.raises(UsageError, match=r"^\[(bad-format|too-long|yaml-syntax|unsafe-yaml)\] /metadata/name: "):
        author().draft_resource(USER, name, ROW)


def test_the_hint_is_the_schemas_rule() -> None:
    with pytest.raises(UsageError) as caught:
        author().draft_resource(USER, "Bad Name", ROW)
    assert str(caught.value) == "[bad-format] /metadata/name: 'Bad Name' has the wrong format"
    assert caught.value.hint.startswith("1 to 63 lower-case letters")


def test_a_taken_name_is_refused_with_its_place() -> None:
    with pytest.raises(UsageError, match=r"User a is declared already: users/z\.yaml:3"):
        author({"users/z.yaml": declared("a")}).draft_resource(USER, "a", ROW)


def test_a_name_in_a_file_with_errors_is_taken_too() -> None:
    entries = {"users/z.yaml": FileEntry(identified=(Identified(Key("User", "a"), 7),))}
    with pytest.raises(UsageError, match=r"declared already: users/z\.yaml:7"):
        author(entries).draft_resource(USER, "a", ROW)


def test_a_file_that_would_not_count_is_refused() -> None:
    with pytest.raises(UsageError, match=r"notes\.txt would not be part of the configuration"):
        author(counts=False).draft_resource(USER, "a", ROW, "notes.txt")


@pytest.mark.parametrize("word", ["user", "Users", "USER_CONFIG"])
def test_a_kind_is_found_as_people_write_it(word: str) -> None:
    assert author().find_kind(word).name == "User"


def test_the_nearest_kind_is_told() -> None:
    with pytest.raises(UsageError) as caught:
        author().find_kind("brokr")
    assert (str(caught.value), caught.value.hint) == ("there is no kind brokr", "did you mean broker?")
    with pytest.raises(UsageError) as caught:
        author().find_kind("xyz")
    assert caught.value.hint == "there are: account, broker, instance, signal, system, user"


def test_origins() -> None:
    assert [author().origin(kind) for kind in (USER, BROKER)] == ["shipped", "schemas/broker.schema.json"]


def test_what_is_left_to_fill_in_is_told() -> None:
    kind = thing({"code": {"type": "string", "pattern": "^[0-9]{7}-[0-9]{3}$"}})
    draft = replace(author(), kinds=Kinds((kind,))).draft_resource(kind, "a", ROW)
    assert [problem.pointer for problem in draft.problems] == ["/spec/code"]


def test_file_names_lead_nowhere_else() -> None:
    assert resource_file("fx-majors.1") == "fx-majors.1.yaml"
    assert resource_file("../a/b:c\\d") == "..-a-b-c-d.yaml"


@pytest.mark.parametrize(
    ("target", "file", "told"),
    [
        ("a/s.json", "b/x.yaml", "../a/s.json"),
        ("a/s.json", "a/x.yaml", "s.json"),
        ("a/s.json", "a/b/x.yaml", "../s.json"),
        ("s.json", "x.yaml", "s.json"),
        ("a/b/s.json", "a/x.yaml", "b/s.json"),
        ("a/s.json", "a/s.json/x.yaml", "../s.json"),
    ],
)
def test_an_address_leads_from_one_file_to_another(target: str, file: str, told: str) -> None:
    assert path_between(target, file) == told
