"""Noticing at once that a branch of a local repository may be at another commit.

The operating system tells within a millisecond or so. Its events are hints: who waits asks git what there is. They
get lost, too, when a queue runs over, when the repository is replaced by another one, on network shares: so the few
files that decide are looked at now and then besides, and often where there are no events at all.

Only those are looked at, so thousands of other refs cost nothing. What they hold is a hint that something may have
changed, and never what is followed: that is asked of git. Sources: gitrepository-layout(5), git-pack-refs(1),
git-worktree(1) section "details", and Documentation/technical/reftable.txt of git.

Folders are watched and never files: a watch on a file ends when another one is renamed over it, and so git writes.
Reading a file is no event.
"""

from __future__ import annotations

import logging
import math
import os
import re
import stat
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from watchdog.observers.api import BaseObserver, ObservedWatch

    Identity: TypeAlias = tuple[int, int]
    """Disk, and number on it: what tells a folder from another one that takes its path later."""


EVENTS: list[type[FileSystemEvent]] = [
    *(FileCreatedEvent, FileClosedEvent, FileDeletedEvent, FileMovedEvent),
    *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
]
"""Not that a file was modified: Windows also says so when one was read. What is renamed into place is moved."""

END_SECONDS = 0.4
"""Seconds that the threads have to end."""


class FolderEvents(FileSystemEventHandler):
    """The watch on some folders. Opening it raises `OSError` when the operating system has none left.

    `on_change` takes the path of what may have changed, on a thread of watchdog's: it must neither wait nor raise.
    """

    def __init__(self, on_change: Callable[[str], None]) -> None:
        self._on_change = on_change
        self._watched: dict[Path, tuple[Identity, ObservedWatch]] = {}
        self._deleted: set[str] = set()
        self._observer: BaseObserver = Observer()
        self._observer.start()

    @property
    def alive(self) -> bool:
        """Whether events can still come."""
        return self._observer.is_alive()

    def follow(self, folders: Mapping[Path, Identity]) -> None:
        """Watch these and no others. Raises `OSError` when the operating system cannot, as at a limit."""
        wanted = {path: identity for path, identity in folders.items() if not _is_below_refs(path, folders)}
        working = {emitter.watch for emitter in self._observer.emitters if emitter.is_alive()}
        for path, (identity, watch) in list(self._watched.items()):
            # Whoever takes the place of a deleted folder may well have its number on the disk
            if wanted.get(path) != identity or watch not in working or str(path) in self._deleted:
                del self._watched[path]
                self._deleted.discard(str(path))
                self._observer.unschedule(watch)
        for path in wanted.keys() - self._watched.keys():
            self._watch(path, wanted[path])

    def close(self) -> None:
        """Stop watching, and end all threads."""
        self._observer.stop()
        self._observer.join(END_SECONDS)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Pass on the paths of an event."""
        if isinstance(event, (DirDeletedEvent, FileDeletedEvent)):
            self._deleted.add(os.fsdecode(event.src_path))
        for path in (event.src_path, event.dest_path):
            if path:
                self._on_change(os.fsdecode(path))

    def _watch(self, path: Path, identity: Identity) -> None:
        self._deleted.discard(str(path))
        try:
            watch = self._observer.schedule(
                self, str(path), recursive=_is_recursive(path), event_filter=EVENTS, follow_symlink=True
            )
        except (FileNotFoundError, NotADirectoryError):
            return  # it went just now: its parent tells, and so does the next look
        self._watched[path] = identity, watch


def _is_recursive(path: Path) -> bool:
    """Elsewhere than on Linux, where each folder has a watch of its own, folders within `refs` are watched through it:
    on Windows an open handle on one would keep git from removing it.
    """
    return sys.platform != "linux" and path.name == "refs"


def _is_below_refs(path: Path, folders: Mapping[Path, Identity]) -> bool:
    return any(_is_recursive(parent) and parent in folders for parent in path.parents)


FileMark: TypeAlias = tuple[int, int, int, bytes] | None
"""Time of the last change in nanoseconds, size and number on its disk of a file, and what it holds when it is small.

