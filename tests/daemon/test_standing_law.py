"""A host says the same of itself everywhere, and nothing that contradicts itself, whatever happens to it.

Five are asked after each of many random events: `status` as text, `/v1/status`, `/readyz`, metrics, the overview page.
"""

from __future__ import annotations

import random
import re
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import answers
from reconciler.backoff import Backoff
from reconciler.daemon.assembly import _context, make_dependencies
from reconciler.daemon.control import DaemonControl, HostState
from reconciler.daemon.host import Host
from reconciler.daemon.loop import Intervals, Loop
from reconciler.daemon.metrics import Exposition
from reconciler.daemon.sessions import SharedSessions
from reconciler.errors import ReconcilerError, RetryLater
from reconciler.model.host import ConditionSeverity
from reconciler.report.status import status_lines
from reconciler.service.host import Host as HostService
from reconciler.service.pages import Pages
from reconciler.web.pages.templates import render_page
from reconciler.wiring.daemon import daemon_parts
from tests.daemon.hosts import Lines, settings_of
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.patience import DEADLINE, until
from tests.support.standings import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow  # whole hosts; `make test` has the parts

NAMES = ("ann", "ben", "cleo")
MOVING = ("daemon", "history")
"""What goes on by itself between two answers."""


class Running:
    """A daemon without its process: everything but the sockets."""

    def __init__(self, repo: GitRepo, folder: Path, stack: ExitStack, mode: str) -> None:
        figures, parts = metrics(), daemon_parts(settings_of(repo.path, folder, DRIFT_MODE=mode))
        deps = make_dependencies(parts, Lines(), figures, stack)
        self.host = Host(deps, parts.bundled)
        self.loop = Loop(self.host, deps.conditions, Backoff, Intervals(), str)
        self.control, state = DaemonControl(self.host, self.loop), HostState(self.host, self.loop, str)
        sessions = stack.enter_context(SharedSessions(str, parts.session_layout, parts.settings.idle_timeout))
        context = _context(parts, state, deps, sessions)
        self.service, self.pages = HostService(context), Pages(context)
        self.exposition = Exposition(figures, state.status, state.heartbeats, lambda: 3600.0)
        stack.enter_context(self.loop)

    def answer(self) -> dict[str, Any]:
        """What `/v1/status` answers."""
        return answers.to_json(self.service.status())

    def is_ready(self) -> bool:
        """What `/readyz` says."""
        try:
            return self.service.readiness().ready
        except RetryLater:
            return False


