"""Copies of the store and the way back, on real files."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from reconciler.adapters.duckdb.backup import Backup, back_up, backups, delete_backup, restore
from reconciler.adapters.duckdb.store import open_store
from reconciler.errors import BugError, NeedsHuman, RetryLater, UsageError
from tests.adapters.store.observing import observe
from tests.adapters.store.tampering import real_step
from tests.support.kinds import KINDS, FixedClock, gadget, owner, row, stamp, tombstone, widget

if TYPE_CHECKING:
    from reconciler.model.commit import Applied
    from reconciler.model.host import Owner

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 22, 15, 31, 40, tzinfo=UTC)
REPOSITORY = "git@example.org:desk.git"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder whose store has seen two commits."""
    folder = tmp_path_factory.mktemp("origin")
    with open_store(folder, FixedClock()) as store:
        store.bind(owner(REPOSITORY, "main"))
        store.apply(KINDS, real_step(1, row(widget("a"), 1), row(gadget("g", widget=("a",)), 1)))
        store.apply(KINDS, real_step(2, row(widget("b"), 2), tombstone(gadget("h"), 1, 2)))
    return folder


@pytest.fixture
def folder(origin: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(origin, tmp_path / "it's state"))


def everything(folder: Path) -> object:
    """All that can be asked of a store."""
    with open_store(folder, FixedClock()) as store:
        return observe(store, KINDS), store.applied(), store.last_attempt(), store.events(99), store.drift(KINDS).total


def go_on(folder: Path) -> None:
    """Apply a third commit."""
    with open_store(folder, FixedClock()) as store:
        store.apply(KINDS, real_step(3, row(widget("c"), 3)))


def held(folder: Path) -> bytes:
    """The store, byte for byte."""
    return (folder / "state.duckdb").read_bytes()


def files(folder: Path) -> set[str]:
    """What is in a folder, beside the halts."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if "halts.json" not in path}


def test_a_backup_is_the_store(folder: Path, tmp_path: Path) -> None:
    before = everything(folder)
    made = back_up(folder, NOW)
    assert made == folder / "backups" / "state-20261122T153140Z.duckdb"
    assert files(folder) == {"state.duckdb", "backups/state-20261122T153140Z.duckdb"}
    assert everything(folder) == before
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "state.duckdb").write_bytes(made.read_bytes())
    assert everything(tmp_path / "copy") == before
    go_on(tmp_path / "copy")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_the_owner_may_look(folder: Path) -> None:
    made = back_up(folder, NOW)
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700


KILLED = """
import os, sys
from pathlib import Path
from reconciler.adapters.duckdb.store import open_store
from tests.support.kinds import *
from tests.adapters.store.tampering import real_step
store = open_store(Path(sys.argv[1]), FixedClock())
store.apply(KINDS, real_step(3, row(widget("c"), 3)))
os._exit(137)
"""


def test_what_stands_in_the_log_only_is_backed_up_too(folder: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], env=environment, check=False, timeout=60)
    assert (folder / "state.duckdb.wal").stat().st_size > 0
    made = back_up(folder, NOW)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "state.duckdb").write_bytes(made.read_bytes())
    with open_store(tmp_path / "copy", FixedClock()) as store:
        assert store.counts() == {"Gadget": 1, "Widget": 3}


def test_the_next_backup_clears_up_after_one_that_was_killed(folder: Path) -> None:
    (folder / "backups").mkdir()
    (folder / "backups" / "unfinished.duckdb").write_bytes(b"half")
    (folder / "backups" / "unfinished.duckdb.wal").write_bytes(b"half")
    back_up(folder, NOW)
    assert files(folder / "backups") == {"state-20261122T153140Z.duckdb"}


def test_no_store_no_backup(tmp_path: Path) -> None:
    with pytest.raises(NeedsHuman, match="there is no store"):
        back_up(tmp_path, NOW)
    assert files(tmp_path) == set()


def test_a_store_that_is_open_here_is_not_backed_up(folder: Path) -> None:
    with open_store(folder, FixedClock()) as store:
        with pytest.raises(BugError, match="open in this process"):
            back_up(folder, NOW)
        store.apply(KINDS, real_step(3, row(widget("c"), 3)))
    assert files(folder) == {"state.duckdb"}


HOLD = """
import sys
from pathlib import Path
from reconciler.adapters.duckdb.store import open_store
from tests.support.kinds import FixedClock
with open_store(Path(sys.argv[1]), FixedClock()):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_who_waits_while_another_process_has_the_store(folder: Path) -> None:
    made = back_up(folder, NOW)
    before = files(folder)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, env=environment, stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(RetryLater, match="in use by"):
            back_up(folder, NOW + timedelta(hours=1))
        with pytest.raises(RetryLater, match="in use by"):
            restore(made, folder, ours, NOW)
        other.communicate("")
    assert files(folder) == before


