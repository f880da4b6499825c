"""A file that is damaged, or a machine that refuses it: every error in our words, and no remedy that destroys."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.duckdb.backup import back_up, read_fingerprint, restore
from reconciler.adapters.duckdb.connection import FILE_NAME, REBUILD, DatabaseFile, examine_store, explain_file_error
from reconciler.adapters.duckdb.sharing import SharedStore
from reconciler.adapters.duckdb.store import open_reader, open_store
from reconciler.errors import BugError, InUse, NeedsHuman, ReconcilerError, RetryLater
from reconciler.model.host import Suspension
from tests.adapters.store.observing import observe
from tests.support.cases import some
from tests.support.disks import tiny_disk
from tests.support.kinds import KINDS, FixedClock, gadget, owner, row, stamp, step, widget
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Callable

STORE = Path("/state/state.duckdb")
REPLAY = 'Failure while replaying WAL file "/state/state.duckdb.wal": '
CHECKSUM = "Corrupt database file: computed checksum 1 does not match stored checksum 2 in block at location 4096"
WORDS: tuple[tuple[duckdb.Error, type[ReconcilerError], str, str], ...] = (
    (duckdb.IOException("IO Error: Could not set lock on file: Conflicting lock"), InUse, "in use", "wait"),
    (duckdb.Error(CHECKSUM), NeedsHuman, "is damaged", REBUILD),
    (duckdb.IOException("IO Error: Could not read enough bytes from file"), NeedsHuman, "is damaged", REBUILD),
    (duckdb.IOException(f"IO Error: {CHECKSUM}"), NeedsHuman, "is damaged", REBUILD),
    (duckdb.FatalException(f"FATAL Error: invalidated\nOriginal error: {CHECKSUM}"), NeedsHuman, "damaged", REBUILD),
    (duckdb.SerializationException("Serialization Error: expected end of object"), NeedsHuman, "is damaged", REBUILD),
    (duckdb.IOException("IO Error: it is not a valid DuckDB database file!"), NeedsHuman, "no DuckDB file", REBUILD),
    (duckdb.Error(f"{REPLAY}Corrupt WAL file: entry at byte position 52"), NeedsHuman, "its log", "duckdb.wal aside"),
    (duckdb.IOException(f"IO Error: {REPLAY}WAL does not match database file."), NeedsHuman, "its log", "keep it"),
    (
        duckdb.IOException("IO Error: Trying to read … but we can only read storage versions between 64 and 68."),
        NeedsHuman,
        "another version of DuckDB",
        "update reconciler",
    ),
    (duckdb.IOException("IO Error: No space left on device"), RetryLater, "disk is full", "free some disk space"),
    (duckdb.IOException(f"IO Error: {REPLAY}not enough space on the disk."), RetryLater, "disk is full", "free"),
    (duckdb.TransactionException("Failed to commit: File too large"), RetryLater, "disk is full", "free"),
    (duckdb.TransactionException("Failed to commit: No space left on device"), RetryLater, "disk is full", "free"),
    (duckdb.FatalException("FATAL Error: x\nOriginal: No space left on device"), RetryLater, "disk is full", "free"),
    (duckdb.IOException("IO Error: Read-only file system"), NeedsHuman, "read-only", "let the disk be written again"),
    (duckdb.IOException("IO Error: Permission denied"), NeedsHuman, "may not", "read and write the state folder"),
    (duckdb.IOException("IO Error: Access is denied."), NeedsHuman, "may not", "read and write the state folder"),
    (duckdb.IOException("IO Error: Input/output error"), NeedsHuman, "disk fails", "copy the state folder"),
    (duckdb.IOException("IO Error: Too many open files"), RetryLater, "too many files", "ulimit"),
    (duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate"), RetryLater, "memory", "free some memory"),
    (duckdb.InternalException("INTERNAL Error: index 3 of 2"), BugError, "DuckDB fails inside", REBUILD),
    (duckdb.IOException("IO Error: of a kind that nobody knows"), RetryLater, "DuckDB says", "see to what it says"),
)


@pytest.mark.parametrize(("error", "kind", "words", "remedy"), WORDS)
def test_what_the_driver_says_has_words_and_a_remedy(
    error: duckdb.Error, kind: type[ReconcilerError], words: str, remedy: str
) -> None:
    found = explain_file_error(DatabaseFile(STORE, "the store"), error, f"cannot open the store {STORE}")
    assert found is not None
    assert (type(found), words in str(found), remedy in found.hint) == (kind, True, True), (found, found.hint)
    assert "delete" not in found.hint
    assert "bug" not in f"{found}{found.hint}"


def test_a_remedy_names_the_newest_backup_and_what_a_new_store_lacks(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    for day in (1, 3, 2):
        (tmp_path / "backups" / f"state-2026110{day}T000000Z.duckdb").touch()
    found = examine_store(tmp_path / FILE_NAME)
    assert f"`reconciler restore {tmp_path}/backups/state-20261103T000000Z.duckdb`" in found.rebuild
    for lost in ("suspension", "host events", "live intervals"):
        assert lost in REBUILD


@pytest.mark.parametrize("error", [duckdb.CatalogException("no table"), duckdb.ConstraintException("CHECK")])
def test_what_is_about_the_question_is_left_to_who_asked(error: duckdb.Error) -> None:
    assert explain_file_error(DatabaseFile(STORE, "the store"), error, "cannot") is None


def test_the_name_of_a_folder_is_no_cause() -> None:
    file = Path("/srv/WAL Permission denied/corrupt/state.duckdb")
    error = duckdb.IOException(f'IO Error: Could not read enough bytes from file "{file}": attempted to read 8 bytes')
    found = explain_file_error(DatabaseFile(file, "the store"), error, "cannot")
    assert found is not None
    assert "is damaged" in str(found)
    assert explain_file_error(DatabaseFile(file, "the store"), duckdb.CatalogException(f"{file}"), "cannot") is None


def test_an_error_of_no_known_words_on_a_read_only_disk() -> None:
    found = explain_file_error(
        DatabaseFile(STORE, "the store", read_only=True), duckdb.IOException("IO Error: hm"), "cannot"
    )
    assert isinstance(found, NeedsHuman)
    assert "read-only" in str(found)


@cache
def good() -> bytes:
    """A store with rows, tombstones, events, a suspension."""
    with TemporaryDirectory() as folder:
        with open_store(Path(folder), FixedClock()) as store:
            store.bind(owner("repo", "main"))
            store.apply(KINDS, step(1, row(gadget("g"), 1), row(widget("w"), 1)))
            store.suspend(Suspension("a reason", "maren", stamp(1).time, None))
        return (Path(folder) / FILE_NAME).read_bytes()


def _read_all(folder: Path) -> None:
    with open_store(folder, FixedClock()) as store:
        observe(store, KINDS)
        for ask in (store.owner, store.applied, store.last_attempt, store.suspension, store.identity):
            ask()
        store.events(100)
        store.drift(KINDS)


def _write_all(folder: Path) -> None:
    with open_store(folder, FixedClock()) as store:
        store.record_drift(KINDS)
        store.apply(KINDS, step(9, row(widget("new"), 9)))
        store.resume("maren")


def _read_readonly(folder: Path) -> None:
    with open_reader(folder) or open_store(folder, FixedClock()) as reader:
        reader.drift(KINDS)
        reader.counts()


WAYS: tuple[Callable[[Path], object], ...] = (
    _read_all,
    _read_readonly,
    lambda folder: read_fingerprint(folder / FILE_NAME),
    lambda folder: back_up(folder, stamp(1).time),
    _write_all,
)


def _check(content: bytes, way: Callable[[Path], object], log: bytes = b"") -> str:
    """A way to use a store ends, or ends in words, and what was there before is not lost; what is said."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / FILE_NAME).write_bytes(content)
        if log:
            (folder / f"{FILE_NAME}.wal").write_bytes(log)
        try:
            way(folder)
        except ReconcilerError as error:
            said = f"{error} {error.hint}"
        else:
            said = ""
    assert "delete" not in said
    return said


