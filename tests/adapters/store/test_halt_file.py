"""The file of halts: it is there before any row obeys, and whoever opens the store next obeys it."""

from __future__ import annotations

import shutil
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.adapters.duckdb.backup import back_up, restore
from reconciler.adapters.duckdb.sharing import SharedStore
from reconciler.adapters.duckdb.store import open_reader, open_store
from reconciler.adapters.haltfile import SIZE, HaltFile
from reconciler.errors import NeedsHuman, UsageError
from reconciler.kinds.build import build_kind
from reconciler.kinds.kind import Kinds
from reconciler.model.halt import MAX_CHANGES, Halt, Halts, HaltSelector
from reconciler.model.selection import Condition
from reconciler.values import replace
from tests.support.kinds import FixedClock, row, step, uid
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reconciler.model.change import Row

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ALL = HaltSelector()


def halt(selector: HaltSelector = ALL, name: str = "a") -> Halt:
    return Halt(name, selector, "why", "me", NOW)


def test_it_is_read_as_it_was_written_and_keeps_its_size(tmp_path: Path) -> None:
    file = HaltFile(tmp_path)
    assert (file.read(), file.mark()) == (Halts(), None)
    written = file.change(lambda halts: halts.add(halt()))
    assert file.read() == HaltFile(tmp_path).read() == written
    mark = file.mark()
    assert file.change(lambda halts: halts) == written
    assert file.mark() == mark, "nothing to write"
    for number in range(2 * MAX_CHANGES):
        file.change(lambda halts, number=number: halts.add(halt(HaltSelector("User", (f"u{number}",)), f"{number}")))
    assert file.path.stat().st_size == SIZE
    assert len(file.read().standing) == 2 * MAX_CHANGES + 1


def test_too_many_halts_are_refused_in_words(tmp_path: Path) -> None:
    file = HaltFile(tmp_path)
    before = file.change(lambda halts: halts.add(halt()))
    many = HaltSelector("User", tuple(f"user-number-{number}" for number in range(5_000)))
    with pytest.raises(UsageError, match="too many halts"):
        file.change(lambda halts: halts.add(halt(many)))
    assert file.read() == before


def test_a_full_disk_keeps_nobody_from_halting(tmp_path: Path) -> None:
    """Room is taken beforehand, and given back with each change: the blocks of the folder's files stay as many."""
    file = HaltFile(tmp_path)
    file.reserve()

    def size() -> int:
        return sum(one.stat().st_size for one in tmp_path.iterdir())

    before = size()
    spare = next(one for one in tmp_path.iterdir() if one.name.endswith(".spare"))
    for number in range(3):
        inode = spare.stat().st_ino
        file.change(lambda halts, number=number: halts.add(halt(name=f"{number}")))
        assert file.path.stat().st_ino == inode, "what was reserved got the name"
        assert size() == before
    assert len(file.read().standing) == 3


