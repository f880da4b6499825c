"""The thread that tells people: what it reads, keeps and sends, what it shows, and what a kill leaves."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from reconciler.adapters.duckdb.backup import back_up, restore
from reconciler.adapters.duckdb.store import open_store
from reconciler.adapters.git.repository import open_repository
from reconciler.adapters.machine import SystemClock
from reconciler.daemon import notifier
from reconciler.daemon.host import SyncRequest
from reconciler.daemon.notifier import Facts, Handed, Notifier, find_commits
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater
from reconciler.model.commit import Commit, Signature
from reconciler.model.host import HostEvent
from reconciler.model.receiver import Topic, parse_receivers
from reconciler.notify.outbox import read_outbox
from reconciler.notify.senders import Postponed, Rejected, Sender
from reconciler.notify.transitions import NOTIFICATIONS
from reconciler.status import BranchHead, describe
from reconciler.values import replace
from tests.adapters.store.tampering import real_step
from tests.daemon.hosts import Lines, host
from tests.notify.test_messages import ORIGIN
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.kinds import KINDS, owner, row, stamp, widget
from tests.support.patience import NEVER, until
from tests.support.standings import NOON, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.daemon.host import Host
    from reconciler.notify.outbox import Message


class Recorder(Sender):
    """Takes messages, or answers with the errors that a test gives it, one after the other; the last one for ever."""

    gap = 0.0

    def __init__(self, name: str = "desk") -> None:
        (receiver,) = parse_receivers(
            [{"kind": "webhook", "url": f"https://host.example/{name}", "name": name}], lambda *_: ""
        )
        super().__init__(receiver, ORIGIN)
        self.tried: list[Message] = []
        self.taken: list[Message] = []
        self.errors: list[ReconcilerError] = []
        self.folder: Path | None = None
        self.kept: list[bool] = []
        """Whether each was in the file while it was sent."""

    def send(self, message: Message) -> Message | None:
        self.tried.append(message)
        if self.folder is not None:
            kept = read_outbox(self.folder)
            assert kept is not None
            self.kept.append(kept.queues[self.receiver.key].sending == message)
        if self.errors:
            raise self.errors[0] if len(self.errors) == 1 else self.errors.pop(0)
        self.taken.append(message)
        return None

    def told(self) -> list[tuple[str, str | None]]:
        return [(str(one.topic), one.commit) for message in self.taken for one in message.transitions]


class Desk:
    """A host with a repository, whose operations a test does itself, and a notifier that runs beside it."""

    def __init__(self, folder: Path, opened: Host) -> None:
        self.repo, self.state, self.host = GitRepo(folder / "config"), folder / "state", opened
        self.recorder = Recorder()

    def facts(self) -> Facts:
        def status() -> Any:
            conditions = tuple(self.host.deps.conditions.snapshot().active.values())
            place = self.host.observed.place or BranchHead("", "", None, shallow=False)
            daemon = running(conditions=conditions, scan=self.host.observed.scan)
            return describe(place, self.host.observed.stored, daemon, SystemClock().now())

        deps = self.host.deps
        return Facts(
            self.state,
            status,
            lambda: open_repository(self.repo.path),
            deps.conditions,
            deps.log,
            deps.clock,
            deps.metrics.notifications,
        )

    @contextmanager
    def notifier(self, *more: Sender, is_in_use: bool = False) -> Iterator[Notifier]:
        """`is_in_use`: the store, when the notifier starts."""
        found = Notifier([self.recorder, *more], self.facts())
        if not is_in_use:
            found.begin(self.host.deps.store.store())
        self.host.on_refresh = found.exchange
        with found:
            yield found

    def commit(self, risk: float) -> str:
        sha = self.repo.commit({"ann.yaml": configs.user("ann", risk=risk)})
        self.sync()
        return sha

    def sync(self) -> None:
        self.host.fetch(lambda: None)
        self.host.head()
        self.host.reconcile(SyncRequest(), lambda: None)

    def shown(self) -> str:
        condition = self.host.deps.conditions.snapshot().active.get(NOTIFICATIONS)
        return condition.reason if condition else ""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Nothing is waited for without need."""
    for name, seconds in {"TICK": 0.02, "GATHER": 0.0, "LONGEST_GATHER": 0.0}.items():
        monkeypatch.setattr(notifier, name, seconds)
    monkeypatch.setattr(notifier, "Backoff", Soon)
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({"ann.yaml": configs.user("ann", risk=1.0)})
    with host(repo.path, tmp_path / "state") as opened:
        (tmp_path / "state").mkdir(exist_ok=True)
        found = Desk(tmp_path, opened)
        found.sync()
        yield found