class World:
    """A host, what has happened to it, and what may happen next."""

    def __init__(self, folder: Path, chance: random.Random, mode: str) -> None:
        self.repo, self._folder, self._chance, self._mode = GitRepo.create(folder / "config"), folder, chance, mode
        self.commits = [self.repo.commit({f"users/{name}.yaml": configs.user(name) for name in NAMES})]
        self._backup = ""
        self._stack = ExitStack()
        self.running = self._start()

    def _start(self) -> Running:
        return Running(self.repo, self._folder / "state", self._stack, self._mode)

    def close(self) -> None:
        self._stack.close()

    def happen(self) -> str:
        """One event, by its name."""
        event = self._chance.choice(EVENTS)
        with suppress(ReconcilerError, CancelledError):
            event(self)
        return event.__name__

    def commit(self) -> None:
        files = {f"users/{self._chance.choice(NAMES)}.yaml": configs.user("x", risk=self._chance.randint(1, 8) / 8)}
        self.commits.append(
            self.repo.commit({name: text.replace("name: x", f"name: {name[6:-5]}") for name, text in files.items()})
        )
        self.sync()

    def break_a_file(self) -> None:
        self.repo.commit({"users/ann.yaml": "a: [1\n"})
        self.sync()

    def sync(self) -> None:
        self.running.control.sync("ann").result(DEADLINE)

    def force_push(self) -> None:
        self.repo.git("update-ref", "refs/heads/main", self._chance.choice(self.commits))
        self.sync()

    def delete_the_branch(self) -> None:
        self.repo.git("update-ref", "-d", "refs/heads/main")
        with suppress(ReconcilerError):
            self.sync()
        self._do(self.host_scan)

    def bring_it_back(self) -> None:
        self.repo.git("update-ref", "refs/heads/main", self.commits[-1])
        self.sync()

    def edit_a_row(self) -> None:
        risk, name = self._chance.randint(10, 99), self._chance.choice(NAMES)

        def edit() -> None:
            where = f"user_id = (SELECT user_id FROM desired.user_config WHERE name = '{name}')"
            connection = self.running.host.deps.store.store()._connection
            connection.execute(f"UPDATE main.user_config SET risk_per_trade_percent = {risk} WHERE {where}")

        self._do(edit)
        self._do(self.host_scan)

    def host_scan(self) -> None:
        self.running.host.scan()

    def heal(self) -> None:
        self.running.control.heal("ann").result(DEADLINE)
        said = self.running.answer()
        assert not [one for one in said["troubles"] if one["reason"] == "Drifted"], "right after it was healed"

    def suspend(self) -> None:
        self.running.control.suspend("ann", "a pause").result(DEADLINE)

    def resume(self) -> None:
        self.running.control.resume("ann").result(DEADLINE)

    def back_up(self) -> None:
        self._backup = self.running.control.back_up("ann").result(DEADLINE).file

    def restore(self) -> None:
        if self._backup:
            self.running.control.restore("ann", self._backup).result(DEADLINE)

    def lose_redis(self) -> None:
        conditions = self.running.host.deps.conditions
        conditions.set("Redis", self._chance.choice(list(ConditionSeverity)[:2]), "RetryLater", "it does not answer")

    def find_redis(self) -> None:
        self.running.host.deps.conditions.clear("Redis")

    def restart(self) -> None:
        self._stack.close()
        self.running = self._start()

    def _do(self, work: Callable[[], None]) -> None:
        self.running.loop.submit(lambda heartbeat: work()).result(DEADLINE)


EVENTS = (
    *(World.commit, World.commit, World.break_a_file, World.sync, World.force_push),
    *(World.delete_the_branch, World.bring_it_back, World.edit_a_row, World.edit_a_row, World.heal, World.heal),
    *(World.suspend, World.resume, World.resume, World.back_up, World.restore),
    *(World.lose_redis, World.find_redis, World.restart),
)


@contextmanager
def world(folder: Path, seed: int, mode: str) -> Iterator[World]:
    made = World(folder, random.Random(seed), mode)
    try:
        yield made
    finally:
        made.close()


def ask_all(running: Running) -> tuple[dict[str, Any], dict[str, str], bool, str, dict[str, Any]]:
    """The five answers, of one moment."""
    found: list[tuple[Any, ...]] = []

    def are_of_one_moment() -> bool:
        before, ready = running.answer(), running.is_ready()
        text = dict(status_lines(running.service.status()))
        figures, page = running.exposition.expose("")[1].decode(), running.pages.overview()
        found.append((before, text, ready, figures, page))
        return _steady(before) == _steady(running.answer()) and ready == running.is_ready()

    until(are_of_one_moment)
    return found[-1]  # type: ignore[return-value]


def _steady(said: dict[str, Any]) -> dict[str, Any]:
    """What does not move by itself: a fetch may begin and end between two answers."""
    moving = ("Reconciling",)
    conditions = [one for one in said["conditions"] if one["type"] not in moving]
    return {
        **{name: value for name, value in said.items() if name not in MOVING},
        "conditions": conditions,
        "last_sync_at": said["daemon"]["last_sync_at"],
    }


def labels(figures: str, name: str) -> list[dict[str, str]]:
    """The labels of each sample of a metric that is 1."""
    lines = re.findall(rf"^{name}\{{(.*)\}} 1\.0$", figures, re.MULTILINE)
    return [dict(re.findall(r'(\w+)="([^"]*)"', line)) for line in lines]


def value(figures: str, name: str) -> float | None:
    found = re.search(rf"^{name} (\S+)$", figures, re.MULTILINE)
    return float(found[1]) if found else None


