"""The store in a long-lived process: one writer, readers that see one moment, and turns for other processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from reconciler.adapters.duckdb import sharing
from reconciler.adapters.duckdb.connection import FILE_NAME, WAL
from reconciler.adapters.duckdb.sharing import SharedStore
from reconciler.adapters.duckdb.store import DuckDBStore, open_store
from reconciler.errors import RetryLater
from tests.adapters.store.observing import answers
from tests.support.kinds import KINDS, FixedClock, owner, row, stamp, step, widget
from tests.support.patience import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.adapters.duckdb.memory import StoreMemory
    from reconciler.ports import Clock


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[SharedStore]:
    """A keeper of a new store, which was made and let go of."""
    found = SharedStore(tmp_path, FixedClock())
    found.store().bind(owner("origin", "main"))
    found.close_idle()
    yield found
    found.close_idle()


def _write_past(folder: Path) -> None:
    with duckdb.connect(str(folder / FILE_NAME)) as other:
        other.execute("CREATE TABLE main.mine (i INTEGER)")


def test_another_process_gets_its_turn_once_it_rests(keeper: SharedStore, tmp_path: Path) -> None:
    keeper.store()
    code = f"import duckdb; duckdb.connect({str(tmp_path / FILE_NAME)!r}).close()"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 1
    keeper.close_idle()
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_it_makes_ready_unless_another_process_has_its_turn(
    keeper: SharedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"import duckdb; held = duckdb.connect({str(tmp_path / FILE_NAME)!r}); print(flush=True); input()"
    opened = []

    def opening(*told: Any) -> DuckDBStore:
        opened.append(told)
        return open_store(*told)

    monkeypatch.setattr(sharing, "open_store", opening)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        keeper.make_ready()
        assert len(opened) == 1  # once: nobody waits for a turn that may not be needed
        other.communicate(b"\n")
    keeper.make_ready()
    keeper.store()
    assert len(opened) == 2


def test_it_tells_that_somebody_else_wrote(keeper: SharedStore, tmp_path: Path) -> None:
    assert not keeper.changed_externally()
    _write_past(tmp_path)
    assert keeper.changed_externally()
    keeper.store()
    assert not keeper.changed_externally()  # whoever has it open looks for himself
    keeper.close_idle()
    assert not keeper.changed_externally()


def test_it_tells_of_somebody_who_waits_at_the_door(
    keeper: SharedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = DuckDBStore.close

    def closed(store: DuckDBStore) -> None:
        close(store)
        _write_past(tmp_path)

    keeper.store().record_event("something", {})
    monkeypatch.setattr(DuckDBStore, "close", closed)
    keeper.close_idle()
    assert keeper.changed_externally()
    assert not keeper.changed_externally()


def _leave_in_the_log(folder: Path) -> None:
    """A program that dies after it has written: what it wrote is not in the file."""
    with duckdb.connect(str(folder / FILE_NAME)) as other:
        other.execute("PRAGMA disable_checkpoint_on_shutdown")
        other.execute("DELETE FROM main.widget_config")


def _replace(folder: Path) -> None:
    shutil.copy(folder / FILE_NAME, folder / "copy")
    (folder / "copy").replace(folder / FILE_NAME)
    _delete(folder)


def _delete(folder: Path) -> None:
    with duckdb.connect(str(folder / FILE_NAME)) as other:
        other.execute("DELETE FROM main.widget_config")


def _reconcile(folder: Path) -> None:
    with open_store(folder, FixedClock()) as other:
        other.apply(KINDS, step(7, row(widget("a", weight=7.0), 1, 7)))


CHANGES = {"file": _delete, "log": _leave_in_the_log, "another file": _replace, "unnoticed": _reconcile}


@pytest.mark.parametrize("how", CHANGES)
def test_it_forgets_what_it_knew_when_somebody_else_wrote(
    keeper: SharedStore, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "unnoticed":  # as where files have coarse dates
        monkeypatch.setattr(SharedStore, "_mark", lambda store: (0, 0, 0, 0))
    keeper.store().apply(KINDS, step(1, row(widget("a"), 1), row(widget("b"), 1)))
    before = answers(keeper.store())
    keeper.close_idle()
    CHANGES[how](tmp_path)
    found = answers(keeper.store())
    keeper.close_idle()
    with open_store(tmp_path, FixedClock()) as store:
        assert found == answers(store)
    assert found != before


def test_it_forgets_what_it_knew_when_somebody_was_first(
    keeper: SharedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opening(*told: Any) -> DuckDBStore:
        _delete(tmp_path)
        return open_store(*told)

    keeper.store().apply(KINDS, step(1, row(widget("a"), 1)))
    assert keeper.store().counts()["Widget"] == 1
    keeper.close_idle()
    monkeypatch.setattr(sharing, "open_store", opening)
    assert keeper.store().counts()["Widget"] == 0


def test_it_knows_what_it_knew_when_nobody_else_wrote(
    keeper: SharedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = []

    def opening(folder: Path, clock: Clock, recall: Callable[[], StoreMemory | None]) -> DuckDBStore:
        known.append(recall())
        return open_store(folder, clock, recall)

    monkeypatch.setattr(sharing, "open_store", opening)
    for number in range(1, 4):
        keeper.store().apply(KINDS, step(number, row(widget("a", weight=float(number)), 1, number)))
        before = answers(keeper.store())
        keeper.close_idle()
        assert answers(keeper.store()) == before
        assert known[-1] is not None
        keeper.close_idle()
    with open_store(tmp_path, FixedClock()) as store:
        assert answers(store) == before
        live = store.intervals_after(0, 9)
    commits = [stamp(number).commit for number in (1, 2, 3)]
    assert [one.commit for one in sorted(live, key=lambda one: one.seq)] == commits
    assert [one.until for one in live].count(None) == 1
    with keeper.keep_closed():
        """Whoever copies the file may put another one in its place."""
    keeper.store()
    assert known[-1] is None
    keeper.discard()
    keeper.store()
    assert known[-1] is None  # nor is it trusted after an error


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_it_rests_on_a_full_disk_and_loses_nothing(keeper: SharedStore, tmp_path: Path) -> None:
    import resource  # noqa: PLC0415  there is none on Windows

    keeper.store().apply(KINDS, step(1, *(row(widget(f"w{number}"), 1) for number in range(500))))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / f"{FILE_NAME}{WAL}").stat().st_size, hard))
    try:
        keeper.close_idle()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert keeper.store().counts()["Widget"] == 500


def test_a_reader_sees_the_moment_it_began_at(keeper: SharedStore) -> None:
    store = keeper.store()
    store.record_event("first", {})
    with keeper.reading() as reader:
        assert [event.event for event in reader.events(10)] == ["first", "bound"]
        store.record_event("second", {})
        assert [event.event for event in reader.events(10)] == ["first", "bound"]
    with keeper.reading() as reader:
        assert next(event.event for event in reader.events(10)) == "second"


def test_resting_takes_the_file_from_no_reader(keeper: SharedStore) -> None:
    with keeper.reading() as reader:
        keeper.close_idle()
        assert len(reader.events(10)) == 1


def test_many_read_while_one_writes(keeper: SharedStore) -> None:
    def read(_: int) -> int:
        seen = 0
        for _ in range(20):
            with keeper.reading() as reader:
                seen = max(seen, len(reader.events(100)))
        return seen

    with ThreadPoolExecutor(4) as readers:
        reading = [readers.submit(read, number) for number in range(4)]
        for number in range(20):
            keeper.store().record_event(f"event-{number}", {})
            keeper.close_idle()
        assert all(one.result(DEADLINE) >= 1 for one in reading)


def test_while_it_is_away_nobody_reads_and_afterwards_all_may(
    keeper: SharedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "READERS_SECONDS", 0.05)
    with keeper.keep_closed(), pytest.raises(RetryLater, match="is being copied"), keeper.reading():
        raise AssertionError("it was open")
    with keeper.reading() as reader:
        assert reader.applied() is None


def test_a_reader_that_does_not_end_keeps_it_from_going_away(
    keeper: SharedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "READERS_SECONDS", 0.05)
    with keeper.reading(), pytest.raises(RetryLater, match="is being read"), keeper.keep_closed():
        raise AssertionError("it went away")


def test_the_zone_of_the_machine_counts_for_no_reader(keeper: SharedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    keeper.store().record_event("first", {})
    with keeper.reading() as reader:
        assert reader.events(1)[0].at.utcoffset() is not None
        assert abs((reader.events(1)[0].at - keeper.store().events(1)[0].at).total_seconds()) == 0