FULL = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from reconciler.adapters.duckdb.backup import back_up
from reconciler.adapters.duckdb.backup import restore
from reconciler.errors import RetryLater

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, backup, kilobytes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))
try:
    if backup.name == "none":
        back_up(folder, datetime(2026, 11, 23, tzinfo=UTC))
    else:
        restore(backup, folder, lambda owner, applied: True, datetime(2026, 11, 23, tzinfo=UTC))
except RetryLater as error:
    print(error, "|", error.hint)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
@pytest.mark.parametrize("kilobytes", [0, 8, 100])
@pytest.mark.parametrize("what", ["back_up", "restore"])
def test_a_full_disk_is_told_and_nothing_lost(folder: Path, what: str, kilobytes: int) -> None:
    made = back_up(folder, NOW)
    go_on(folder)
    before, there = held(folder), files(folder)
    argument = str(made) if what == "restore" else "none"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", FULL, str(folder), argument, str(kilobytes)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the store is as it was" in done.stdout
    assert "free some disk space" in done.stdout
    assert files(folder) == there
    assert held(folder) == before


def test_a_damaged_store_is_not_backed_up(folder: Path) -> None:
    back_up(folder, NOW)
    damaged(folder / "state.duckdb")
    with pytest.raises(NeedsHuman, match="damaged"):
        back_up(folder, NOW + timedelta(hours=1))
    assert files(folder / "backups") == {"state-20261122T153140Z.duckdb"}


def test_backups_are_listed_by_when_they_were_made(folder: Path) -> None:
    assert backups(folder) == ()
    tokyo = timezone(timedelta(hours=9))
    late = back_up(folder, NOW + timedelta(days=1))
    early = back_up(folder, NOW.astimezone(tokyo))
    for name in ("state-x.duckdb", "state-20269922T153140Z.duckdb", "mine.txt", "unfinished.duckdb"):
        (folder / "backups" / name).touch()
    assert backups(folder) == (Backup(NOW, early), Backup(NOW + timedelta(days=1), late))
    delete_backup(backups(folder)[0])
    assert [one.file for one in backups(folder)] == [late]


def test_restore_brings_the_store_back(folder: Path) -> None:
    then = everything(folder)
    made = back_up(folder, NOW)
    go_on(folder)
    now = everything(folder)
    done = restore(made, folder, ours, NOW)
    assert done.applied is not None
    assert done.applied.stamp == stamp(2)
    assert done.aside == folder / "state.duckdb.before-restore"
    assert files(folder) == {"state.duckdb", "state.duckdb.before-restore", f"backups/{made.name}"}
    assert everything(folder)[:3] == then[:3]
    (folder / "old").mkdir()
    done.aside.replace(folder / "old" / "state.duckdb")
    assert everything(folder / "old") == now
    with open_store(folder, FixedClock()) as store:
        store.bind(owner(REPOSITORY, "main"))
        store.apply(KINDS, real_step(3, row(widget("c"), 3)))
        assert store.counts() == {"Gadget": 1, "Widget": 3}