Both are needed: clocks of disks tick every few milliseconds, and a branch may go back to where it was. None: no file.
"""

BRANCHES = ("refs", "heads")
"""Where a branch is, and nothing else is looked for."""
SYMBOLIC = re.compile(rb"ref:\s*(refs/(?:(?!\.\.)[^\x00-\x20\x7f])+)\s*")
MAX_SYMBOLIC_DEPTH = 5
"""Symbolic refs that git follows, one to the next."""
MAX_CONTENT_BYTES = 1 << 16
"""Bytes read of a file: a ref has 41 or 65 and a symbolic one hardly more, a list of reftables a line for each."""


@dataclass(frozen=True)
class RefState:
    """What was found: the deciding files, and the folders on the way to them that are there."""

    marks: Mapping[Path, FileMark]
    folders: Mapping[Path, Identity]


class RefFiles:
    """The deciding places of HEAD and what it stands for, and of a branch, if one is named.

    `git_dir` is the work tree's own folder (HEAD), `common_dir` the one that all work trees share (refs).
    """

    def __init__(self, git_dir: Path, common_dir: Path, branch: str | None) -> None:
        self._git_dir, self._common_dir = git_dir.absolute(), common_dir.absolute()
        self._starts = list(self._starting(branch))
        # In repositories that keep refs as reftables, each work tree's HEAD is in a table of its own
        tops = dict.fromkeys((self._common_dir, self._git_dir))
        self._reftable_lists = [top / "reftable" / "tables.list" for top in tops]
        self._packed = self._common_dir / "packed-refs"

    def look(self) -> RefState:
        """See what is there now. What cannot be looked at is taken to be gone."""
        marks: dict[Path, FileMark] = {}
        for start in self._starts:
            self._follow(start, marks)
        marks.update((place, _read_mark(place)) for place in self._reftable_lists)
        marks[self._packed] = _stat_mark(self._packed)
        ways = self._folders_to(marks)
        identities = ((folder, _identity(folder)) for folder in sorted(ways))
        return RefState(marks, {folder: identity for folder, identity in identities if identity is not None})

    def relevant_paths(self, sight: RefState) -> frozenset[str]:
        """The paths, as `normalize_path` gives them, of which it matters that something came, went or changed there."""
        return frozenset(normalize_path(str(place)) for place in (*sight.marks, *self._folders_to(sight.marks)))

    def missing(self, sight: RefState) -> Path | None:
        """The repository's folder, when it is not there."""
        return next((top for top in (self._common_dir, self._git_dir) if top not in sight.folders), None)

    def _starting(self, branch: str | None) -> Iterator[Path]:
        yield self._git_dir / "HEAD"
        if branch is not None:
            yield self._common_dir.joinpath(*BRANCHES, *branch.split("/"))

    def _follow(self, place: Path, marks: dict[Path, FileMark]) -> None:
        for _ in range(MAX_SYMBOLIC_DEPTH):
            marks[place] = mark = _read_mark(place)
            target = SYMBOLIC.fullmatch(mark[-1] if mark else b"")
            if target is None:
                return
            place = self._common_dir.joinpath(*os.fsdecode(target[1]).split("/"))

    def _folders_to(self, places: Iterable[Path]) -> set[Path]:
        """The folders between the repository's own and some places in it, with the repository's own."""
        ways = {self._git_dir, self._common_dir}
        for place in places:
            for folder in place.parents:
                if folder in (self._git_dir, self._common_dir):
                    break
                ways.add(folder)
        return ways


def normalize_path(path: str) -> str:
    """A path in the one form that is compared, where the operating system's rules know more than one."""
    return os.path.normcase(path)


def _read_mark(place: Path) -> FileMark:
    try:
        with place.open("rb") as file:
            return _mark(os.fstat(file.fileno()), file.read(MAX_CONTENT_BYTES))
    except (OSError, ValueError):  # a name that no file can have is a ValueError
        return None


def _stat_mark(place: Path) -> FileMark:
    try:
        return _mark(place.stat(), b"")
    except OSError:
        return None


def _mark(found: os.stat_result, content: bytes) -> FileMark:
    return found.st_mtime_ns, found.st_size, found.st_ino, content


def _identity(folder: Path) -> Identity | None:
    try:
        status = folder.stat()
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None


QUIET_SECONDS = 0.03
"""Seconds without an event after which a change is complete: one of several refs is a rename for each. Whoever has to
know at once takes hints; to look before these were acted upon would only keep a processor from that."""
MAX_SETTLE_SECONDS = 0.1
"""Seconds after which a change is told although more are coming."""
CHECK_PAUSE, CHECK_PAUSE_WITHOUT_EVENTS = 0.5, 0.2
"""Seconds between two looks: with events, and without."""
CHECK_COST_FACTOR = 5
"""A look that takes long, as on a slow network share, is paid for by a pause of this many times as long."""
PRE_COMMIT_FILES = ("index", "COMMIT_EDITMSG")
"""What `git add`, `commit` and `merge` write in a work tree's own folder before a ref moves."""
EVENTS_RETRY_SECONDS = 30.0
"""Seconds until events are asked for again, after the operating system could not give them."""

