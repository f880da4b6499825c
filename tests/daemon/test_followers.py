"""Followers: one class, named in one line, hears of commits, catches up, backs off, and has its line in `status`."""

from __future__ import annotations

import io
import itertools
import json
import threading
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.log import Style
from reconciler.daemon.conditions import Conditions
from reconciler.daemon.followers import Follower, FollowerContext, FollowerThread
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.wiring.daemon import run_daemon
from tests.daemon.hosts import Lines, host, settings_of
from tests.running.hosts import Host
from tests.support import configs
from tests.support.daemons import until
from tests.support.gitrepo import GitRepo
from tests.support.kinds import FixedClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.daemon.host import Host as DaemonHost
    from reconciler.model.commit import Applied
    from reconciler.reconcile.sync import AppliedStep


class CommitFile(Follower):
    """Keeps a file that holds the commit which is live."""

    name, condition = "commit-file", "CommitFile"
    retry_seconds = (0.01, 0.05)

    def __init__(self, context: FollowerContext) -> None:
        self._file = context.state_folder.with_name("commit.txt")

    def catch_up(self, applied: Applied | None) -> None:
        """Compare what is written with what is live."""
        if applied is not None and self._read() != applied.stamp.commit:
            self._write(applied.stamp.commit)

    def apply(self, step: AppliedStep) -> None:
        """Write the commit."""
        self._write(step.applied.stamp.commit)

    def state(self) -> str:
        """What is written."""
        return f"at {self._read()[:8] or 'nothing yet'}"

    def _read(self) -> str:
        return self._file.read_text() if self._file.is_file() else ""

    def _write(self, commit: str) -> None:
        try:
            self._file.write_text(commit)
        except OSError as error:
            raise RetryLater(f"cannot write {self._file.name}", hint="see who may write there") from error


RISKS = (number / 100 for number in itertools.cycle(range(1, 90)))


class Desk:
    """A host, run by the test, with the follower's thread beside it."""

    def __init__(self, folder: Path, repo: GitRepo) -> None:
        self.repo, self.folder, self.file = repo, folder, folder / "commit.txt"
        self.conditions = Conditions(FixedClock(), lambda turn: None)
        self.log = Lines()

    def follower(self, desk: DaemonHost, follower: type[Follower] = CommitFile) -> FollowerThread:
        """The follower's thread; the host tells it of commits."""
        context = FollowerContext(None, self.folder / "state", desk.deps.store, self.log, lambda event, detail: None)
        thread = FollowerThread(follower(context), lambda: desk.observed.stored.applied, self.conditions, self.log)
        desk.followers = (thread,)
        return thread

    def host(self) -> AbstractContextManager[DaemonHost]:
        return host(self.repo.path, self.folder / "state")

    def commit(self, risk: float) -> str:
        return self.repo.commit({"users/ann.yaml": configs.user("ann", risk=risk)})

    def await_file(self, commit: str) -> None:
        until(lambda: self.file.is_file() and self.file.read_text() == commit)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, GitRepo.create(tmp_path / "config"))


def test_it_hears_of_each_commit_that_goes_live(desk: Desk) -> None:
    with desk.host() as running, desk.follower(running) as thread:
        for risk in (0.25, 0.75):
            commit = desk.commit(risk)
            running.reconcile(None, lambda: None)
            desk.await_file(commit)
        assert (thread.status().state, thread.status().message) == ("Following", f"at {commit[:8]}")


class Deaf(CommitFile):
    """Cannot take a step: it has to look what is live."""

    def apply(self, step: AppliedStep) -> None:
        """Do nothing."""


@pytest.mark.slow
def test_it_catches_up_although_commits_do_not_stop(desk: Desk) -> None:
    first = desk.commit(0.25)
    with desk.host() as running:
        running.reconcile(None, lambda: None)
        with desk.follower(running, Deaf):
            desk.await_file(first)
            until(lambda: _go_live(desk, running) and desk.file.read_text() != first)


