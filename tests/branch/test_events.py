"""What happens to refs, and what a host makes of it: one reconcile as a command and a daemon's, a folder and a URL."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.branch.hosts import Following, Place, Seen, following
from tests.support import configs
from tests.support.githttp import GitServer, serving
from tests.support.gitrepo import GitRepo
from tests.support.patience import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow  # whole hosts; `make test` has the parts

LIVE, FIRST, OTHER = 0.5, 0.4, 0.9
"""Ann's risk in what is live when something happens, in the commit before, and in the one that comes with it."""


class Outcome(NamedTuple):
    """What is to be seen: the exit code, ann's risk, the reason of a trouble, words that are said."""

    code: int
    risk: float
    reason: str = ""
    words: str = ""


FOLLOWED, STAYS = Outcome(0, OTHER), Outcome(0, LIVE)
MOVED = Outcome(0, LIVE, "DefaultBranchMoved", "goes on following main")
SWITCHED = Outcome(3, LIVE, "BranchSwitched", "this host follows main")
GONE = Outcome(3, LIVE, "BranchGone", "the branch main is gone")


def commit(repo: GitRepo, risk: float = OTHER, **how: str) -> str:
    return repo.commit({"users/ann.yaml": configs.user("ann", risk=risk)}, **how)


def drop(repo: GitRepo) -> None:
    repo.git("update-ref", "-d", "refs/heads/main")


def first(repo: GitRepo) -> str:
    return repo.git("rev-parse", "refs/heads/main~1")


def a_commit(repo: GitRepo) -> None:
    commit(repo)


def nothing(repo: GitRepo) -> None:
    pass


def a_tag_of_its_name(repo: GitRepo) -> None:
    repo.git("tag", "main", first(repo))


def a_tag_in_its_place(repo: GitRepo) -> None:
    old = first(repo)
    for ref in ("refs/tags/main", "refs/tags/refs/heads/main", "refs/remotes/origin/main"):
        repo.git("update-ref", ref, old)
    drop(repo)


def deleted(repo: GitRepo) -> None:
    repo.git("branch", "other", first(repo))
    drop(repo)


def all_deleted(repo: GitRepo) -> None:
    drop(repo)


def renamed(repo: GitRepo) -> None:
    repo.git("branch", "-m", "main", "trunk")


def renamed_and_gone_on(repo: GitRepo) -> None:
    renamed(repo)
    commit(repo, branch="trunk")


def packed(repo: GitRepo) -> None:
    commit(repo)
    repo.git("pack-refs", "--all", "--prune")


def packed_and_deleted(repo: GitRepo) -> None:
    repo.git("pack-refs", "--all", "--prune")
    drop(repo)


def switched(repo: GitRepo) -> None:
    repo.git("symbolic-ref", "HEAD", "refs/heads/pr-25")
    repo.git("branch", "pr-25", "main")
    commit(repo, branch="pr-25")


def switched_while_it_goes_on(repo: GitRepo) -> None:
    repo.git("branch", "pr-25", "main")
    repo.git("symbolic-ref", "HEAD", "refs/heads/pr-25")
    commit(repo)


def switched_and_back(repo: GitRepo) -> None:
    switched(repo)
    repo.git("symbolic-ref", "HEAD", "refs/heads/main")


def orphan(repo: GitRepo) -> None:
    repo.git("symbolic-ref", "HEAD", "refs/heads/unborn")


def detached(repo: GitRepo) -> None:
    repo.git("checkout", "-q", "--detach", first(repo))


def detached_while_it_goes_on(repo: GitRepo) -> None:
    detached(repo)
    commit(repo)


def a_worktree(repo: GitRepo) -> None:
    repo.git("worktree", "add", "-q", "-b", "pr-25", "../pr-25", "main")
    commit(repo, branch="pr-25")


def force_pushed(repo: GitRepo) -> None:
    repo.git("update-ref", "refs/heads/main", first(repo))


def a_folder_of_its_name(repo: GitRepo) -> None:
    head = repo.git("rev-parse", "main")
    drop(repo)
    repo.git("update-ref", "refs/heads/main/next", head)


def emptied(repo: GitRepo) -> None:
    shutil.rmtree(repo.path / ".git")
    GitRepo.create(repo.path)


def away(repo: GitRepo) -> None:
    repo.path.rename(repo.path.with_name("away"))


EVENTS: dict[Callable[[GitRepo], None], tuple[Outcome, Outcome]] = {
    nothing: (STAYS, STAYS),
    a_commit: (FOLLOWED, FOLLOWED),
    a_tag_of_its_name: (STAYS, STAYS),
    a_tag_in_its_place: (GONE, GONE),
    deleted: (GONE, GONE),
    all_deleted: (GONE, GONE),
    renamed: (GONE._replace(words='repository.branch = "trunk"'), GONE._replace(words='repository.branch = "trunk"')),
    renamed_and_gone_on: (GONE, GONE),
    packed: (FOLLOWED, FOLLOWED),
    packed_and_deleted: (GONE, GONE),
    switched: (SWITCHED, MOVED),
    switched_while_it_goes_on: (SWITCHED, MOVED._replace(risk=OTHER)),
    switched_and_back: (STAYS, STAYS),
    orphan: (SWITCHED, STAYS),
    detached: (STAYS, STAYS),
    detached_while_it_goes_on: (FOLLOWED, FOLLOWED),
    a_worktree: (STAYS, STAYS),
    force_pushed: (Outcome(0, FIRST), Outcome(0, FIRST)),
    a_folder_of_its_name: (GONE, GONE),
    emptied: (GONE, GONE),
    away: (Outcome(3, LIVE, "RepositoryGone", "does not exist"), Outcome(3, LIVE, "", "there is no repository at")),
}
"""What is to be seen after each of them where the repository is a folder, and where it is a URL."""
QUICK = {a_tag_in_its_place, switched}
"""Those that stand for the others in every run."""
LIKE_OTHERS = {
    "folder": {nothing, all_deleted},
    "url": {nothing, all_deleted, packed, packed_and_deleted, a_worktree, a_tag_of_its_name, switched_and_back},
}
"""What another event, or the same one in a folder, stands for until the soak."""


