"""The published copy: the live rows of one commit, in two files that take turns."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.duckdb import published
from reconciler.adapters.duckdb.published import Change, PublishedCopy
from reconciler.adapters.duckdb.store import open_store
from reconciler.errors import InUse, NeedsHuman, RetryLater
from reconciler.kinds.kind import Kinds
from reconciler.tables.duckdb import qualify
from reconciler.tables.view import view_mark
from tests.adapters.store.test_laws import WIDE, histories, touched, valid
from tests.support.kinds import (
    GADGET,
    KINDS,
    ODD,
    WIDGET,
    FixedClock,
    gadget,
    make_kind,
    resource,
    row,
    step,
    tombstone,
    widget,
)
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.model.change import Row, RowId
    from reconciler.model.commit import StoreUpdate


class Desk:
    """A store and its copy. `go_live` is what the daemon does with a commit."""

    def __init__(self, store: DuckDBStore, folder: Path) -> None:
        self.store, self.file, self.kinds = store, folder / "live.duckdb", KINDS
        self.copy = self.new_copy()
        self.copy.begin()

    def new_copy(self, **given: Any) -> PublishedCopy:
        return PublishedCopy(self.file, **{"mode": 0o400, "tree": None, "is_ours": True, **given})

    def apply(self, update: StoreUpdate, *, heard: bool = True, kinds: Kinds | None = None) -> None:
        base, kinds = self.store.applied(), kinds or self.kinds
        applied = self.store.apply(kinds, update)
        if heard and base is not None and kinds == self.kinds:
            self.copy.hear(Change.of(kinds, base, applied, update.rows))
        self.kinds = kinds

    def publish(self) -> bool:
        applied = self.store.applied()
        assert applied is not None
        return self.copy.publish(view_mark(applied), lambda: nullcontext(self.store))

    def go_live(self, update: StoreUpdate, **how: Any) -> None:
        self.apply(update, **how)
        assert self.publish()
        self.check()

    def check(self) -> None:
        """What readers find is what is live."""
        with duckdb.connect(str(self.file), read_only=True) as found:
            assert contents(found) == contents(self.store._connection)
            [(commit, height)] = found.execute("SELECT commit_sha, height FROM gitops.applied").fetchall()
        applied = self.store.applied()
        assert applied is not None
        assert (commit, height) == (applied.stamp.commit, applied.height)
        assert not self.file.with_name("live.duckdb.wal").exists()

    @property
    def inode(self) -> int:
        return self.file.stat().st_ino


def contents(connection: Any) -> dict[str, Any]:
    """Columns and rows of each table of `main`."""
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = 'main'"
    ).fetchall()
    found = {}
    for (table,) in tables:
        columns = connection.execute(f"DESCRIBE {qualify('main', table)}").fetchall()
        rows = connection.execute(f"SELECT * FROM {qualify('main', table)}").fetchall()
        found[table] = ([column[:2] for column in columns], sorted(rows, key=str))
    return found


@pytest.fixture
def desk(duckdb_store: DuckDBStore, tmp_path: Path) -> Desk:
    return Desk(duckdb_store, tmp_path)


happenings = st.lists(st.sampled_from(["", "", "", "missed", "late", "restart", "altered", "deleted"]), max_size=4)


@settings(max_examples=examples(25, quick=2))
@given(history=histories, happening=happenings, widened=st.integers(1, 5))
def test_the_copy_is_what_is_live(history: list[list[Any]], happening: list[str], widened: int) -> None:
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder), FixedClock()) as store:
        desk = Desk(store, Path(folder))
        rows: dict[RowId, Row] = {}
        for number, commit in enumerate(history, 1):
            what = happening[number - 1] if number <= len(happening) else ""
            found = valid([one for edit in commit if (one := touched(edit, number, rows)) is not None], rows)
            rows |= {one.row_id: one for one in found}
            desk.apply(step(number, *found), heard=what != "missed", kinds=KINDS if number < widened else WIDE)
            if what == "late":
                continue
            if what == "restart":
                desk.copy = desk.new_copy()
                desk.copy.begin()
            elif what == "altered":
                _alter(desk.file)
            elif what == "deleted":
                desk.file.unlink(missing_ok=True)
            assert desk.publish()
            desk.check()


def _alter(file: Path) -> None:
    if file.exists():
        file.chmod(0o600)
        with duckdb.connect(str(file)) as connection:
            connection.execute("DELETE FROM main.widget_config")
            connection.execute("CREATE TABLE main.mine (i INTEGER)")


def test_names_that_have_to_be_quoted(desk: Desk) -> None:
    desk.kinds = Kinds((ODD,))
    values = {'the "key"': "00000000-0000-4000-8000-000000000001", "select": "it's", "ÄÖ.x": 0.1}
    desk.go_live(step(1, row(resource(ODD, "a", values), 1)))
    desk.go_live(step(2, row(resource(ODD, "a", {**values, "ÄÖ.x": 0.2}), 1, 2)))


def test_two_files_take_turns(desk: Desk) -> None:
    desk.go_live(step(1, *(row(widget(f"w{number}"), 1) for number in range(3))))
    inodes = []
    for number in range(2, 6):
        desk.go_live(step(number, row(widget(f"w{number % 3}", pieces=number), 1, number)))
        inodes.append(desk.inode)
    assert inodes[0] != inodes[1]
    assert inodes == inodes[:2] * 2


def test_what_left_git_and_kinds_that_come_and_go(desk: Desk) -> None:
    one, other = widget("one"), gadget("other")
    desk.go_live(step(1, row(one, 1), row(other, 1)))
    desk.go_live(step(2, tombstone(one, 1, 2), tombstone(other, 1, 2)))
    desk.go_live(step(3, row(other, 1, 3)))
    more = Kinds((GADGET, WIDGET, make_kind("Third", GADGET.columns[:1])))
    desk.go_live(step(4), kinds=more)
    desk.go_live(step(5), kinds=KINDS)


def test_what_was_left_by_another_process_is_gone_on_with_once_it_was_looked_at(desk: Desk) -> None:
    desk.go_live(step(1, row(widget("a"), 1)))
    desk.copy = desk.new_copy()
    desk.copy.begin()
    assert desk.publish()  # it is the commit that is live, but was never compared
    assert desk.copy.verify(lambda: nullcontext(desk.store))
    inode = desk.inode
    assert desk.publish()
    assert desk.inode == inode
    _alter(desk.file)
    assert desk.copy.published() is None
    desk.copy.begin()
    assert desk.copy.published() is not None  # it says so
    assert not desk.copy.verify(lambda: nullcontext(desk.store))
    assert desk.publish()
    desk.check()


def test_drift_is_of_no_commit(desk: Desk) -> None:
    desk.apply(step(1, row(widget("a"), 1)))
    desk.store._connection.execute("UPDATE main.widget_config SET pieces = 999")
    desk.publish()
    with duckdb.connect(str(desk.file), read_only=True) as found:
        assert found.execute("SELECT pieces FROM widget_config").fetchall() == [(3,)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_it_has_the_mode_that_is_asked_for_and_what_is_beside_it_is_private(desk: Desk) -> None:
    desk.copy = desk.new_copy(mode=0o440)
    desk.copy.begin()
    for number in range(1, 4):
        desk.go_live(step(number, row(widget("a", pieces=number), 1, number)))
        assert desk.file.stat().st_mode & 0o777 == 0o440
    assert desk.file.with_name(".live.duckdb").stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_no_copy_is_left_alone(desk: Desk, tmp_path: Path) -> None:
    desk.go_live(step(1, row(widget("a"), 1)))
    desk.store.settle()
    contents = {
        "theirs.duckdb": b"",
        "text.duckdb": b"hello " * 5000,
        "store.duckdb": (tmp_path / "state" / "state.duckdb").read_bytes(),
    }
    with duckdb.connect(str(tmp_path / "theirs.duckdb")) as theirs:
        theirs.execute("CREATE TABLE mine (i INTEGER)")
    contents["theirs.duckdb"] = (tmp_path / "theirs.duckdb").read_bytes()
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        copy = PublishedCopy(tmp_path / name, 0o400, None, is_ours=False)
        with pytest.raises(NeedsHuman, match="is no published copy: it is left alone"):
            copy.begin()
        assert (tmp_path / name).read_bytes() == content
    moved = PublishedCopy(desk.file, 0o400, None, is_ours=False)
    moved.begin()
    assert moved.published() is not None


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("nowhere/live.duckdb", "there is no folder"),
        ("tree/live.duckdb", "inside the working tree"),
        ("tree/deep/live.duckdb", "inside the working tree"),
        ("tree", "is a folder"),
    ],
)
def test_places_where_no_copy_can_be(tmp_path: Path, place: str, says: str) -> None:
    tree = tmp_path / "tree"
    (tree / ".git").mkdir(parents=True)
    (tree / "deep").mkdir()
    with pytest.raises(NeedsHuman, match=says):
        PublishedCopy(tmp_path / place, 0o400, tree, is_ours=False).begin()
    PublishedCopy(tree / ".git" / "live.duckdb", 0o400, tree, is_ours=False).begin()


def test_windows_waits_until_the_file_may_be_replaced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.go_live(step(1, row(widget("a"), 1)))
    desk.go_live(step(2, row(widget("a", pieces=2), 1, 2)))
    monkeypatch.setattr(published, "IS_POSIX", False)
    replace = Path.replace

    def refuse(source: Path, target: Path) -> Path:
        if target == desk.file:
            raise PermissionError(13, "The process cannot access the file")
        return replace(source, target)

    with monkeypatch.context() as held:
        held.setattr(Path, "replace", refuse)
        for number in (3, 4):
            desk.apply(step(number, row(widget("a", pieces=number), 1, number)))
            assert not desk.publish()
            assert not desk.publish()  # as each second; what is ready is not written again
        with duckdb.connect(str(desk.file), read_only=True) as found:
            assert found.execute("SELECT pieces FROM widget_config").fetchall() == [(2,)]
    assert desk.publish()
    desk.check()
    desk.go_live(step(5, row(widget("a", pieces=5), 1, 5)))


@pytest.mark.slow
def test_a_file_system_without_second_names(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*names: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", refuse)
    for number in range(1, 5):
        desk.go_live(step(number, row(widget("a", pieces=number), 1, number)))


def test_a_full_disk_is_told_and_nothing_is_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.go_live(step(1, row(widget("a"), 1)))

    def fail(*given: object) -> None:
        raise duckdb.IOException("IO Error: Could not write all bytes: No space left on device")

    desk.apply(step(2, row(widget("a", pieces=2), 1, 2)))
    with monkeypatch.context() as full:
        full.setattr(published, "_write_changes", fail)
        with pytest.raises(RetryLater, match=r"cannot write .*live\.duckdb: the disk is full"):
            desk.publish()
    with duckdb.connect(str(desk.file), read_only=True) as found:
        assert found.execute("SELECT pieces FROM widget_config").fetchall() == [(3,)]
    desk.copy.begin()
    assert desk.publish()
    desk.check()


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.slow
@pytest.mark.parametrize("point", range(4))
def test_killed_at_any_step_of_a_swap(desk: Desk, monkeypatch: pytest.MonkeyPatch, point: int) -> None:
    for number in (1, 2):
        desk.go_live(step(number, row(widget("a", pieces=number), 1, number)))
    desk.apply(step(3, row(widget("a", pieces=3), 1, 3)))
    steps = itertools.count()

    def dying(real: Any) -> Any:
        def act(*given: Any) -> Any:
            if next(steps) == point:
                raise Killed
            return real(*given)

        return act

    with monkeypatch.context() as dies:
        dies.setattr("os.link", dying(os.link))
        for name in ("chmod", "replace"):
            dies.setattr(Path, name, dying(getattr(Path, name)))
        with pytest.raises(Killed):
            desk.publish()
    with duckdb.connect(str(desk.file), read_only=True) as found:
        assert found.execute("SELECT pieces FROM widget_config").fetchall() in ([(2,)], [(3,)])
    desk.copy = desk.new_copy()
    desk.copy.begin()
    for number in (4, 5):
        desk.go_live(step(number, row(widget("a", pieces=number), 1, number)))


HOLD = """
import sys, duckdb
held = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reads")
print("held", flush=True)
sys.stdin.readline()
if sys.argv[2] == "writes":
    held.execute("UPDATE widget_config SET pieces = 999")