class Soon:
    """A back-off for tests."""

    def next(self) -> float:
        return 0.0

    def reset(self) -> None:
        pass


def test_a_commit_is_told_once_with_what_git_says_of_it(desk: Desk) -> None:
    desk.recorder.folder = desk.state
    with desk.notifier():
        sha = desk.commit(2.0)
        until(lambda: bool(desk.recorder.taken))
        desk.sync()
        bad = desk.repo.commit({"ann.yaml": "kind: ["})
        desk.sync()
        desk.sync()
        until(lambda: len(desk.recorder.taken) == 2)
    assert desk.recorder.told() == [("live", sha), ("refused", bad)]
    assert desk.recorder.kept == [True, True]
    (live,) = desk.recorder.taken[0].transitions
    assert [(one.sha, one.subject, one.author) for one in live.commits] == [(sha, "Change configuration", "Ann Trader")]


@pytest.mark.slow
def test_what_happens_while_a_receiver_is_away_is_one_message(desk: Desk) -> None:
    desk.recorder.errors = [RetryLater("it is away")]
    with desk.notifier():
        first = desk.commit(2.0)
        until(lambda: len(desk.recorder.tried) > 2)
        until(lambda: desk.shown() == "NotDelivered")
        later = [desk.commit(risk) for risk in (3.0, 4.0, 5.0)]
        desk.recorder.errors = []
        until(lambda: len(desk.recorder.taken) == 2)
        until(lambda: desk.shown() == "")
    assert len({one.id for one in desk.recorder.tried}) == 2
    assert desk.recorder.told() == [("live", first), *(("live", sha) for sha in later)]


@pytest.mark.slow
def test_a_kill_before_the_answer_sends_the_same_message_again(desk: Desk) -> None:
    desk.recorder.errors = [RetryLater("nobody knows whether it came through")]
    with desk.notifier():
        sha = desk.commit(2.0)
        until(lambda: bool(desk.recorder.tried))
    kept = read_outbox(desk.state)
    assert kept is not None
    assert desk.recorder.taken == []
    desk.recorder.errors = []
    with desk.notifier():
        until(lambda: bool(desk.recorder.taken))
    assert {one.id for one in desk.recorder.tried} == {desk.recorder.taken[0].id}
    assert desk.recorder.told() == [("live", sha)]


@pytest.mark.slow
@pytest.mark.parametrize("is_in_use", [False, True])
def test_what_went_live_while_no_daemon_ran_is_told(desk: Desk, is_in_use: bool) -> None:
    with desk.notifier():
        pass
    desk.host.on_refresh = lambda store: None
    shas = [desk.commit(2.0), desk.commit(3.0)]
    with desk.notifier(is_in_use=is_in_use):
        desk.sync()
        until(lambda: bool(desk.recorder.taken))
    assert desk.recorder.told() == [("live", sha) for sha in shas]


@pytest.mark.slow
def test_a_store_that_is_in_use_at_the_first_start_begins_with_what_is_newest(desk: Desk) -> None:
    with desk.notifier(is_in_use=True):
        desk.sync()
        sha = desk.commit(2.0)
        until(lambda: bool(desk.recorder.taken))
    assert desk.recorder.told() == [("live", sha)]


