"""Names made from ids, and files made from names."""

from __future__ import annotations

import uuid

import pytest

from reconciler.importing.documents import Folders, derive_names
from reconciler.wiring.bundled import bundled_kinds


def test_ids_that_begin_alike_keep_their_names_whatever_the_order() -> None:
    kind = bundled_kinds().kinds.members[0]
    ids = [str(uuid.UUID(int=number << 64)) for number in (1, 2, 1 << 40, (1 << 40) + 1)]
    names = derive_names(kind, ids, {f"{kind.name.lower()}-{'0' * 15}1"})
    assert names == derive_names(kind, reversed(ids), {f"{kind.name.lower()}-{'0' * 15}1"})
    assert len(set(names.values())) == len(ids)
    assert f"{kind.name.lower()}-{'0' * 15}1" not in names.values()


def test_what_is_no_uuid_gets_no_name() -> None:
    assert derive_names(bundled_kinds().kinds.members[0], ["", "x", "0" * 36], ()) == {}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("alice", "desk/users/alice.yaml"),
        ("a.b-c", "desk/users/a.b-c.yaml"),
        ("con", "desk/users/user-con.yaml"),
        ("nul.x", "desk/users/user-nul.x.yaml"),
        ("consul", "desk/users/consul.yaml"),
        ("../x/y", "desk/users/-x-y.yaml"),
        ("..", "desk/users/user-.yaml"),
        ("Taken", "desk/users/Taken-3.yaml"),
    ],
)
def test_a_name_becomes_a_file_that_every_system_can_have(name: str, path: str) -> None:
    folders = Folders("desk", {}, ["desk/users/taken.yaml", "desk/users/TAKEN-2.yaml"])
    assert folders.take_path(bundled_kinds().kinds.by_name["User"], name) == path
