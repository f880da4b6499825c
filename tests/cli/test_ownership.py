"""A store is a repository's by its commits: a URL may change, and another repository is refused at any URL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Host

pytestmark = pytest.mark.slow  # whole hosts; `make test` has the parts

USER = "users/fx-majors-01.yaml"
FIRST = "https://git.example/desk/config.git"


def raise_risk(host: Host) -> str:
    return host.edit(USER, "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.8", "Raise the risk")


def commits(host: Host) -> list[str]:
    """The commits that the log has, the newest first."""
    answer = host.run("log", "--format", "json")
    assert answer.code == 0, answer.err
    return [version["commit"] for version in json.loads(answer.out)]


def events(host: Host) -> list[tuple[str, dict[str, Any]]]:
    with duckdb.connect(str(host.state / "state.duckdb"), read_only=True) as store:
        records = store.execute("SELECT event, detail FROM gitops.events ORDER BY seq").fetchall()
    return [(event, json.loads(detail)) for event, detail in records]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(None, FIRST, id="origin added"),
        pytest.param(FIRST, None, id="origin removed"),
        pytest.param(FIRST, "git@git.example:desk/config.git", id="https to ssh", marks=pytest.mark.soak),
        pytest.param(FIRST, "https://git.example/desk/config", id=".git dropped", marks=pytest.mark.soak),
        pytest.param(FIRST, "https://new.example/fx/settings.git", id="forge moved"),
    ],
)
def test_a_url_may_change(host: Host, before: str | None, after: str | None) -> None:
    if before:
        host.repo.git("remote", "add", "origin", before)
    assert host.run("sync").code == 0
    known = commits(host)
    if before:
        host.repo.git("remote", "remove", "origin")
    if after:
        host.repo.git("remote", "add", "origin", after)

    for command in ("status", "verify", "drift", "doctor"):
        assert host.run(command).code == 0, command
    assert commits(host) == known
    commit = raise_risk(host)
    for command in ("sync", "sync", "verify"):
        assert host.run(command).code == 0, command
    assert commits(host) == [commit, *known]
    assert json.loads(host.run("status", "--format", "json").out)["repository"] == after or after is None
    moves = [detail for event, detail in events(host) if event == "repository-moved"]
    assert len(moves) == 1
    assert {after, before} & set(moves[0].values())


def test_a_repository_may_move_on_the_disk(host: Host, tmp_path: Path) -> None:
    assert host.run("sync").code == 0
    known = commits(host)
    moved = tmp_path / "elsewhere"
    host.repo.path.rename(moved)
    host.repo.path = moved
    commit = raise_risk(host)
    assert host.run("sync").code == 0
    assert commits(host) == [commit, *known]


def other_repository(host: Host, path: Path) -> GitRepo:
    """A repository that begins anew, with the same files."""
    other = GitRepo.create(path)
    files = host.repo.git("ls-files").split()
    other.commit({file: host.repo.git("show", f"HEAD:{file}") + "\n" for file in files}, "Begin")
    return other


def other_copy(host: Host, path: Path) -> GitRepo:
    """A repository that has its first commit in common, as copies of a template have, but not the live one."""
    first = host.repo.git("rev-list", "--max-parents=0", "HEAD")
    other = GitRepo.create(path)
    other.git("fetch", "-q", str(host.repo.path), first)
    other.git("reset", "-q", "--hard", first)
    other.commit({"users/note.txt": "another desk"}, "Go another way")
    return other


@pytest.mark.parametrize("make", [other_repository, other_copy])
def test_another_repository_is_refused(host: Host, make: Any, tmp_path: Path) -> None:
    raise_risk(host)
    assert host.run("sync").code == 0
    live = host.run("get", "user", "--format", "json").out
    other = make(host, tmp_path / "other")
    own, host.repo.path = host.repo.path, other.path

    for command in ("sync", "drift", "verify", "plan"):
        answer = host.run(command)
        assert answer.code == 3, command
        assert "belongs to the repository" in answer.err
        assert "is not in it" in answer.err
        assert "delete" not in answer.err
    host.repo.path = own
    assert host.run("get", "user", "--format", "json").out == live
    assert host.run("sync").code == 0


def test_another_folder_of_the_repository_is_refused(host: Host) -> None:
    text = host.repo.git("show", f"HEAD:{USER}")
    assert host.run("sync").code == 0
    host.repo.commit({f"desk/{USER}": text + "\n"}, "Begin another desk")
    answer = host.run("sync", "--path", "desk")
    assert answer.code == 3
    assert "its configuration is in the folder ., not in desk" in answer.err