def _cut(content: bytes, at: int) -> bytes:
    return content[:at]


def _zeroed(content: bytes, start: int, length: int) -> bytes:
    return content[:start] + bytes(len(content[start : start + length])) + content[start + length :]


BLOCK, HEADS = 16_384, 12_288
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "a few bytes": lambda content: _cut(content, 100),
    "heads alone": lambda content: _cut(content, HEADS),
    "half": lambda content: _cut(content, len(content) // 2),
    "no head": lambda content: _zeroed(content, 0, 4096),
    "no heads": lambda content: _zeroed(content, 0, HEADS),
    "no newest head": lambda content: _zeroed(content, 4096, 8192),
    "zeros": lambda content: bytes(len(content)),
    "garbage": lambda content: random.Random(1).randbytes(50_000),
}


@pytest.mark.parametrize("damage", some(list(DAMAGES), 5))
def test_a_damaged_file_is_told_as_such(damage: str) -> None:
    content = DAMAGES[damage](good())
    assert "damaged" in _check(content, _read_all)


@pytest.mark.slow
@pytest.mark.parametrize("damage", list(DAMAGES))
@pytest.mark.parametrize("way", range(len(WAYS)))
def test_each_way_into_a_damaged_file_ends_in_words(damage: str, way: int) -> None:
    assert "damaged" in _check(DAMAGES[damage](good()), WAYS[way])


