"""The state that a process keeps from one reconcile to the next is the one that the store would tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings

from reconciler.adapters.bundled import find_example_repository
from reconciler.adapters.duckdb.store import open_store
from reconciler.kinds.build import stored_kinds
from reconciler.model.change import Key
from reconciler.reconcile import keptbase
from reconciler.snapshot.snapshot import LoadedBase
from tests.reconcile.test_laws import Edit, build, histories, scratch
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.laws import examples
from tests.support.world import CLOCK, World

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from reconciler.ports import Base


def spelt(what: object) -> str:
    """As text: to Python 1 is 1.0. The store keeps no order of what stands in a mapping."""
    return json.dumps(msgspec.to_builtins(what), sort_keys=True)


def told(base: Base, fresh: LoadedBase) -> dict[str, object]:
    """All that can be asked of a state. What `fresh` holds is what is asked for."""
    rows = list(fresh.rows())
    keys = {row.resource.key for row in rows} | {Key("User", name) for name in ("ann", "bob", "cai")}
    return {
        "rows": sorted(map(spelt, base.rows())),
        "row": [spelt(base.row(row.row_id)) for row in rows],
        "named": [spelt(base.by_name(key)) for key in sorted(keys)],
        "declared": [spelt(base.declared_in(path)) for path in sorted({row.resource.path for row in rows})],
        "referrers": [spelt(base.referrers_of(key)) for key in sorted(keys)],
        "counts": [base.count(kind.name) for kind in fresh.kinds],
        "paths": [base.paths([kind.name]) for kind in fresh.kinds],
    }


def kept_state(world: World) -> LoadedBase | None:
    assert world.processor is not None
    applied = world.store.applied()
    return None if applied is None else world.processor.kept_base.find(applied, stored_kinds(world.store.kinds()))


def loaded_state(world: World) -> LoadedBase:
    kinds = stored_kinds(world.store.kinds())
    return LoadedBase(world.store.base(kinds).rows(), kinds)


@settings(max_examples=examples(25))
@given(histories)
def test_it_is_what_the_store_holds(history: list[Edit]) -> None:
    with scratch() as folder, open_store(folder / "state", CLOCK) as store:
        repo, mainline = build(folder / "config", history)
        world = World(folder / "config", branch="host", store=store)
        repo.git("update-ref", "refs/heads/host", mainline[0])
        with world.awake():
            for commit in mainline:
                repo.git("update-ref", "refs/heads/host", commit)
                world.sync()
                kept, fresh = kept_state(world), loaded_state(world)
                assert kept is None or told(kept, fresh) == told(fresh, fresh)
        anew = World(folder / "config")
        anew.sync()
        assert world.rows() == anew.rows()


def test_it_is_loaded_once_while_it_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[dict[str, str | None]] = [
        {"a.yaml": configs.user("ann"), "b.yaml": configs.user("bob")},
        {"a.yaml": configs.user("ann", risk=0.7)},
        {"a.yaml": configs.user("bob", risk=0.7), "b.yaml": configs.user("ann")},
        {"c.yaml": configs.signal("cai", users=["ann"])},
        {"b.yaml": None, "c.yaml": None},
        {"d.yaml": configs.user("dan")},
    ]
    repo, mainline = build(tmp_path / "config", [Edit(files, aside=False) for files in texts])
    world = World(tmp_path / "config", branch="host")
    repo.git("update-ref", "refs/heads/host", mainline[1])
    with world.awake():
        world.sync()
        states = []
        for commit in mainline[2:-1]:
            repo.git("update-ref", "refs/heads/host", commit)
            assert world.sync().plan.changes
            kept, fresh = kept_state(world), loaded_state(world)
            assert kept is not None
            assert told(kept, fresh) == told(fresh, fresh)
            states.append(kept)
        assert all(state is states[0] for state in states)
        monkeypatch.setattr(keptbase, "MAX_ROWS", 0)
        repo.git("update-ref", "refs/heads/host", mainline[-1])
        world.sync()
        assert kept_state(world) is None


def test_values_of_all_kinds_come_back_as_they_were(tmp_path: Path) -> None:
    example = find_example_repository()
    tree = {path.relative_to(example).as_posix(): path.read_text() for path in example.rglob("*") if path.is_file()}
    repo = GitRepo.create(tmp_path / "config")
    repo.commit(tree)
    with open_store(tmp_path / "state", CLOCK) as store:
        world = World(tmp_path / "config", store=store)
        with world.awake():
            world.sync()
            repo.commit({"README.md": "another text"})
            world.sync()
            # one more line moves all that is declared, whole numbers and places in JSON columns among it
            repo.commit(
                {path: f"# moved\n{text}" for path, text in tree.items() if path.endswith(".yaml") and "/" in path}
            )
            world.sync()
            kept, fresh = kept_state(world), loaded_state(world)
            assert kept is not None
            assert told(kept, fresh) == told(fresh, fresh)
