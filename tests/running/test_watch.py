"""What a real daemon tells those who follow it, and how it ends with all of them there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.running.hosts import Host
from tests.support import configs
from tests.support.daemons import turn
from tests.support.patience import DEADLINE
from tests.web.crowd import Crowd
from tests.web.streams import watching

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemons import RunningDaemon
    from tests.web.streams import Stream, Told

pytestmark = pytest.mark.slow

CROWD = 1_000


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return Host.create(tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="module")
def daemon(host: Host) -> Iterator[RunningDaemon]:
    with host.daemon() as running:
        yield running


def _until(stream: Stream, event: str, **data: object) -> Told:
    while (told := stream.next()) is not None:
        if told.event == event and all(told.data[name] == value for name, value in data.items()):
            return told
    raise AssertionError(f"the stream ended before {event} with {data}")


def test_a_commit_is_told_with_what_it_changed(host: Host, daemon: RunningDaemon) -> None:
    with watching(daemon.client().address) as stream:
        stream.placed()
        before = host.head
        commit = host.risk("ann", 0.75)
        applied = _until(stream, "applied").data
        assert (applied["commit"], applied["base"], applied["height"]) == (commit, before, host.repo.rev_count())
        (change,) = applied["changes"]
        assert (change["op"], change["kind"], change["name"]) == ("update", "User", "ann")
        assert change["fields"] == ["risk_per_trade_percent"]
        assert applied["counts"] == {"create": 0, "update": 1, "delete": 0}
        assert applied["complete"] is True
        state = _until(stream, "state", applied=commit).data
        assert (state["sync"], state["health"]) == ("Synced", "Healthy")
        # Whoever reads after that finds it
        assert daemon.client().rows("user", "ann")["rows"][0]["values"]["risk_per_trade_percent"] == 0.75


def test_a_refused_commit_is_told_once_and_so_is_its_mending(host: Host, daemon: RunningDaemon) -> None:
    with watching(daemon.client().address) as stream:
        stream.placed()
        live = host.head
        commit = host.repo.commit({"users/ann.yaml": configs.user("ann", risk=500)})
        refused = _until(stream, "refused").data
        assert (refused["commit"], refused["errors"]) == (commit, 1)
        assert (refused["problems"][0]["code"], refused["problems"][0]["path"]) == ("out-of-range", "users/ann.yaml")
        state = _until(stream, "state", refused=commit).data
        assert (state["sync"], state["health"], state["applied"]) == ("OutOfSync", "Degraded", live)
        assert host.run("sync").code == 1  # it is refused again, which is no news
        mended = host.risk("ann", 1.0)
        told = []
        while (one := stream.next()) is not None and one.data.get("applied") != mended:
            told.append(one.event)
        assert "refused" not in told
        assert "applied" in told


def test_what_else_changes_the_state_is_told(host: Host, daemon: RunningDaemon) -> None:
    with watching(daemon.client().address) as stream:
        stream.placed()
        assert host.run("suspend", "--reason", "broker maintenance").code == 0
        state = _until(stream, "state", health="Suspended").data
        assert state["suspended"]["reason"] == "broker maintenance"
        assert host.run("resume").code == 0
        _until(stream, "state", health="Healthy", suspended=None)


def test_a_halt_and_its_release_are_told_and_a_commit_that_it_held_goes_live(tmp_path: Path) -> None:
    host = Host.create(tmp_path)
    document = yaml.safe_load(configs.user("ann"))
    document["metadata"]["labels"] = {"desk": "fx"}
    host.repo.commit({"users/ann.yaml": yaml.safe_dump(document)})
    with host.daemon() as daemon, watching(daemon.client().address) as stream:
        stream.placed()
        daemon.await_status(lambda said: said["applied"] and said["applied"]["commit"] == host.head)
        assert host.run("halt", "-l", "desk=fx", "--reason", "the feed is wrong").code == 0
        while not (halted := _until(stream, "state").data["halted"]):
            pass
        assert [(one["selector"], one["reason"]) for one in halted] == [("-l desk=fx", "the feed is wrong")]
        commit = host.risk("ann", 0.75)
        refused = _until(stream, "refused").data
        assert (refused["commit"], refused["problems"][0]["code"]) == (commit, "halted")
        assert host.run("release", "-l", "desk=fx", "--reason", "it is well").code == 0
        _until(stream, "state", halted=[])
        _until(stream, "applied", commit=commit)


def test_drift_is_told_when_it_is_put_right(host: Host, daemon: RunningDaemon) -> None:
    with watching(daemon.client().address) as stream:
        stream.placed()
        with turn(host.state) as store:
            store.execute("UPDATE user_config SET max_open_trades = 999")
        drift = _until(stream, "drift").data
        assert (drift["found"], drift["healed"], drift["fighting"]) == (6, 6, [])


def test_a_step_of_many_rows_says_to_look_anew(host: Host, daemon: RunningDaemon) -> None:
    with watching(daemon.client().address, "?kind=user&name=u17") as stream:
        stream.placed()
        many = {f"many/u{number}.yaml": configs.user(f"u{number}") for number in range(501)}
        host.repo.commit(many, "A large desk\n\nReconciler-Approve: growth")
        applied = _until(stream, "applied").data
        assert (applied["complete"], applied["changes"], applied["counts"]["create"]) == (False, [], 501)


def test_after_a_restart_who_followed_is_told_to_look_anew(tmp_path: Path) -> None:
    host = Host.create(tmp_path)
    with host.daemon() as daemon, watching(daemon.client().address) as stream:
        place = stream.placed()
    with host.daemon() as daemon, watching(daemon.client().address, Last_Event_ID=place) as stream:
        told = stream.next()
        assert told is not None
        assert (told.event, told.data) == ("reset", {"reason": "restarted"})


def test_a_thousand_streams_hear_of_a_commit_and_end_with_the_daemon(tmp_path: Path) -> None:
    host = Host.create(tmp_path)
    with host.daemon() as daemon:
        place, _, port = daemon.client().address.rpartition(":")
        crowd = Crowd(place, int(port), CROWD)
        for number in range(3):
            commit = host.risk("ann", 0.5 + number / 100)
            crowd.hear(f'"applied":"{commit}"'.encode(), DEADLINE)
        code: list[int] = []
        stopping = threading.Thread(target=lambda: code.append(daemon.stop()))
        stopping.start()
        well = crowd.await_end(DEADLINE)
        stopping.join(DEADLINE)
        assert code == [0], daemon.log()
        assert well == CROWD
        crowd.end(abruptly=False)