print(held.execute("SELECT pieces FROM widget_config").fetchall(), flush=True)
"""


class Holder:
    """Another process that has the copy open."""

    def __init__(self, file: Path, how: str) -> None:
        command = [sys.executable, "-c", HOLD, str(file), how]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def go_on(self) -> str:
        """What it finds in the file that it has."""
        return self.process.communicate("\n")[0].strip()


@pytest.fixture
def holders() -> Iterator[list[Holder]]:
    found: list[Holder] = []
    yield found
    for one in found:
        one.process.kill()
        one.process.wait()


@pytest.mark.slow
def test_readers_keep_what_they_opened_and_the_next_find_the_new_commit(desk: Desk, holders: list[Holder]) -> None:
    desk.go_live(step(1, row(widget("a", pieces=1), 1)))
    for number in range(2, 8):
        if number in (3, 4, 6):
            holders.append(Holder(desk.file, "reads"))
        desk.go_live(step(number, row(widget("a", pieces=number), 1, number)))
    assert [one.go_on() for one in holders] == ["[(2,)]", "[(3,)]", "[(5,)]"]


@pytest.mark.slow
def test_a_program_that_writes_to_it_loses_what_it_wrote(desk: Desk, holders: list[Holder]) -> None:
    desk.go_live(step(1, row(widget("a", pieces=1), 1)))
    desk.go_live(step(2, row(widget("a", pieces=2), 1, 2)))
    desk.file.chmod(0o600)
    holders.append(Holder(desk.file, "writes"))
    with pytest.raises(InUse, match=f"in use by process {holders[0].process.pid} .*, which writes to it"):
        PublishedCopy(desk.file, 0o400, None, is_ours=False).begin()
    assert desk.copy.published() is not None
    desk.apply(step(3, row(widget("a", pieces=3), 1, 3)))
    assert desk.publish()
    assert holders[0].go_on() == "[(999,)]"
    for number in (4, 5):
        desk.go_live(step(number, row(widget("b", pieces=number), 4, number)))