def marks(event: Callable[[GitRepo], None], where: str) -> tuple[pytest.MarkDecorator, ...]:
    if event in LIKE_OTHERS[where]:
        return (pytest.mark.soak,)
    return () if event in QUICK and where == "folder" else (pytest.mark.slow,)


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    made = GitRepo.create(tmp_path / "config")
    commit(made, FIRST)
    commit(made, LIVE)
    made.checkout()
    return made


CASES = [
    pytest.param(
        event,
        where,
        EVENTS[event][where == "url"],
        id=f"{event.__name__}-{where}",
        marks=marks(event, where),
    )
    for event in EVENTS
    for where in ("folder", "url")
]


@pytest.mark.usefixtures("one_engine")
@pytest.mark.parametrize(("event", "where", "expected"), CASES)
def test_a_command_and_a_daemon_see_the_same(
    event: Callable[[GitRepo], None],
    where: str,
    expected: Outcome,
    repo: GitRepo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    origin = str(repo.path) if where == "folder" else repo.path.as_uri()
    command, daemon = (Place(origin, tmp_path / name, capsys) for name in ("command", "daemon"))
    assert command.look_once().code == 0
    with following(daemon) as follower:
        assert follower.look().risk == LIVE
        event(repo)
        await_words(follower, expected)
        for _ in range(2):
            by_command, by_daemon = command.look_once(), follower.look()
            check(by_command, expected, daemon=False)
            check(by_daemon, expected, daemon=True)
            if event is not away:
                assert (by_command.sync, by_command.health) == (by_daemon.sync, by_daemon.health)
    with following(daemon) as restarted:
        if event is not away:
            await_words(restarted, expected)
            check(restarted.look(), expected, daemon=True)


def await_words(follower: Following, expected: Outcome) -> None:
    """A commit does not wait for what the remote's HEAD stands for: a daemon's next looks know it."""
    until(lambda: expected.words in follower.look().words, lambda: str(follower.look()))


def check(seen: Seen, expected: Outcome, *, daemon: bool) -> None:
    assert (seen.code, seen.risk) == expected[:2], seen
    assert expected.words in seen.words, seen
    assert expected.reason in seen.words or daemon
    if expected.reason:
        assert seen.reasons == (expected.reason,)
        assert seen.held == (expected.code != 0)
        assert (seen.health == "Healthy") == (expected.code == 0)
    if expected.reason == "BranchGone":
        assert seen.sync == "Unknown"


@pytest.fixture
def server(repo: GitRepo) -> Iterator[GitServer]:
    with serving(repo.path.parent) as running:
        yield running


@pytest.mark.usefixtures("one_engine")
@pytest.mark.parametrize("blank", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["nothing", "no-refs"])
def test_a_server_that_answers_with_nothing(
    blank: bool, repo: GitRepo, server: GitServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once by an empty page, once as a repository without branches does. What was fetched stays where it was."""
    place = Place(f"{server.url}/config/.git", tmp_path / "state", capsys)
    assert place.look_once().risk == LIVE
    head = repo.git("rev-parse", "main")
    if blank:
        server.blank.set()
    else:
        (repo.path / ".git").rename(tmp_path / "whole")
        GitRepo.create(repo.path)
    for _ in range(2):
        check(place.look_once(), GONE._replace(words="answered with nothing"), daemon=False)
        assert GitRepo(place.state / "mirror.git").git("rev-parse", "refs/heads/main") == head
    with following(place) as follower:
        check(follower.look(), GONE._replace(words="answered with nothing"), daemon=True)
    if blank:
        server.blank.clear()
    else:
        shutil.rmtree(repo.path / ".git")
        (tmp_path / "whole").rename(repo.path / ".git")
    commit(repo)
    check(place.look_once(), FOLLOWED, daemon=False)


@pytest.mark.usefixtures("one_engine")
@pytest.mark.parametrize("where", ["folder", "url"])
def test_a_branch_that_is_called_as_a_commit(
    where: str, repo: GitRepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An abbreviated commit takes over from nothing."""
    name = first(repo)[:8]
    repo.git("branch", name, "main")
    settings = {"REPOSITORY_BRANCH": name}
    place = Place(str(repo.path) if where == "folder" else repo.path.as_uri(), tmp_path / "state", capsys, settings)
    assert place.look_once().risk == LIVE
    repo.git("branch", "-q", "-D", name)
    seen = place.look_once()
    assert (seen.code, seen.risk, seen.reasons) == (3, LIVE, ("BranchGone",))