# Lost events are made up for by looking; people need not hear of each.
logging.getLogger("watchdog").addHandler(logging.NullHandler())


class RefWatch:
    """The changes of a branch, or without one of what HEAD stands for, from `with` on.

    `git_dir` is the work tree's own folder, `common_dir` the one that all work trees share; mostly they are the same.
    Neither need be there: it may yet come. One thread waits and leaves; `wake`, `alive` and `reason` are for all.
    `forebode` is called, on any thread, when somebody seems to be about to commit; often for nothing. `hint` is called
    so as soon as the operating system tells that the branch may have changed: before anybody who waits hears of it, for
    each of several changes, and not for one that the operating system does not tell of.
    """

    def __init__(
        self,
        git_dir: Path,
        common_dir: Path,
        branch: str | None,
        forebode: Callable[[], None] = lambda: None,
        hint: Callable[[], None] = lambda: None,
    ) -> None:
        self._files = RefFiles(git_dir, common_dir, branch)
        self._pre_commit_files = frozenset(normalize_path(str(git_dir.absolute() / name)) for name in PRE_COMMIT_FILES)
        self._on_pre_commit, self._hint = forebode, hint
        self._relevant: frozenset[str] = frozenset()
        self._wakeup = threading.Event()
        self._events: FolderEvents | None = None
        self._seen: RefState | None = None
        self._due = self._retry = 0.0
        self.reason = "not watching yet"
        """Why there are no events, so that changes are noticed a little later; empty when there are."""

    @property
    def alive(self) -> bool:
        """Whether the operating system tells of changes."""
        return not self.reason

    def __enter__(self) -> Self:
        self._check()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_watching("not watching any more", math.inf)

    def wake(self) -> None:
        """End the wait of another thread, or else the next one, as if something had changed."""
        self._wakeup.set()

    def wait(self, seconds: float) -> bool:
        """True as soon as the branch may have changed since the last time, False when it did not for so many seconds.

        It may also be True for nothing. Nothing is missed by who asks git after `with` and after each wait.
        """
        deadline = time.monotonic() + seconds
        while True:
            notified = self._wakeup.wait(max(0.0, min(deadline, self._due) - time.monotonic()))
            if notified:
                self._settle()
            if (notified or time.monotonic() >= self._due) and (self._check() or notified):
                return True
            if time.monotonic() >= deadline:
                return False

    def _on_event(self, path: str) -> None:
        normal_path = normalize_path(path)
        if normal_path in self._relevant:
            self._hint()
            self._wakeup.set()
        elif normal_path in self._pre_commit_files:
            self._on_pre_commit()

    def _settle(self) -> None:
        """Wait until no more events are coming, and take all of them as one."""
        deadline = time.monotonic() + MAX_SETTLE_SECONDS
        while self._wakeup.is_set() and time.monotonic() < deadline:
            self._wakeup.clear()
            time.sleep(QUIET_SECONDS)
        self._wakeup.clear()

    def _check(self) -> bool:
        """Whether anything is different; follow the folders that are there now.

        Looking comes before watching: what changes in between is found different the next time, not missed.
        """
        began = time.monotonic()
        sight = self._files.look()
        self._relevant = self._files.relevant_paths(sight)
        self._watch(sight)
        seen, self._seen = self._seen, sight
        ended = time.monotonic()
        self._due = ended + max(
            CHECK_PAUSE if self.alive else CHECK_PAUSE_WITHOUT_EVENTS, CHECK_COST_FACTOR * (ended - began)
        )
        return sight != seen

    def _watch(self, sight: RefState) -> None:
        if self._events is not None and not self._events.alive:
            self._stop_watching("the thread that watches has ended", 0.0)
        if self._events is None and time.monotonic() < self._retry:
            return
        try:
            self._events = self._events or FolderEvents(self._on_event)
            self._events.follow(sight.folders)
        except OSError as error:
            self._stop_watching((error.strerror or str(error)).lower(), time.monotonic() + EVENTS_RETRY_SECONDS)
            return
        missing = self._files.missing(sight)
        self.reason = f"{missing} is not there" if missing else ""

    def _stop_watching(self, reason: str, retry: float) -> None:
        events, self._events = self._events, None
        self.reason, self._retry = reason, retry
        if events is not None:
            events.close()
