"""The live view of a host with a real server: whatever others do to it, the next scan for drift puts it right."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.machine import SystemClock
from reconciler.adapters.redis.audit import ViewAudit, compare_view
from reconciler.adapters.redis.cache import RedisCache
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.sessions import make_sessions
from reconciler.daemon.conditions import Conditions
from reconciler.daemon.control import DaemonControl
from reconciler.daemon.followers import FollowerContext, FollowerThread
from reconciler.daemon.liveview import LiveView
from reconciler.model.live import ViewContent
from reconciler.report.verification import Verification, VerifiedView
from reconciler.tables.view import view_mark
from reconciler.values import replace
from reconciler.wiring.reading import session_layout
from tests.adapters.redis.views import mark
from tests.daemon.hosts import Lines, host, settings_of
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.kinds import FixedClock
from tests.support.patience import DEADLINE, until
from tests.support.valkey import keys, server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.redis.connection import Connection
    from reconciler.adapters.redis.server import EmbeddedServer
    from reconciler.daemon.host import Host
    from reconciler.model.live import ViewMark
    from reconciler.reconcile.sync import AppliedStep

NAMES = ("ann", "ben", "cleo")


@pytest.fixture(scope="module")
def redis() -> Iterator[EmbeddedServer]:
    """A server that is nobody's but this module's."""
    with server() as running:
        yield running


@pytest.fixture
def link(redis: EmbeddedServer) -> Iterator[Connection]:
    """A patient link to it, empty."""
    with connect(redis.url, answer_timeout=5) as opened:
        opened.ask("FLUSHALL", "SYNC")
        yield opened


class Desk:
    """A host, run by the test, whose live view is kept on a thread."""

    def __init__(self, host: Host, url: str, folder: Path) -> None:
        self.host, self.events, self.patience, self._url = host, [], 5.0, url
        settings = settings_of("none", folder, REDIS_URL=url)
        layout = session_layout()
        context = FollowerContext(settings, folder, host.deps.store, Lines(), self._record)
        self.view = LiveView(context, lambda link: make_sessions(link, layout, settings.idle_timeout), layout)
        conditions = Conditions(FixedClock(), lambda turn: None)
        self.thread = FollowerThread(self.view, lambda: host.observed.stored.applied, conditions, context.log)
        host.followers = (self.thread,)

    def _record(self, event: str, detail: dict[str, Any]) -> None:
        self.events.append((event, detail))

    def verify(self) -> Verification:
        """Compare the host with git."""
        find = partial(str, self._url)
        self.host.deps = replace(self.host.deps, compare_view=partial(compare_view, find, self.patience))
        return DaemonControl(self.host, None)._verify_once(lambda: None)

    def is_current(self) -> bool:
        """Whether the view is at the commit that is live."""
        content, applied = self.view.content(), self.host.observed.stored.applied
        return content is not None and content.mark is not None and content.mark.commit == applied.stamp.commit


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({f"users/{name}.yaml": configs.user(name) for name in NAMES})
    return repo


@pytest.fixture
def desk(repo: GitRepo, tmp_path: Path, redis: EmbeddedServer, link: Connection) -> Iterator[Desk]:
    with host(repo.path, tmp_path / "state") as running:
        running.reconcile(None, lambda: None)
        made = Desk(running, redis.url, tmp_path / "state")
        with made.thread:
            until(made.is_current)
            until(lambda: made.thread._comparison is None and not made.thread._compare_due.is_set())
            yield made


def contents(link: Connection) -> dict[str, object]:
    """All that programs read."""
    return {key: link.ask("GET", key) for key in keys(link) if key.count(":") > 1}


@pytest.mark.parametrize("key", ["config:meta", "config:rows", "config:keeper"])
def test_a_key_of_the_view_that_became_something_else_is_made_anew(desk: Desk, link: Connection, key: str) -> None:
    right = contents(link)
    link.ask("DEL", key)
    link.ask("LPUSH", key, "x")
    desk.host.scan()
    until(lambda: link.ask("TYPE", key) != b"list")
    until(lambda: desk.is_current() and contents(link) == right)


@pytest.mark.parametrize(
    ("done", "found"),
    [
        ([("DEL", "config:user:ann", "config:user:ben")], {"lost": 2, "altered": 0, "unknown": 0}),
        ([("SET", "config:user:ann", '{"status":"ACTIVE"}')], {"lost": 0, "altered": 1, "unknown": 0}),
        ([("COPY", "config:user:ann", "config:user:eve")], {"lost": 0, "altered": 0, "unknown": 1}),
        ([("DEL", "config:rows", "config:sizes")], {"lost": 3, "altered": 0, "unknown": 0}),
    ],
)
def test_a_scan_puts_the_view_right_and_records_it(
    desk: Desk, link: Connection, done: list[tuple[str, ...]], found: dict[str, int]
) -> None:
    right = contents(link)
    assert len(right) == 2 * len(NAMES)
    for command in done:
        link.ask(*command)
    assert contents(link) != right or "config:rows" not in keys(link)
    desk.host.scan()
    until(lambda: bool(desk.events))
    assert contents(link) == right
    ((event, detail),) = desk.events
    assert (event, {name: detail[name] for name in found}) == ("view-healed", found)
    assert len(detail["keys"]) == sum(found.values())
    desk.host.scan()
    until(lambda: not desk.thread._compare_due.is_set() and desk.thread._comparison is None)
    assert len(desk.events) == 1


@pytest.mark.parametrize(
    ("done", "found"),
    [
        (("DEL", "config:user:ann"), [("missing-row", "live view user:ann")]),
        (("SET", "config:user:ann", "{}"), [("wrong-row", "live view user:ann")]),
        (("COPY", "config:user:ann", "config:user:eve"), [("unknown-row", "live view user:eve")]),
    ],
)
def test_verifying_covers_the_view(
    desk: Desk, link: Connection, done: tuple[str, ...], found: list[tuple[str, str]]
) -> None:
    verified = desk.verify()
    assert (verified.live_view, verified.differences) == (VerifiedView(rows=3, reason=""), ())
    link.ask(*done)
    verified = desk.verify()
    assert [(one.sort, one.examples[0].subject) for one in verified.differences] == found
    desk.host.scan()
    until(lambda: bool(desk.events))
    assert desk.verify().differences == ()


def test_verifying_says_why_a_view_was_not_compared(
    desk: Desk, link: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "patience", 0.0)
    link.ask("SET", "config:keeper", "999 desk-2 7", "PX", 600_000)
    link.ask("HSET", "config:meta", "commit", "9" * 40)
    verified = desk.verify()
    assert verified.live_view == VerifiedView(rows=None, reason="it is of commit 99999999, which desk-2 7 keeps there")
    assert verified.differences == ()
    link.ask("HSET", "config:meta", "format", 9)
    verified = desk.verify()
    assert verified.live_view is not None
    assert "has format 9" in verified.live_view.reason


def test_a_view_that_nobody_brings_up_to_date_is_a_difference(link: Connection, redis: EmbeddedServer) -> None:
    RedisCache(link, 1_000_000).rebuild([], mark(1))
    view = compare_view(lambda: redis.url, 0.0, mark(2), ViewContent(), ())
    assert (view.stale, view.reason) == (True, "it is of commit 00000000, and no daemon keeps it")


def test_what_was_done_while_no_daemon_ran_is_put_right_when_it_starts(
    repo: GitRepo, tmp_path: Path, redis: EmbeddedServer, link: Connection
) -> None:
    with host(repo.path, tmp_path / "state") as running:
        running.reconcile(None, lambda: None)
        for altered in (False, True):
            made = Desk(running, redis.url, tmp_path / "state")
            with made.thread:
                until(made.is_current)
                if altered:
                    until(lambda made=made: bool(made.events))  # type: ignore[misc]
                    assert made.events[0][1]["keys"] == ["user:ann"]
            link.ask("SET", "config:user:ann", "{}")


class Steps:
    """Hears of what goes live, in place of a thread."""

    def __init__(self) -> None:
        self.heard: list[AppliedStep] = []

    def hear(self, step: AppliedStep) -> None:
        """Keep it."""
        self.heard.append(step)


@pytest.mark.usefixtures("link")
@pytest.mark.parametrize("made_after", [0, 1, 2, 3])
def test_a_view_made_anew_takes_the_steps_that_come_after_it_whatever_the_clock_says(
    repo: GitRepo, redis: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_after: int
) -> None:
    with host(repo.path, tmp_path / "state") as running:
        running.reconcile(None, lambda: None)
        view, steps = Desk(running, redis.url, tmp_path / "state").view, Steps()
        running.followers = (steps,)
        made: list[ViewMark] = []
        real = RedisCache.rebuild
        monkeypatch.setattr(
            RedisCache, "rebuild", lambda cache, rows, mark: made.append(mark) or real(cache, rows, mark)
        )
        with view.connect():
            for number in range(3):
                if number == made_after:
                    view.catch_up(running.observed.stored.applied)
                back = datetime(2026, 1, 9 - number, tzinfo=UTC)
                monkeypatch.setattr(SystemClock, "now", lambda clock, back=back: back)
                repo.commit({"users/ann.yaml": configs.user("ann", risk=0.1 + number)})
                running.reconcile(None, lambda: None)
            if made_after == 3:
                view.catch_up(running.observed.stored.applied)
            for step in steps.heard:
                view.apply(step)
            view.catch_up(running.observed.stored.applied)
        assert len(made) == 1
        assert view_mark(running.observed.stored.applied) == view_mark(steps.heard[-1].applied)


@pytest.mark.slow
def test_a_view_that_another_host_keeps_is_left_alone(desk: Desk, link: Connection) -> None:
    link.ask("SET", "config:keeper", "999 another host", "PX", 600_000)
    until(lambda: bool((content := desk.view.content()) and content.kept_by))
    link.ask("DEL", "config:user:ann")
    desk.host.scan()
    until(lambda: not desk.thread._compare_due.is_set() and desk.thread._comparison is None)
    assert (desk.events, link.ask("EXISTS", "config:user:ann")) == ([], 0)
    link.ask("DEL", "config:keeper")
    until(lambda: desk.view.content().kept_by == "")
    desk.host.scan()
    until(lambda: link.ask("EXISTS", "config:user:ann") == 1)


def test_a_commit_goes_into_the_view_while_it_is_compared(
    desk: Desk, repo: GitRepo, link: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, real = threading.Event(), ViewAudit._compare

    def compare(audit: ViewAudit, rows: Any) -> Any:
        begun.set()
        return real(audit, rows)

    monkeypatch.setattr(ViewAudit, "_compare", compare)
    monkeypatch.setattr("reconciler.adapters.redis.audit.ROWS_PER_SCRIPT", 1)
    link.ask("SET", "config:user:ann", "{}")
    desk.host.scan()
    assert begun.wait(DEADLINE)
    for number in range(3):
        name = f"new{number}"
        repo.commit({"users/ben.yaml": configs.user("ben", risk=0.1 + number), f"{name}.yaml": configs.user(name)})
        desk.host.reconcile(None, lambda: None)
    until(desk.is_current)
    until(lambda: any(detail["keys"] == ["user:ann"] for _, detail in desk.events))
    assert [detail["unknown"] for _, detail in desk.events] == [0]