@pytest.mark.slow
def test_a_receiver_that_fails_keeps_nothing_from_another(desk: Desk) -> None:
    desk.recorder.errors = [NeedsHuman("its token is wrong")]
    other = Recorder("other")
    with desk.notifier(other):
        desk.commit(2.0)
        until(lambda: bool(other.taken))
        until(lambda: desk.shown() == "NotDelivered")
    assert len(desk.recorder.tried) == 1


@pytest.mark.slow
def test_a_message_that_nobody_takes_is_dropped_and_the_next_one_sent(desk: Desk) -> None:
    desk.recorder.errors = [Rejected("too long")]
    with desk.notifier():
        desk.commit(2.0)
        until(lambda: desk.shown() == "NotificationsDropped")
        assert len(desk.recorder.tried) == notifier.MAX_REJECTIONS
        desk.recorder.errors = []
        sha = desk.commit(3.0)
        until(lambda: bool(desk.recorder.taken))
        until(lambda: desk.shown() == "")
    assert desk.recorder.told() == [("live", sha)]


@pytest.mark.slow
def test_an_event_that_cannot_be_read_takes_no_other_with_it(desk: Desk) -> None:
    with desk.notifier() as found:
        found._handed.append(Handed(HostEvent(1, NOON, "applied", "a" * 40, None, 0.0, detail=cast("Any", [7]))))
        sha = desk.commit(2.0)
        until(lambda: bool(desk.recorder.taken))
    assert desk.recorder.told() == [("live", sha)]


@pytest.mark.slow
def test_what_waits_for_nobody_any_more_is_logged(desk: Desk) -> None:
    desk.recorder.errors = [RetryLater("away")]
    with desk.notifier():
        desk.commit(2.0)
        until(lambda: bool(desk.recorder.tried))
    desk.recorder = Recorder("other")
    with desk.notifier():
        log = desk.host.deps.log
        assert isinstance(log, Lines)
        assert any(name == "NotificationsLost" and "1 waited" in message for name, message in log.events)


@pytest.mark.slow
def test_an_outage_is_no_rejection(desk: Desk) -> None:
    outage, rejected = [RetryLater("away")] * 3, [Rejected("not yet")] * (notifier.MAX_REJECTIONS - 1)
    desk.recorder.errors = [*outage, *rejected, RetryLater("away"), RetryLater("away")]
    with desk.notifier():
        sha = desk.commit(2.0)
        until(lambda: len(desk.recorder.tried) > len(outage) + len(rejected))
        desk.recorder.errors = []
        until(lambda: bool(desk.recorder.taken))
    assert desk.recorder.told() == [("live", sha)]


@pytest.mark.slow
def test_a_receiver_is_left_alone_for_as_long_as_it_asks(desk: Desk) -> None:
    desk.recorder.errors = [Postponed("too many", after=NEVER)]
    with desk.notifier():
        desk.commit(2.0)
        until(lambda: bool(desk.recorder.tried))
        desk.commit(3.0)
    assert len(desk.recorder.tried) == 1


@pytest.mark.slow
def test_a_receiver_that_hangs_delays_no_commit(desk: Desk) -> None:
    came, go = threading.Event(), threading.Event()

    class Hanging(Recorder):
        def send(self, message: Message) -> Message | None:
            came.set()
            go.wait(NEVER)
            return None

        def stop(self) -> None:
            go.set()

    desk.recorder = Hanging()
    with desk.notifier():
        desk.commit(2.0)
        assert came.wait(NEVER)
        desk.commit(3.0)
        assert desk.host.observed.stored.applied is not None
        assert not go.is_set()


@pytest.mark.slow
def test_a_file_that_cannot_be_written_is_shown_and_people_are_told_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with desk.notifier():
        monkeypatch.setattr(notifier, "write_outbox", refuse)
        desk.commit(2.0)
        until(lambda: desk.shown() == "NotificationsNotWritten")
        assert desk.recorder.taken


