"""A bare mirror of a repository elsewhere, so that what was fetched once can be read whatever the network does.

`fetch` brings it up to date; `open` reads it as any other repository. Objects only ever come in, so nobody who reads
is held up by a fetch, and nobody who fetches by a reader. The mirror is a copy and nothing else: when it is damaged,
or made from another address, it is cloned again beside the old one and takes its place only when it is complete.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from filelock import lock_descriptor, unlock_descriptor
from msgspec import Struct, field

from reconciler.adapters.git.bare import Bare, DamagedError, delete_folder, delete_path, disk_errors, set_aside
from reconciler.adapters.git.remote import OtherFormatError, Remote
from reconciler.adapters.git.repository import GitSource, open_repository
from reconciler.adapters.git.revisions import NOT_IN_NAMES
from reconciler.adapters.git.run import Supervision
from reconciler.adapters.git.transport import Credentials, Timeouts, read_address
from reconciler.errors import RetryLater, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.model.limits import Limits

NAME = "mirror.git"
USUAL_FORMAT = "sha1"
DEFAULT_COST_FACTOR = 30
"""The remote's HEAD is asked for after a pause of this many times as long as the last answer took."""


class Move(Struct, frozen=True):
    """Where a branch was and is; None where there is none."""

    before: str | None
    after: str | None


class Fetched(Struct, frozen=True):
    """What a fetch brought. `before` and `after` are the head of the followed branch, None where there is none.

    `rewritten`: the new head does not go on from the old one, which is kept. `gone`: the branch does not exist there,
    though it or others did; here it stays where it was. `moved` are all branches that differ. `replaced`
    says why the mirror was cloned anew, and is empty otherwise; `before` is None then.
    """

    branch: str
    before: str | None
    after: str | None
    rewritten: bool = False
    gone: bool = False
    moved: Mapping[str, Move] = field(default_factory=dict)
    replaced: str = ""

    @property
    def changed(self) -> bool:
        """Whether the followed branch is elsewhere than before."""
        return self.before != self.after


