"""A real daemon tells people: over a kill with the same message, once, and without a secret in what it writes."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support import configs
from tests.support.daemons import running, until
from tests.support.gitrepo import GitRepo
from tests.support.receivers import GOOD, receiving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.receivers import Answer, Sent

pytestmark = pytest.mark.slow
SECRET = "hunter2-hunter2-hunter2"


def test_a_message_outlives_a_kill_and_secrets_stay_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({"ann.yaml": configs.user("ann", risk=1.0)})
    arrived, go = threading.Event(), threading.Event()

    def hang(sent: Sent) -> Answer:
        arrived.set()
        go.wait(60)
        return GOOD

    with receiving(hang) as server:
        monkeypatch.setenv("HOOK", f"{server.url}/{SECRET}/hook")
        entries = [
            {"kind": "webhook", "url": "env:HOOK", "secret": SECRET},
            {"kind": "telegram", "url": f"{server.url}/bot1:{SECRET}/sendMessage?chat_id=-1", "on": ["refused"]},
        ]
        settings = {"NOTIFY": json.dumps(entries), "HOST_NAME": "vps-1"}
        with running(repo.path, tmp_path / "state", settings) as daemon:
            sha = repo.commit({"ann.yaml": configs.user("ann", risk=2.0)})
            daemon.await_live(sha)
            until(arrived.is_set, daemon.log)
            daemon.kill()
        go.set()
        (first,) = server.sent
        with running(repo.path, tmp_path / "state", settings) as daemon:
            until(lambda: len(server.sent) == 2, daemon.log)
            server.answer = lambda sent: (404, {}, SECRET.encode())
            bad = repo.commit({"ann.yaml": "kind: ["})
            told = daemon.await_status(
                lambda status: any(one["reason"] == "NotDelivered" for one in status["troubles"]), seconds=120
            )
            assert told["health"] == "Degraded"  # by the refused commit, and not by the receiver
            log, status = daemon.log(), json.dumps(told)
    again = server.sent[1]
    assert again.json["id"] == first.json["id"] == again.headers["idempotency-key"]
    assert again.body == first.body
    assert [one["commit"]["sha"] for one in again.json["events"]] == [sha]
    assert f"{bad[:8]} is refused; {sha[:8]} stays live" in server.sent[2].json["text"]
    files = [file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file()]
    for text in (log, status, *(file.decode("latin-1") for file in files)):
        assert SECRET not in text