def test_of_many_who_halt_at_once_none_is_lost(tmp_path: Path) -> None:
    names = [f"u{number}" for number in range(16)]
    ready = threading.Barrier(len(names))

    def write(name: str) -> None:
        ready.wait(60)
        HaltFile(tmp_path).change(lambda halts: halts.add(halt(HaltSelector("User", (name,)), name)))

    threads = [threading.Thread(target=write, args=(name,), name=name) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(one.id for one in HaltFile(tmp_path).read().standing) == sorted(names)
    assert {one.name for one in tmp_path.iterdir()} == {"halts.json", ".halts.json.spare", ".halts.json.lock"}


def test_what_the_rows_obey_counts_where_the_file_was_lost_or_is_garbage(tmp_path: Path) -> None:
    file, other = HaltFile(tmp_path), halt(HaltSelector("User", ("ben",)), "b")
    obeyed = file.change(lambda halts: halts.add(halt()))
    for spoil in (file.path.unlink, lambda: file.path.write_text("garbage")):
        spoil()
        after = file.change(lambda halts: halts.add(other), obeyed)
        assert [one.id for one in after.standing] == ["a", "b"]
        assert after.number > obeyed.number


def test_one_who_was_stopped_in_the_middle_keeps_nobody_from_halting(tmp_path: Path) -> None:
    file, entered, leave = HaltFile(tmp_path), threading.Event(), threading.Event()

    def wait(halts: Halts) -> Halts:
        entered.set()
        leave.wait()
        return halts

    stopped = threading.Thread(target=lambda: file.change(wait), name="stopped")
    stopped.start()
    try:
        assert entered.wait(60)
        assert HaltFile(tmp_path).change(lambda halts: halts.add(halt())).standing
    finally:
        leave.set()
        stopped.join(60)
    assert file.read().standing


@pytest.mark.parametrize("broken", ["{", "[]", '{"number": "x"}', "", '{"standing": [{}]}', "\0" * SIZE])
def test_a_file_that_says_nothing_is_told_and_can_be_written_over(tmp_path: Path, broken: str) -> None:
    file = HaltFile(tmp_path)
    file.path.write_text(broken)
    with pytest.raises(NeedsHuman, match="holds no halts"):
        file.read()
    with pytest.raises(NeedsHuman, match="holds no halts"):
        open_store(tmp_path, FixedClock())
    assert file.change(lambda halts: halts.add(halt())).standing == file.read().standing == (halt(),)
    open_store(tmp_path, FixedClock()).close()


SCHEMA = {
    "title": "Robot",
    "properties": {
        "kind": {"const": "Robot"},
        "spec": {
            "properties": {
                "robot_id": {"type": "string", "description": "its id"},
                "status": {"enum": ["ACTIVE", "INACTIVE"], "description": "on or off"},
            },
            "required": ["status"],
        },
    },
    "x-reconciler": {
        "table": "robot_config",
        "key": "robot_id",
        "columns": {"robot_id": "UUID", "status": "VARCHAR(20)"},
        "indexes": [["robot_id", "status"]],
        "references": {},
        "halt": {"status": "INACTIVE"},
    },
}
ROBOT = build_kind(SCHEMA, "schemas/robot.schema.json")
KINDS = Kinds((ROBOT,))
NAMES = ("ann", "ben", "cleo")


def robots(*names: str, at: int = 1) -> Iterator[Row]:
    from tests.support.kinds import resource  # noqa: PLC0415

    for name in names:
        values = {"robot_id": uid(NAMES.index(name) + 1), "status": "ACTIVE"}
        yield row(resource(ROBOT, name, values), 1, at)


def statuses(folder: Path) -> dict[str, object]:
    reader = open_reader(folder)
    assert reader is not None
    with reader:
        return {one.name: one.values["status"] for one in reader.live(ROBOT)}


def test_whoever_opens_the_store_next_obeys(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        store.apply(KINDS, step(1, *robots("ann", "ben")))
    HaltFile(tmp_path).change(lambda halts: halts.add(halt(HaltSelector("Robot", ("ann",), (uid(1),)))))
    assert statuses(tmp_path) == {"ann": "INACTIVE", "ben": "ACTIVE"}
    HaltFile(tmp_path).path.unlink()
    assert statuses(tmp_path) == {"ann": "INACTIVE", "ben": "ACTIVE"}, "the store knows them as well"
    with open_store(tmp_path, FixedClock()) as store:
        assert HaltFile(tmp_path).read() == store.halts()


@pytest.mark.parametrize(
    "typed",
    [
        HaltSelector("robot", ("ann",), ("ann",)),
        HaltSelector("ROBOTS", ("00A",), (uid(1),)),
        HaltSelector("robots", labels=(Condition("host", ("a",)),)),
        HaltSelector("robots"),
        HaltSelector("robot_config"),
        HaltSelector("Robot_Config", ("ann",), ("ann",)),
        HaltSelector("ROBOT_CONFIG", labels=(Condition("host", ("a",)),)),
    ],
    ids=str,
)
def test_a_kind_as_somebody_typed_it_is_obeyed(tmp_path: Path, typed: HaltSelector) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        store.apply(KINDS, step(1, *robots("ann")))
    HaltFile(tmp_path).change(lambda halts: halts.add(halt(typed)))
    assert statuses(tmp_path) == {"ann": "INACTIVE"}
    with open_store(tmp_path, FixedClock()) as store:
        named = [replace(typed, kind="Robot")]
        assert [one.selector for one in store.halts().standing] == named
        assert [one.selector for one in HaltFile(tmp_path).read().standing] == named
        store.apply(KINDS, step(2, *robots("ann", at=2)))
    assert statuses(tmp_path) == {"ann": "INACTIVE"}, "what a commit writes, too"


@pytest.mark.parametrize("typed", ["robot", "ROBOTS", "robot_config"])
def test_a_kind_may_come_after_somebody_typed_it(tmp_path: Path, typed: str) -> None:
    HaltFile(tmp_path).change(lambda halts: halts.add(halt(HaltSelector(typed))))
    with open_store(tmp_path, FixedClock()) as store:
        store.apply(KINDS, step(1, *robots("ann")))
        assert [one.values["status"] for one in store.live(ROBOT)] == ["INACTIVE"]
    with open_store(tmp_path, FixedClock()) as store:
        assert [one.selector.kind for one in store.halts().standing] == ["Robot"]
    assert statuses(tmp_path) == {"ann": "INACTIVE"}


def test_a_thread_obeys_beside_the_one_that_writes(tmp_path: Path) -> None:
    shared, told = SharedStore(tmp_path, FixedClock()), []
    shared.on_obeyed = lambda kinds, done: told.append((kinds, done))
    store = shared.store()
    applied = store.apply(KINDS, step(1, *robots("ann", "ben")))
    base = store.base(KINDS)
    HaltFile(tmp_path).change(lambda halts: halts.add(halt()))
    thread = threading.Thread(target=shared.obey_halts, name="halting")
    thread.start()
    thread.join(60)
    assert {one.name: one.values["status"] for one in store.live(ROBOT)} == {"ann": "INACTIVE", "ben": "INACTIVE"}
    ((kinds, done),) = told
    assert [kind.name for kind in kinds] == ["Robot"]
    assert (done.base, done.applied) == (applied, store.applied())
    assert {one.resource.values["status"] for one in base.rows()} == {"ACTIVE"}, "one that was open before, too"
    assert shared.obey_halts() is None
    shared.close_idle()


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.lists(st.sampled_from(NAMES), min_size=1, unique=True)),
        st.tuples(
            st.sampled_from(["halt", "release"]),
            st.sampled_from([ALL, HaltSelector("Robot"), *(HaltSelector("Robot", (name,)) for name in NAMES)]),
        ),
        st.tuples(st.sampled_from(["backup", "restore", "lose the store", "lose the file"]), st.none()),
    ),
    max_size=8,
)