@st.composite
def broken_bytes(draw: st.DrawFn) -> bytes:
    """The bytes of the store with some flipped, zeroed or cut off."""
    content = bytearray(good())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content) - 1))
        how, length = draw(st.sampled_from(("flip", "zero", "random"))), draw(st.sampled_from((1, 64, 5_000)))
        for place in range(at, min(at + (1 if how == "flip" else length), len(content))):
            content[place] = {"flip": content[place] ^ (1 << at % 8), "zero": 0, "random": (place * 151) & 255}[how]
    if draw(st.integers(0, 3)) == 0:
        del content[draw(st.integers(0, len(content))) :]
    return bytes(content)


@given(broken_bytes(), st.integers(0, len(WAYS) - 1))
@settings(max_examples=examples(600, quick=6))
def test_whatever_happened_to_the_bytes_each_way_ends_in_words(content: bytes, way: int) -> None:
    _check(content, WAYS[way])


LEAVE_LOG = """
import os, sys
from pathlib import Path
from reconciler.adapters.duckdb.store import open_store
from tests.support.kinds import *
store = open_store(Path(sys.argv[1]), FixedClock())
for number in range(1, 6):
    store.apply(KINDS, step(number, row(widget(f"w{number}"), number)))
os._exit(0)
"""


@pytest.mark.slow
@given(st.data())
@settings(max_examples=examples(200))
def test_whatever_happened_to_the_log_each_way_ends_in_words(data: st.DataObject) -> None:
    content, log = _with_log()
    at, mask = data.draw(st.integers(0, len(log) - 1)), data.draw(st.integers(1, 255))
    damaged = log[:at] if data.draw(st.booleans()) else log[:at] + bytes([log[at] ^ mask]) + log[at + 1 :]
    said = _check(content, WAYS[data.draw(st.integers(0, len(WAYS) - 1))], damaged)
    assert not said or "its log is damaged" in said or "gitops" in said or "no store" in said, said


@cache
def _with_log() -> tuple[bytes, bytes]:
    """A store whose process was killed: the file, and the log beside it."""
    with TemporaryDirectory() as folder:
        root = Path(__file__).parents[3]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        subprocess.run([sys.executable, "-c", LEAVE_LOG, folder], env=environment, check=True, timeout=60)
        file = Path(folder) / FILE_NAME
        return file.read_bytes(), Path(f"{file}.wal").read_bytes()


