"""Every question of the history on a host that has no ClickHouse engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Host

USER = "users/fx-majors-01.yaml"


def _ask(host: Host, *command: str, code: int = 0) -> Any:
    answer = host.run(*command, "--format", "json")
    assert answer.code == code, answer.err
    return json.loads(answer.out)


@pytest.mark.slow
def test_every_question_is_answered_without_the_embedded_engine(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.wiring.reading.has_embedded_history", lambda: False)
    assert host.run("log").code == 0
    assert not (host.state / "history.duckdb").exists()
    first = host.repo.git("rev-parse", "HEAD")
    assert host.run("sync").code == 0
    host.edit(USER, "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5", "Cut the risk")
    assert host.run("sync").code == 0
    assert (host.state / "history.duckdb").exists()
    assert not (host.state / "history").exists()
    assert [version["message"].strip() for version in _ask(host, "log")] == [
        "Cut the risk",
        host.repo.git("log", "-1", "--format=%s", first),
    ]
    assert [change["op"] for change in _ask(host, "history", "user", "fx-majors-01")] == ["update", "create"]
    then = _ask(host, "show", "user", "fx-majors-01", "--at", first)
    assert then["risk_per_trade_percent"] == 0.75
    (change,) = _ask(host, "diff", first, "HEAD", code=2)["changes"]
    assert [field["field"] for field in change["fields"]] == ["risk_per_trade_percent"]
    blamed = {field["field"]: field for field in _ask(host, "blame", "user", "fx-majors-01")["fields"]}
    assert blamed["risk_per_trade_percent"]["commit"] == host.repo.git("rev-parse", "HEAD")
    assert host.run("verify").code == 0
    found = _ask(host, "sql", "--history", "SELECT count(*) AS n FROM versions WHERE status = 'VALID'")
    assert found["rows"] == [[2]]
    out = host.state.parent / "out"
    assert host.run("export", "--history", "--to", str(out), "--format", "json").code == 0
    assert json.loads((out / "versions.json").read_text(encoding="utf-8"))
    assert host.run("doctor").code == 0
    before = _ask(host, "log")
    copied = host.run("history", "copy", "--to", "chdb")
    assert copied.code == 0, copied.err
    assert "now set history.url to chdb" in copied.err
    assert [one["written"] for one in _ask(host, "history", "copy", "--to", "chdb")] == [0] * len(
        copied.out.splitlines()[1:]
    )
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "chdb")
    assert _ask(host, "log") == before
    assert host.run("verify").code == 0
    monkeypatch.setattr("reconciler.wiring.local.find_daemon", lambda state: "a daemon")
    beside = host.run("history", "copy", "--to", "duckdb")
    assert (beside.code, "stop it, copy" in beside.err) == (3, True)
    there = host.run("history", "copy", "--to", "chdb")
    assert (there.code, "is there already" in there.err) == (3, True)