@pytest.mark.slow  # backups and restores in each example
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_no_halted_resource_is_ever_on(tmp_path: Path, acts: Sequence[tuple[str, Any]]) -> None:
    """Whatever is committed, restored or lost: what a halt covers is off, what no halt covers is as git says."""
    folder = tmp_path / "state"
    shutil.rmtree(folder, ignore_errors=True)
    clock, declared, saved = FixedClock(), {"ann"}, []
    with open_store(folder, clock) as store:
        store.apply(KINDS, step(1, *robots("ann")))
    standing = Halts()
    for number, (act, given_) in enumerate(acts, 2):
        if act == "commit":
            declared |= set(given_)
            with open_store(folder, clock) as store:
                store.apply(KINDS, step(number, *robots(*sorted(given_), at=number)))
        elif act in ("halt", "release"):
            at = NOW + timedelta(minutes=number)
            standing = (
                standing.add(halt(given_, f"{number}")) if act == "halt" else standing.release(given_, "", "", at)
            )
            HaltFile(folder).change(lambda found, after=standing: after)
        elif act == "backup":
            saved = [(back_up(folder, NOW + timedelta(hours=number)), set(declared))]
        elif act == "restore" and saved:
            restore(saved[0][0], folder, lambda owner, applied: True, NOW + timedelta(hours=number))
            declared = set(saved[0][1])
        elif act == "lose the store":
            (folder / "state.duckdb").unlink()
            with open_store(folder, clock) as store:
                store.replace(KINDS, step(number, *robots(*sorted(declared), at=number)))
        elif act == "lose the file":
            statuses(folder)  # somebody has obeyed it before it is lost
            HaltFile(folder).path.unlink(missing_ok=True)
            open_store(folder, clock).close()
        expected = {
            name: "INACTIVE" if standing.find("Robot", name, uid(NAMES.index(name) + 1), {"host": "a"}) else "ACTIVE"
            for name in declared
        }
        assert statuses(folder) == expected, act
