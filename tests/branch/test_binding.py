"""Which branch a host keeps to, and what --branch of one call may do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.duckdb.store import open_reader
from reconciler.errors import UsageError
from tests.branch.hosts import Place, following
from tests.support import configs
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path

MAIN, TRIAL = 0.5, 0.9
"""Ann's risk on the two branches."""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_engine")]


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """`main`, and `trial` that goes on from it; a tag beside."""
    made = GitRepo.create(tmp_path / "config")
    made.commit({"users/ann.yaml": configs.user("ann", risk=0.4)})
    made.commit({"users/ann.yaml": configs.user("ann", risk=MAIN)})
    made.git("branch", "trial", "main")
    made.commit({"users/ann.yaml": configs.user("ann", risk=TRIAL)}, branch="trial")
    made.git("tag", "v1", "main~1")
    made.checkout()
    return made


@pytest.fixture(params=["folder", pytest.param("url", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, repo: GitRepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    origin = str(repo.path) if request.param == "folder" else repo.path.as_uri()
    return Place(origin, tmp_path / "state", capsys)


def bound(place: Place) -> str | None:
    reader = open_reader(place.state)
    assert reader is not None
    with reader:
        owner = reader.owner()
        return owner.bound_branch if owner else None


def test_the_branch_of_one_call_is_not_remembered(place: Place) -> None:
    for _ in range(2):
        assert place.run("sync", "--branch", "trial")[0] == 0
        assert (place.risk(), bound(place)) == (TRIAL, None)
    assert place.run("sync")[0] == 0
    assert (place.risk(), bound(place)) == (MAIN, "main")


def test_another_branch_changes_nothing_on_a_host_that_has_one(place: Place) -> None:
    assert place.run("sync")[0] == 0
    code, out, err = place.run("sync", "--branch", "trial")
    assert (code, out, place.risk(), bound(place)) == (3, "", MAIN, "main")
    assert "this host follows main" in err
    assert "plan --branch" in err
    for own in ("main", "refs/heads/main"):
        assert place.run("sync", "--branch", own)[0] == 0
        assert bound(place) == "main"
    with following(place) as daemon:
        assert daemon.look().code == 0
        with pytest.raises(UsageError, match="this host follows main"):
            daemon.control.sync("ann", branch="trial")
        assert daemon.control.sync("ann", branch="main").result().head is not None
    code, _, err = place.run("run", "--branch", "trial")
    assert (code, "this host follows main" in err) == (3, True)


def test_questions_may_be_about_another(place: Place) -> None:
    assert place.run("sync")[0] == 0
    code, out, _ = place.run("plan", "--branch", "trial")
    assert (code, "1 to update" in out) == (2, True)
    assert place.run("plan")[0] == 0
    assert place.run("plan", "--base", "main", "--branch", "trial")[0] == 2
    assert place.run("plan", "--head", "v1")[0] == 2
    assert place.run("status", "--branch", "trial", "--format", "json")[0] == 0
    assert (place.risk(), bound(place)) == (MAIN, "main")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["sync", "plan", "status", "verify"])
def test_what_is_no_branch_is_refused(place: Place, repo: GitRepo, command: str) -> None:
    repo.git("update-ref", "refs/remotes/origin/main", "main~1")
    head = repo.git("rev-parse", "main")
    assert place.run("sync", "--branch", "trial")[0] == 0
    for name in ("v1", head, head[:8], "HEAD", "HEAD~1", "main~1", "main^", "origin/main", "tags/v1", "@", "mian"):
        code, out, err = place.run(command, "--branch", name)
        assert (code, out, place.risk()) == (3, "", TRIAL), name
        assert "branch" in err, name
    assert "did you mean main?" in place.run(command, "--branch", "mian")[2]


def test_a_setting_takes_a_host_to_another_branch(place: Place) -> None:
    assert place.run("sync")[0] == 0
    elsewhere = replace(place, settings={"REPOSITORY_BRANCH": "trial"})
    assert elsewhere.run("sync")[0] == 0
    assert (place.risk(), bound(place)) == (TRIAL, "trial")
    typing_error = replace(place, settings={"REPOSITORY_BRANCH": "mian"})
    with following(typing_error) as daemon:
        seen = daemon.look()
    by_command = typing_error.look_once()
    assert (seen.reasons, seen.risk, seen.held) == (by_command.reasons, by_command.risk, by_command.held)
    assert (seen.reasons, seen.risk, by_command.code) == (("NoSuchBranch",), TRIAL, 3)
    assert "did you mean main?" in by_command.words


def test_a_host_may_go_with_the_checkout(place: Place, repo: GitRepo) -> None:
    going = replace(place, settings={"REPOSITORY_FOLLOW_CHECKOUT": "true"})
    assert going.look_once().risk == MAIN
    repo.git("checkout", "-q", "--force", "trial")
    with following(going) as daemon:
        assert (daemon.look().risk, daemon.look().risk) == (TRIAL, TRIAL)
    repo.git("checkout", "-q", "--force", "main")
    seen = going.look_once()
    assert (seen.code, seen.reasons, seen.risk) == (0, (), MAIN)


def test_a_daemon_keeps_to_the_branch_it_began_with(place: Place, repo: GitRepo) -> None:
    with following(place) as daemon:
        assert daemon.look().risk == MAIN
    repo.git("checkout", "-q", "--force", "trial")
    with following(place) as daemon:
        assert daemon.look().risk == MAIN
    assert place.look_once().risk == MAIN


@pytest.mark.parametrize("where", ["folder", "url"])
def test_an_empty_repository_has_words_of_its_own(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = GitRepo.create(tmp_path / "empty")
    place = Place(str(empty.path) if where == "folder" else empty.path.as_uri(), tmp_path / "state", capsys)
    code, _, err = place.run("sync")
    assert (code, "no commits yet" in err) == (0, True)
    code, _, err = place.run("sync", "--branch", "mian")
    assert code == 3
    assert "there is no branch mian" in err
    assert "HEAD stands for main" in err
    empty.commit({"users/ann.yaml": configs.user("ann", risk=MAIN)})
    assert place.look_once().risk == MAIN


def test_a_folder_that_is_gone_has_words_of_its_own(
    repo: GitRepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(str(repo.path), tmp_path / "state", capsys)
    assert place.run("sync")[0] == 0
    repo.path.rename(tmp_path / "away")
    code, _, err = place.run("sync")
    assert (code, place.risk()) == (3, MAIN)
    assert "does not exist" in err
    assert "what is live stays live" in err
