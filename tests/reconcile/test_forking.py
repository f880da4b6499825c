"""Files that copies of a process read. Each test copies a fresh process, which has one thread as a command has."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.freshprocess import call_fresh
from reconciler.model.change import FileEntry
from reconciler.reconcile import read
from reconciler.reconcile.forking import count_readers, read_in_copies
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder
from tests.support import configs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no process is copied here")

FILES = [(f"{number}.yaml", configs.user(f"u{number}", risk=1.0).encode()) for number in range(100)]
MANY = 1_000_000
FILES[7] = "wrong.yaml", configs.user("wrong", risk=1_000).encode()
FILES[60] = "refers.yaml", configs.signal("refers", users=["u1", "u2"]).encode()
FILES[70] = "broken.yaml", b"spec: ["
FILES[80] = "two.yaml", b"---\n".join(text for _, text in FILES[:2])
FILES[90] = "none.yaml", b"# nothing\n"


def _read(readers: int) -> str:
    patches = pytest.MonkeyPatch()
    patches.setattr(read, "COPIES_FROM", 1)
    patches.setattr(read, "count_readers", lambda count: readers)
    return repr(read.FileReader(bundled_kinds().kinds, fault_finder()).read_files(FILES, len(FILES)))


def test_copies_read_as_the_process_alone_does() -> None:
    alone, *others = (call_fresh(_read, readers) for readers in (1, 2, 3, 7))
    assert others == [alone] * len(others)


def _read_where_no_more_can_be_had(after: int) -> tuple[bool, bool]:
    """In a process that may have so many more open files: each copy takes one for good, and two while it starts."""
    import resource  # noqa: PLC0415  not on Windows

    used = sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + after, used + after))

    def reading(files: Iterable[read.File]) -> Iterator[tuple[read.File, FileEntry | None]]:
        return ((file, FileEntry(documents=1)) for file in files)

    return [file for file, _ in read_in_copies(reading, FILES, 5)] == FILES, _has_children()


@pytest.mark.parametrize("after", [1, 2, 3, 4, 20])
def test_what_has_no_copy_is_read_here(after: int) -> None:
    assert call_fresh(_read_where_no_more_can_be_had, after) == (True, False)


def test_a_copy_is_made_for_many_files() -> None:
    """However many processors there are."""
    assert call_fresh(count_readers, 999) == 1


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _read_where_copies_die() -> tuple[list[str], bool]:
    whole = os.getpid()

    def dying(files: Iterable[read.File]) -> Iterator[tuple[read.File, FileEntry | None]]:
        for file in files:
            if os.getpid() != whole:
                os.kill(os.getpid(), signal.SIGKILL)
            yield file, FileEntry(documents=1)

    return [path for (path, _), entry in read_in_copies(dying, FILES, 3) if entry is not None], _has_children()


def test_the_files_of_a_copy_that_died_are_read_here() -> None:
    assert call_fresh(_read_where_copies_die) == ([path for path, _ in FILES], False)


def _give_up_early() -> bool:
    def endless(files: Iterable[read.File]) -> Iterator[tuple[read.File, FileEntry | None]]:
        for file in files:
            yield file, None
        signal.pause()

    reading = read_in_copies(endless, FILES, 2)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    return _has_children()


def test_no_copy_is_left_when_nobody_wants_its_answer() -> None:
    assert call_fresh(_give_up_early) is False


def _count_twice() -> tuple[int, int]:
    alone, done = count_readers(MANY), threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    beside = count_readers(MANY)
    done.set()
    thread.join()
    return alone, beside


def test_a_process_with_threads_is_not_copied() -> None:
    alone, beside = call_fresh(_count_twice)
    assert alone == len(os.sched_getaffinity(0))
    assert beside == 1