def _go_live(desk: Desk, running: DaemonHost) -> bool:
    desk.commit(next(RISKS))
    return running.reconcile(None, lambda: None) is not None


@pytest.mark.slow
def test_it_catches_up_with_what_went_live_without_it(desk: Desk) -> None:
    with desk.host() as running, desk.follower(running):
        desk.commit(0.25)
        running.reconcile(None, lambda: None)
    missed = desk.commit(0.75)
    with desk.host() as running:
        running.reconcile(None, lambda: None)
    with desk.host() as running, desk.follower(running):
        running.refresh()
        desk.await_file(missed)
        desk.file.write_text("somebody else was here")
        desk.await_file(missed)


def test_its_errors_are_a_condition_that_ends_when_it_can_write_again(desk: Desk) -> None:
    desk.file.mkdir()
    with desk.host() as running, desk.follower(running) as thread:
        commit = desk.commit(0.25)
        running.reconcile(None, lambda: None)
        until(lambda: "CommitFile" in desk.conditions.snapshot().active)
        shown = desk.conditions.snapshot().active["CommitFile"]
        assert (shown.severity, shown.reason, shown.hint) == ("Retrying", "RetryLater", "see who may write there")
        assert (thread.status().state, thread.status().message) == ("Retrying", "cannot write commit.txt")
        desk.file.rmdir()
        desk.await_file(commit)
        until(lambda: not desk.conditions.snapshot().active)
        until(lambda: thread.status().state == "Following")


class Broken(CommitFile):
    """Fails in another way each time, and then no more."""

    failures: tuple[Exception, ...] = (NeedsHuman("ask somebody"), ZeroDivisionError("oh"))

    def catch_up(self, applied: Applied | None) -> None:
        if self.failures:
            first, *rest = self.failures
            self.failures = tuple(rest)
            raise first
        super().catch_up(applied)


def test_it_outlives_whatever_it_meets(desk: Desk) -> None:
    turns: list[tuple[str, str]] = []
    desk.conditions = Conditions(
        FixedClock(), lambda turn: turns.append((turn.after.reason, turn.after.severity) if turn.after else ())
    )
    with desk.host() as running, desk.follower(running, Broken):
        commit = desk.commit(0.25)
        running.reconcile(None, lambda: None)
        desk.await_file(commit)
        until(lambda: len(turns) == 3)
    assert turns == [("NeedsHuman", "Stalled"), ("UnexpectedError", "Retrying"), ()]
    assert ("Bug", "oh") in desk.log.events


def test_nothing_waits_for_it_while_it_is_out_of_reach(desk: Desk) -> None:
    """Nor is anything kept for it."""
    gate = threading.Event()

    class Slow(CommitFile):
        def catch_up(self, applied: Applied | None) -> None:
            if not gate.wait(0):
                raise RetryLater("not yet")
            super().catch_up(applied)

    with desk.host() as running, desk.follower(running, Slow) as thread:
        for number in range(1, 9):
            commit = desk.commit(number / 10)
            running.reconcile(None, lambda: None)
        assert thread._steps.qsize() <= 1
        gate.set()
        desk.await_file(commit)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Host]:
    """A host whose daemon runs in this process, with the follower beside its own."""
    made = Host.create(tmp_path, REDIS_URL="none")
    settings = settings_of(made.origin, made.state, **made.settings)
    with run_daemon(settings, "run", io.StringIO(), Style.PLAIN, followers=(CommitFile,)):
        yield made


@pytest.mark.slow
def test_it_has_its_line_in_status(there: Host, tmp_path: Path) -> None:
    until((tmp_path / "commit.txt").is_file)
    until(lambda: f"commit-file at {there.head[:8]}" in there.run("status").out, lambda: there.run("status"))
    said = json.loads(there.run("status", "--format", "json").out)
    assert {"name": "commit-file", "state": "Following", "message": f"at {there.head[:8]}"} in said["followers"]
    (tmp_path / "commit.txt").unlink()
    (tmp_path / "commit.txt").mkdir()
    until(lambda: "cannot write commit.txt" in there.run("status").out, lambda: there.run("status"))