def check(running: Running) -> None:
    """All five agree, and what they say agrees with itself."""
    said, text, ready, figures, page = ask_all(running)
    _check_itself(said, ready)
    assert (text["sync"], text["health"]) == (said["sync"], said["health"])
    assert ("trouble" in text) is bool(said["troubles"])
    assert ("refused" in text) is bool(said["refused"])
    (info,) = labels(figures, "reconciler_info")
    short = {name: (said[name] or "")[:8] if name == "head" else said[name] for name in ("sync", "health", "head")}
    assert {name: info[name] for name in short} == short
    assert info["applied"] == (said["applied"]["commit"][:8] if said["applied"] else "")
    holding = {(one["type"], one["status"]) for one in labels(figures, "reconciler_condition")}
    told = {(one["type"], one["status"]) for one in said["conditions"]}
    assert {one for one in holding if one[0] != "Reconciling"} == {one for one in told if one[0] != "Reconciling"}
    troubles = {(one["about"], one["reason"], one["outlook"]) for one in said["troubles"]}
    counted = {(one["about"], one["reason"], one["outlook"]) for one in labels(figures, "reconciler_trouble")}
    assert counted == troubles
    assert value(figures, "reconciler_head_refused") == float(bool(said["refused"]))
    left = said["drift"]["found"] - said["drift"]["healed"] if said["drift"] else None
    assert value(figures, "reconciler_drift_rows") == left
    assert _steady(page["status"]) == _steady(said)
    heading = page["host"]
    assert (heading["sync"], heading["health"]) == (said["sync"], said["health"])
    shown = render_page("overview", page)
    assert said["sync"] in shown
    assert said["health"] in shown


def _check_itself(said: dict[str, Any], ready: bool) -> None:
    condition = {one["type"]: one["status"] == "True" for one in said["conditions"]}
    applied = said["applied"] and said["applied"]["commit"]
    drifted = bool(said["drift"]) and said["drift"]["found"] > said["drift"]["healed"]
    stuck = [one for one in said["troubles"] if one["outlook"] == "Stalled"]
    assert (said["sync"] == "Synced") is (applied is not None and applied == said["head"])
    assert (said["sync"] == "Unknown") is (said["head"] is None or applied is None)
    assert (said["health"] == "Suspended") is bool(said["suspended"]) is condition["Suspended"]
    if said["health"] == "Healthy":
        assert said["sync"] == "Synced"
        assert not [one for one in said["troubles"] if one["outlook"] in {"Stalled", "Retrying"}]
    if said["refused"]:
        assert said["refused"]["commit"] == said["head"] != applied
    assert condition["Stalled"] is bool(stuck or said["refused"])
    if said["health"] != "Suspended":
        assert (said["health"] == "Degraded") is bool(
            condition["Stalled"] or [one for one in said["troubles"] if one["outlook"] == "Retrying"]
        )
    assert (drifted and not said["drift"]["fighting"]) is any(one["reason"] == "Drifted" for one in said["troubles"])
    assert condition["Ready"] is (applied is not None)
    if said["daemon"]["last_sync_at"] is None:
        assert not ready
    elif not stuck:
        assert ready


@pytest.mark.parametrize(("seed", "mode"), [(1, "report"), (2, "heal")])
def test_a_host_says_one_thing(tmp_path: Path, seed: int, mode: str) -> None:
    _run(tmp_path, seed, mode, 15)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["report", "heal"])
def test_a_host_says_one_thing_for_a_while(tmp_path: Path, mode: str) -> None:
    _run(tmp_path, 3, mode, 60)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4, 12))
def test_a_host_says_one_thing_for_long(tmp_path: Path, seed: int) -> None:
    _run(tmp_path, seed, "report", 250)


def _run(folder: Path, seed: int, mode: str, events: int) -> None:
    told: list[str] = []
    with world(folder, seed, mode) as made:
        try:
            check(made.running)
            for _ in range(events):
                told.append(made.happen())
                check(made.running)
        except BaseException as error:
            error.add_note(f"after {', '.join(told)}")
            raise