@pytest.mark.slow
def test_a_log_of_another_store_is_no_reason_to_lose_this_one(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(good())
    log = tmp_path / f"{FILE_NAME}.wal"
    log.write_bytes(_with_log()[1])
    with pytest.raises(NeedsHuman, match="its log is damaged, or another store's") as caught:
        open_store(tmp_path, FixedClock())
    assert f"move {log} aside" in caught.value.hint
    log.rename(tmp_path / "aside")
    _read_all(tmp_path)


GITOPS = ("applied", "attempted", "cursors", "events", "faults", "kinds", "live", "owner", "suspension", "tombstones")


def _use_all(folder: Path) -> None:
    _read_all(folder)
    _write_all(folder)
    with open_store(folder, FixedClock()) as store:
        store.last_uploaded_event()
        store.keep_faults("1", {"a": "b"})
        store.bind(owner("repo", "next"))
        store.replace(KINDS, step(9, row(widget("new"), 9)))


@pytest.mark.parametrize("table", some(GITOPS, 2))
def test_a_store_that_lost_a_table_of_its_own(table: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(good())
    with duckdb.connect(str(tmp_path / FILE_NAME)) as other:
        other.execute(f"DROP TABLE gitops.{table}")
    with pytest.raises(NeedsHuman, match=r"something altered what the store .* keeps in gitops") as caught:
        _use_all(tmp_path)
    assert "git rebuilds it" in caught.value.hint
    with pytest.raises(NeedsHuman, match=f"lacks gitops.{table}, so a copy would be no backup"):
        back_up(tmp_path, stamp(1).time)
    assert not list((tmp_path / "backups").iterdir())


@pytest.mark.parametrize("damage", some(["half", "garbage", "no head"], 1))
def test_a_backup_replaces_a_damaged_store_and_keeps_it(damage: str, tmp_path: Path) -> None:
    content = DAMAGES[damage](good())
    (tmp_path / FILE_NAME).write_bytes(content)
    (tmp_path / "good").write_bytes(good())
    restored = restore(tmp_path / "good", tmp_path, lambda *_: True, stamp(1).time)
    assert restored.aside is not None
    assert restored.aside.read_bytes() == content
    _read_all(tmp_path)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    for way in WAYS:
        with pytest.raises(NeedsHuman, match=r"it is no file") as caught:
            way(tmp_path)
        assert f"move {tmp_path / FILE_NAME} aside" in caught.value.hint


@pytest.mark.slow
def test_a_full_disk_is_for_later_and_changes_nothing(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", len(good()) // 1024 + 2_000) as disk:
        (disk.folder / FILE_NAME).write_bytes(good())
        with open_store(disk.folder, FixedClock()) as store:
            disk.fill()
            before = observe(store, KINDS)
            with pytest.raises(RetryLater, match="the disk is full") as caught:
                store.apply(KINDS, step(9, *(row(widget(f"w{number}"), 9) for number in range(2_000))))
            assert "free some disk space" in caught.value.hint
            assert observe(store, KINDS) == before
        disk.empty()
        _write_all(disk.folder)


@pytest.mark.slow
def test_a_shared_store_on_a_full_disk_is_let_go_of(tmp_path: Path) -> None:
    """What DuckDB made of it is only left behind when nothing in this process has it open."""
    with tiny_disk(tmp_path / "disk", 80_000) as disk:
        (disk.folder / FILE_NAME).write_bytes(good())
        shared = SharedStore(disk.folder, FixedClock())
        for number in range(9, 12):
            shared.store().apply(KINDS, step(number, *(row(widget(f"w{at}-{number}"), number) for at in range(3_000))))
        disk.fill()
        shared.close_idle()
        disk.empty()
        with shared.keep_closed():
            back_up(disk.folder, stamp(1).time)
        assert shared.store().counts()["Widget"] == 9_001
        shared.close_idle()


@pytest.mark.slow
def test_a_read_only_disk_is_no_damage_and_can_be_read(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", len(good()) // 1024 + 2_000) as disk:
        (disk.folder / FILE_NAME).write_bytes(good())
        disk.protect()
        _read_readonly(disk.folder)
        for way in (_read_all, _write_all, lambda folder: back_up(folder, stamp(1).time)):
            with pytest.raises(NeedsHuman, match="disk is read-only") as caught:
                way(disk.folder)
            assert "let the disk be written again" in caught.value.hint
        disk.release()
        _write_all(disk.folder)


AS_NOBODY = """
import os, sys
from pathlib import Path
from tests.adapters.store.test_damages import WAYS
from reconciler.errors import NeedsHuman
os.setgid(65534)
os.setuid(65534)
for way in WAYS:
    try:
        way(Path(sys.argv[1]))
    except NeedsHuman as error:
        print(error, "|", error.hint)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("protected", ["file", "folder"])
def test_who_may_not_use_the_store_is_told_so(protected: str) -> None:
    with TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o700 if protected == "folder" else 0o755)
        (folder / FILE_NAME).write_bytes(good())
        (folder / FILE_NAME).chmod(0o600)
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        told = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, place],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
    lines: list[Any] = told.stdout.splitlines()
    assert len(lines) == len(WAYS), told
    assert all("may not do so" in line and "let them read and write the state folder" in line for line in lines), told
