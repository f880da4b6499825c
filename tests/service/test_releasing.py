"""A release is judged by the rules of what is live: what it would switch on, and nothing else."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.duckdb.store import open_temporary
from reconciler.adapters.git.repository import open_repository
from reconciler.adapters.haltfile import HaltFile
from reconciler.errors import NeedsHuman, RefusedError, RetryLater
from reconciler.kinds.build import stored_kinds
from reconciler.model.halt import Halt, Halts, HaltSelector
from reconciler.service.halts import HaltChoice, HaltDesk
from reconciler.service.releasing import ReleaseJudge
from reconciler.values import replace
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.world import CLOCK, FAULTS, SHIPPED, World, engine

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.duckdb.store import DuckDBStore

SWITCHED_ON = """-- Who risks more than 1 is not switched on
SELECT new.name || ' would be switched on' AS message, 'user' AS kind, new.name AS name
FROM desired.user_config AS new JOIN main.user_config AS old USING (user_id)
WHERE old.status = 'INACTIVE' AND new.status = 'ACTIVE' AND new.risk_per_trade_percent > 1
"""
SOMEBODY = """-- Two trade at least
SELECT 'too few trade' AS message WHERE (SELECT count(*) FROM desired.user_config WHERE status = 'ACTIVE') < 2
"""
DESK = ("ann", "ben")


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    made = GitRepo.create(tmp_path / "config")
    made.commit({"ann.yaml": configs.user("ann", risk=2.0), "ben.yaml": configs.user("ben", risk=0.5)})
    return made


@pytest.fixture
def store() -> DuckDBStore:
    return open_temporary(CLOCK)


def brought_live(repo: GitRepo, store: DuckDBStore, **policies: str) -> World:
    world = World(repo.path, store=store)
    world.attempt()
    repo.commit({f"policies/{name}.sql": text for name, text in policies.items()})
    assert not world.attempt().plan.refused
    return world


def desk(folder: Path, repo: GitRepo, store: DuckDBStore) -> HaltDesk:
    def obey() -> tuple[str, ...]:
        store.obey(stored_kinds(store.kinds()), HaltFile(folder).read())
        return ()

    judge = ReleaseJudge(lambda: nullcontext(store), lambda: open_repository(repo.path), engine, SHIPPED, FAULTS)
    return HaltDesk(HaltFile(folder), lambda: nullcontext(store), obey, judge.check, SHIPPED, CLOCK)


def chosen(names: tuple[str, ...]) -> HaltChoice:
    return HaltChoice("user", names) if names else HaltChoice(all=True)


def release(desk: HaltDesk, *names: str) -> None:
    desk.release("ines", "the feed is well", chosen(names))


def halt(desk: HaltDesk, *names: str) -> None:
    desk.halt("ines", "the feed", chosen(names))


def statuses(world: World) -> dict[str, str]:
    return {name: values["status"] for name, values in world.live()["User"]}


def test_a_rule_about_what_is_switched_on_refuses_it(repo: GitRepo, store: DuckDBStore, tmp_path: Path) -> None:
    world, one = brought_live(repo, store, on=SWITCHED_ON), desk(tmp_path, repo, store)
    for name in DESK:
        halt(one, name)
    before = HaltFile(tmp_path).read()
    for names in (("ann",), ()):
        with pytest.raises(RefusedError, match=r"all stays halted.*ann would be switched on"):
            release(one, *names)
        assert HaltFile(tmp_path).read() == before
    assert statuses(world) == {"ann": "INACTIVE", "ben": "INACTIVE"}
    release(one, "ben")
    assert statuses(world) == {"ann": "INACTIVE", "ben": "ACTIVE"}


def test_what_another_halt_keeps_off_is_not_switched_on(repo: GitRepo, store: DuckDBStore, tmp_path: Path) -> None:
    world, one = brought_live(repo, store, on=SWITCHED_ON), desk(tmp_path, repo, store)
    halt(one, "ann")
    halt(one)
    release(one, "ann")
    assert statuses(world) == {"ann": "INACTIVE", "ben": "INACTIVE"}


@pytest.mark.parametrize("names", [("ann",), ("ben",), ()])
def test_a_rule_about_a_state_says_what_it_said_of_the_commit(
    repo: GitRepo, store: DuckDBStore, tmp_path: Path, names: tuple[str, ...]
) -> None:
    """However many are off meanwhile: else the first of two releases would be refused for the second."""
    brought_live(repo, store, some=SOMEBODY)
    one = desk(tmp_path, repo, store)
    for name in DESK:
        halt(one, name)
    release(one, *names)


def test_rules_that_are_not_kept_are_read_in_git(repo: GitRepo, store: DuckDBStore, tmp_path: Path) -> None:
    """Of a commit that went live before the store kept rules."""
    world, one = brought_live(repo, store, on=SWITCHED_ON), desk(tmp_path, repo, store)
    halt(one, "ann")
    store._connection.execute("DELETE FROM gitops.rules")
    with pytest.raises(RefusedError, match="ann would be switched on"):
        release(one, "ann")
    repo.path.rename(tmp_path / "away")
    with pytest.raises(NeedsHuman, match=r"cannot be judged, all stays halted.*does not exist"):
        release(one, "ann")
    assert statuses(world)["ann"] == "INACTIVE"


def test_git_may_be_away(repo: GitRepo, store: DuckDBStore, tmp_path: Path) -> None:
    world, one = brought_live(repo, store, on=SWITCHED_ON), desk(tmp_path, repo, store)
    for name in DESK:
        halt(one, name)
    repo.path.rename(tmp_path / "away")
    with pytest.raises(RefusedError, match="ann would be switched on"):
        release(one, "ann")
    release(one, "ben")
    assert statuses(world) == {"ann": "INACTIVE", "ben": "ACTIVE"}


def test_rows_that_cannot_be_read_are_not_released(repo: GitRepo, store: DuckDBStore, tmp_path: Path) -> None:
    brought_live(repo, store)
    one = desk(tmp_path, repo, store)
    halt(one, "ann")

    def busy() -> nullcontext[None]:
        raise RetryLater("in use")

    judge = ReleaseJudge(busy, busy, engine, SHIPPED, FAULTS)
    with pytest.raises(RetryLater):
        release(replace(one, judge=judge.check), "ann")
    assert len(HaltFile(tmp_path).read().standing) == 1


def test_before_anything_is_live_there_is_nothing_to_judge(store: DuckDBStore) -> None:
    judge = ReleaseJudge(lambda: nullcontext(store), nullcontext, engine, SHIPPED, FAULTS)
    judge.check(Halts())
    judge.check(Halts().add(Halt("a", HaltSelector(), "feed", "ines", CLOCK.now())))