def test_events_go_on_after_a_restore(folder: Path) -> None:
    made = back_up(folder, NOW)
    go_on(folder)
    with open_store(folder, FixedClock()) as store:
        before = store.events_after(0, 99)
        store.mark_uploaded(before[-2].seq)
    restore(made, folder, ours, NOW)
    go_on(folder)
    with open_store(folder, FixedClock()) as store:
        found = store.events_after(0, 99)
    assert found[: len(before)] == before
    restored, applied = found[len(before) :]
    assert (restored.event, restored.at, restored.commit, applied.event) == (
        "restored",
        NOW,
        stamp(2).commit,
        "applied",
    )
    assert dict(restored.detail) == {"file": made.name, "before": stamp(3).commit}
    assert len({one.seq for one in found}) == len(found)
    assert restored.store == applied.store != before[0].store


def test_restoring_twice_keeps_both(folder: Path) -> None:
    made = back_up(folder, NOW)
    first, second = restore(made, folder, ours, NOW), restore(made, folder, ours, NOW)
    assert [one.aside and one.aside.name for one in (first, second)] == [
        "state.duckdb.before-restore",
        "state.duckdb.before-restore-2",
    ]


def test_a_store_can_be_restored_where_there_is_none(folder: Path, tmp_path: Path) -> None:
    made = back_up(folder, NOW)
    done = restore(made, tmp_path / "new" / "state", ours, NOW)
    assert done.aside is None
    assert everything(tmp_path / "new" / "state")[:3] == everything(folder)[:3]


def test_a_damaged_store_can_be_replaced(folder: Path) -> None:
    then = everything(folder)
    made = back_up(folder, NOW)
    (folder / "state.duckdb").write_bytes(b"?" * 20_000)
    (folder / "state.duckdb.wal").write_bytes(b"log")
    done = restore(made, folder, ours, NOW)
    assert done.aside is not None
    assert done.aside.read_bytes() == b"?" * 20_000
    assert Path(f"{done.aside}.wal").read_bytes() == b"log"
    assert everything(folder)[:3] == then[:3]


def damaged(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[12288 + 64 :] = b"?" * (len(content) - 12288 - 64)
    file.write_bytes(bytes(content))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def foreign(file: Path) -> None:
    file.unlink()
    with duckdb.connect(str(file)) as beside:
        beside.execute("CREATE TABLE trades (id INTEGER)")


def empty(file: Path) -> None:
    file.unlink()
    duckdb.connect(str(file)).close()


def others(file: Path) -> None:
    with duckdb.connect(str(file)) as beside:
        beside.execute("UPDATE gitops.owner SET url = 'git@example.org:other.git'")


def ours(owner: Owner, applied: Applied | None) -> bool:
    return owner.url == REPOSITORY


def newer(file: Path) -> None:
    with duckdb.connect(str(file)) as beside:
        beside.execute("UPDATE gitops.format SET version = 99")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damaged, "damaged"),
        (cut, "damaged"),
        (lambda file: file.write_text("no database"), "damaged"),
        (lambda file: file.write_bytes(b""), "empty|damaged"),
        (foreign, r"main\.trades"),
        (empty, "is an empty database"),
        (others, "belongs to the repository git@example.org:other.git"),
        (newer, "format 99"),
    ],
    ids=["damaged", "cut", "text", "nothing", "foreign", "empty", "others", "newer"],
)
def test_what_is_no_backup_of_ours_changes_nothing(folder: Path, harm: object, words: str) -> None:
    made = back_up(folder, NOW)
    go_on(folder)
    harm(made)
    before, there = held(folder), files(folder)
    with pytest.raises(NeedsHuman, match=words) as caught:
        restore(made, folder, ours, NOW)
    assert caught.value.hint
    assert "delete this file" not in caught.value.hint
    assert files(folder) == there
    assert held(folder) == before


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        restore(folder / ("long" * 2_000), folder, ours, NOW)
    with pytest.raises(UsageError, match=r"there is no file .*gone\.duckdb"):
        restore(folder / "gone.duckdb", folder, ours, NOW)
    with pytest.raises(UsageError, match="there is no file"):
        restore(folder, folder, ours, NOW)