@pytest.mark.slow
def test_what_is_in_the_file_again_is_no_longer_shown(desk: Desk) -> None:
    """What could not be written may be over before there is something else to write."""
    with desk.notifier() as found:
        found._unwritten = "no space left on device"
        until(lambda: not found._unwritten)
        until(lambda: desk.shown() == "")


@pytest.mark.slow
def test_a_fault_in_git_or_status_keeps_nothing_from_anybody(desk: Desk) -> None:
    def fail(*_: Any) -> Any:
        raise OSError(5, "Input/output error")

    facts = replace(desk.facts(), status=fail, open_source=fail)
    other = Recorder("other")
    found = Notifier([desk.recorder, other], facts)
    found.begin(desk.host.deps.store.store())
    desk.host.on_refresh = found.exchange
    with found:
        sha = desk.commit(2.0)
        until(lambda: bool(desk.recorder.taken and other.taken))
    assert desk.recorder.told() == other.told() == [("live", sha)]


@pytest.mark.slow
def test_a_change_that_cannot_be_sent_keeps_no_other_from_being_told(desk: Desk) -> None:
    class Picky(Recorder):
        def send(self, message: Message) -> Message | None:
            if any(one.topic is Topic.REFUSED for one in message.transitions):
                raise ValueError("cannot be made into a message")
            return super().send(message)

    desk.recorder = Picky()
    desk.recorder.errors = [RetryLater("away")]
    with desk.notifier():
        shas = [desk.commit(2.0)]
        until(lambda: bool(desk.recorder.tried))
        shas.append(desk.commit(3.0))
        desk.repo.commit({"ann.yaml": "kind: ["})
        desk.sync()
        shas.append(desk.commit(4.0))
        desk.recorder.errors = []
        until(lambda: desk.recorder.told() == [("live", sha) for sha in shas])


@pytest.mark.slow
def test_events_are_read_a_few_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "MAX_EVENTS", 2)
    monkeypatch.setattr(notifier, "MAX_HANDED", 3)
    found = Notifier([desk.recorder], desk.facts())
    store = desk.host.deps.store.store()
    found.begin(store)
    for number in range(9):
        store.record_event("view-kept", {"number": number})
    found.exchange(store)
    assert len(found._handed) == 4
    with found:
        until(lambda: not found._handed)
        for _ in range(3):
            found.exchange(store)
            until(lambda: not found._handed)
    assert found._seq == store.events(1)[0].seq


@pytest.mark.slow
def test_that_a_backup_was_brought_back_is_told(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with open_store(folder, SystemClock()) as store:
        store.bind(owner("r", "main"))
        store.apply(KINDS, real_step(1, row(widget("a"), 1)))
        Notifier([desk.recorder], desk.facts()).begin(store)  # the first start
    again = Notifier([desk.recorder], desk.facts())
    restore(back_up(folder, NOON), folder, lambda *_: True, NOON)
    with open_store(folder, SystemClock()) as store:
        again.exchange(store)
        store.apply(KINDS, real_step(2, row(widget("b"), 2)))
        again.exchange(store)
    with again:
        until(lambda: bool(desk.recorder.taken))
    assert desk.recorder.told() == [("restored", stamp(1).commit), ("live", stamp(2).commit)]


def test_where_the_commits_between_two_are_found() -> None:
    known = {str(number): commit(number) for number in range(150)}
    read: Callable[[str], Any] = lambda sha: known[sha]  # noqa: E731
    commits, more = find_commits(read, "9", "5")
    assert ([one.sha for one in commits], more) == (["9", "8", "7", "6"], False)
    assert [one.sha for one in find_commits(read, "9", None)[0]] == ["9"]
    assert find_commits(read, "149", "5")[1]
    assert [one.sha for one in find_commits(read, "9", "elsewhere")[0]] == ["9"]


def commit(number: int) -> Any:
    person = Signature("Ann", "a@b", NOON)
    return Commit(str(number), (str(number - 1),) if number else (), person, person, f"Change {number}\n\nmore")
