"""A `sync` without a daemon publishes what it brought live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Host


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a host that publishes, as it does by default; no history is needed here."""
    monkeypatch.delenv("RECONCILER_PUBLISH_PATH")
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "none")


def _published(file: Path) -> tuple[str, float]:
    with duckdb.connect(str(file), read_only=True) as live:
        [(commit,)] = live.execute("SELECT commit_sha FROM gitops.applied").fetchall()
        [(risk,)] = live.execute("SELECT max(risk_per_trade_percent) FROM user_config").fetchall()
    return commit, risk


@pytest.mark.slow
def test_a_sync_publishes_and_another_leaves_what_is_right(host: Host) -> None:
    file = host.state / "live.duckdb"
    assert host.run("sync").err == ""
    before = _published(file)
    commit = host.edit("users/fx-majors-01.yaml", "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.8")
    assert (host.run("sync").code, _published(file)) == (0, (commit, 0.8))
    assert before[1] != 0.8
    inode = file.stat().st_ino
    assert host.run("sync").code == 0
    assert file.stat().st_ino == inode
    file.unlink()
    assert host.run("sync").code == 0
    assert _published(file) == (commit, 0.8)


def test_a_place_that_is_none_is_a_warning_and_a_problem_of_doctor(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs.duckdb").write_bytes(b"something")
    for place, says in (
        (host.repo.path / "x.duckdb", "inside the working tree"),
        (tmp_path / "theirs.duckdb", "left alone"),
    ):
        monkeypatch.setenv("RECONCILER_PUBLISH_PATH", str(place))
        answer = host.run("sync")
        assert (answer.code, says in answer.err) == (0, True)
        assert answer.err.startswith("warning: NeedsHuman: ")
    assert (tmp_path / "theirs.duckdb").read_bytes() == b"something"
    assert "is no published copy: it is left alone" in host.run("doctor").out