class Mirror:
    """The mirror of `url` in the folder `folder`, which is made when missing.

    `branch` is the one that is followed; None stands for the one that the remote's HEAD stands for, which is also what
    HEAD stands for here.
    `credentials` is asked before each fetch, so a renewed token counts at once. Raises `UsageError` for an address
    that is none, or that git could take for a command.

    One operation at a time, over all processes; `stop` may come from any thread. Readers need no turn.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        branch: str | None = None,
        credentials: Callable[[], Credentials] = Credentials,
        timeouts: Timeouts | None = None,
    ) -> None:
        if branch is not None and NOT_IN_NAMES.search(branch):
            raise UsageError(f"{branch!r} cannot be the name of a branch", hint="write it as git branch shows it")
        self._timeouts = timeouts or Timeouts()
        self._remote = Remote(read_address(url), credentials, self._timeouts)
        self._folder, self._branch = folder.absolute(), branch
        self._stop = threading.Event()
        self._checked = False
        self._default_due = 0.0
        self.path = self._folder / NAME

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address, without what could let anyone in: what `GitSource.repository` says of the mirror."""
        return self._remote.address.url

    def stop(self) -> None:
        """End what is under way within some two seconds, with a `RetryLater` there. The mirror does not go on after."""
        self._stop.set()

    def fetch(self, beat: Callable[[], None] = lambda: None, branch: str | None = None) -> Fetched:
        """Bring the mirror up to date, or clone it; `beat` is called several times a second meanwhile.

        `branch` is followed from now on.

        Raises `RetryLater` for whatever the network, the server or the disk does, and for credentials that are not
        accepted: they may be again. Raises `NeedsHuman` for a remote that is a shallow clone, or one that git's own
        configuration leads elsewhere. What was fetched before can still be read then.
        """
        self._branch = branch or self._branch
        with self._turn(beat) as bare:
            try:
                why = self._unlike(bare)
                if why:
                    return self._replace(bare, why, delete_folder)
                before = bare.heads()
                self._checked = False  # until it has ended well
                self._remote.fetch_into(bare)
                self._checked = True
                return self._fetched_with_default(bare, before)
            except OtherFormatError as error:
                return self._replace(bare, str(error), delete_folder)
            except DamagedError as error:
                return self._replace(bare, str(error), set_aside)

    def open(self, limits: Limits | None = None) -> GitSource:
        """A source that reads what was fetched; the caller closes it. Fetching goes on beneath it.

        Raises `RetryLater` when nothing has been fetched from this address yet, or the mirror is damaged: fetch.
        """
        bare = Bare(self.path, Supervision(self._stop))
        if not self.path.is_dir():
            raise RetryLater(f"nothing has been fetched from {self.url} yet", hint="the next fetch clones it")
        try:
            marks = bare.read_config()
            bare.check_quickly(marks.object_format)
        except DamagedError as error:
            raise RetryLater(f"the mirror {self.path} is damaged: {error}", hint="the next fetch clones it") from error
        if marks.url != self.url:
            raise RetryLater(f"nothing has been fetched from {self.url} yet", hint="the next fetch clones it")
        return open_repository(self.path, limits=limits)

    def default_branch(self) -> str | None:
        """The branch that the remote's HEAD stands for; None when it is detached or there are no commits.

        When the remote does not answer, the answer of the last time. Clones when there is no mirror yet.
        """
        try:
            self.open().close()
        except RetryLater:
            self.fetch()
        with self._turn() as bare:
            try:
                return self._remote.default_branch(bare)
            except RetryLater:
                head = bare.head()
                if head not in bare.heads():
                    raise
                return head

    def keep(self, commit: str) -> bool:
        """Keep a commit readable, whatever becomes of its branch; False when it is not here. Some 20 are kept.

        The heads that a fetch sees dropped are kept anyhow. This is for the applied commit, after a start.
        """
        with self._turn() as bare:
            is_here = self.path.is_dir() and bare.has(commit)
            if is_here:
                bare.keep(commit)
            return is_here

    def maintain(self) -> bool:
        """Pack what has gathered, when it is worth it: whether it was. Readers go on; seconds in a large repository."""
        with self._turn() as bare:
            due = self.path.is_dir() and bare.is_untidy()
            if due:
                bare.collect()
            return due

    def mend(self) -> str:
        """Read all of the mirror, and clone it again when it is damaged: what was wrong, empty when nothing was.

        For when reading failed with `NeedsHuman`. Raises what `fetch` raises.
        """
        with self._turn() as bare:
            try:
                bare.check_quickly(bare.read_config().object_format)
                bare.check_fully()
            except DamagedError as error:
                self._replace(bare, str(error), set_aside)
                return str(error)
            return ""

    @contextlib.contextmanager
    def _turn(self, beat: Callable[[], None] = lambda: None) -> Iterator[Bare]:
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            with lock_mirror(self._folder / f"{NAME}.lock", self._timeouts.turn, self._stop, beat) as handle:
                yield Bare(self.path, Supervision(self._stop, beat, (handle,)))

    def _unlike(self, bare: Bare) -> str:
        """Why it has to be cloned: there is none, or it mirrors another address. Raises `DamagedError`.

        Looked at before the first fetch and after each that failed, when a killed git may have left something behind.
        """
        if not self.path.exists():
            return "there was none"
        if not self._checked:
            if not self.path.is_dir():
                raise DamagedError("it is no folder")
            marks = bare.read_config()
            if marks.url != self.url:
                return f"it was the mirror of {marks.url}"
            bare.clean()
            bare.check_quickly(marks.object_format)
        return ""

    def _replace(self, old: Bare, why: str, retire: Callable[[Path], None]) -> Fetched:
        """Clone beside the old one, and let it take its place: until then the old one serves, as far as it can."""
        existed = self.path.exists()
        new = old.beside(self.path.with_name(f"{NAME}.part"))
        try:
            self._clone_into(new, USUAL_FORMAT)
        except OtherFormatError as error:
            self._clone_into(new, error.object_format)
        retire(self.path)
        new.git_dir.rename(self.path)
        self._checked = True
        return self._fetched(old, {}, why if existed else "")

    def _clone_into(self, new: Bare, object_format: str) -> None:
        delete_path(new.git_dir)
        new.git_dir.mkdir(mode=0o700)
        new.create(self.url, object_format)
        self._remote.clone_into(new)
        self._ask_default(new)

    def _fetched_with_default(self, bare: Bare, before: Mapping[str, str]) -> Fetched:
        """What was fetched, and what HEAD stands for there. An answer to that which takes long is asked for seldom.

        Nor does a commit wait for it, but the first time.
        """
        fetched = self._fetched(bare, before)
        waited_for = fetched.changed and fetched.after is not None and self._default_due
        if not waited_for and time.monotonic() >= self._default_due:
            with contextlib.suppress(RetryLater):  # the fetch is what counts
                self._ask_default(bare)
        return fetched

    def _ask_default(self, bare: Bare) -> None:
        """Let HEAD stand for what the remote's does."""
        began = time.monotonic()
        default = self._remote.default_branch(bare)
        ended = time.monotonic()
        self._default_due = ended + DEFAULT_COST_FACTOR * (ended - began)
        if default and default != bare.head():
            bare.point_head(default)

    def _fetched(self, bare: Bare, before: Mapping[str, str], replaced: str = "") -> Fetched:
        after = bare.heads()
        branch = self._followed(bare, before, after)
        old, new = before.get(branch), after.get(branch)
        rewritten = old is not None and new is not None and old != new and not bare.descends(new, old)
        if old is not None and (new is None or rewritten):
            bare.keep(old)
        return Fetched(
            branch,
            old,
            new,
            rewritten=rewritten,
            gone=new is None and bool(old or after or bare.kept()),
            moved={
                name: Move(before.get(name), after.get(name))
                for name in sorted(before.keys() | after.keys())
                if before.get(name) != after.get(name)
            },
            replaced=replaced,
        )

    def _followed(self, bare: Bare, before: Mapping[str, str], after: Mapping[str, str]) -> str:
        """The branch by its name. Where none is named and the repository was empty until now, HEAD is asked again."""
        if self._branch is not None:
            return self._branch
        if after and not before and bare.head() not in after:
            default = self._remote.default_branch(bare)
            if default:
                bare.point_head(default)
        return bare.head()


LOCK_PAUSE = 0.02


@contextlib.contextmanager
def lock_mirror(
    file: Path, seconds: float, stop: threading.Event, beat: Callable[[], None] = lambda: None
) -> Iterator[int]:
    """Hold the lock on a file, which is made when missing; gives the handle that child processes may inherit.

    `beat` is called while somebody else holds it.

    Raises `RetryLater` when somebody else holds it for longer than `seconds`.
    """
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        start = time.monotonic()
        while not lock_descriptor(handle, blocking=False):
            if time.monotonic() - start > seconds or stop.wait(LOCK_PAUSE):
                raise RetryLater(
                    f"another process is fetching: {file} is locked", hint="it ends by itself; or is a command running?"
                )
            beat()
        try:
            yield handle
        finally:
            if sys.platform == "win32":  # elsewhere it would take the lock from a git that still runs: closing does not
                unlock_descriptor(handle)
    finally:
        os.close(handle)
