"""What refers to a resource: found once, by the shortest way, and the same in the live rows and in the history."""

from __future__ import annotations

import shutil
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.bundled import find_example_repository
from reconciler.errors import UsageError
from reconciler.model.change import Key
from reconciler.service.rows import _find_uses
from tests.reconcile.test_history_laws import past_of, pruning
from tests.reconcile.test_laws import Edit, build, scratch
from tests.support.gitrepo import GitRepo
from tests.support.laws import examples
from tests.support.world import SHIPPED, World

NAMES = st.sampled_from("abcdef")
REFERENCES = st.lists(st.tuples(NAMES, NAMES), max_size=14)


@given(REFERENCES, NAMES)
def test_each_is_found_once_by_the_shortest_way(references: list[tuple[str, str]], start: str) -> None:
    referrers: dict[Key, list[Key]] = defaultdict(list)
    for referrer, target in references:
        referrers[Key("K", target)].append(Key("K", referrer))
    found = dict(_find_uses(Key("K", start), lambda key: referrers[key]))

    distance, reached = {Key("K", start): 0}, [Key("K", start)]
    for key in reached:
        for one in referrers[key]:
            if one not in distance:
                distance[one] = distance[key] + 1
                reached.append(one)
    assert {key: len(via) + 1 for key, via in found.items()} == {key: far for key, far in distance.items() if far}
    for key, via in found.items():
        steps = (Key("K", start), *via, key)
        assert all(after in referrers[before] for before, after in pairwise(steps))


def test_a_chain_too_long_to_list_is_refused() -> None:
    """Each link names all before it: 100,000 of them would be five thousand million names."""
    links = {Key("K", str(number)): [Key("K", str(number + 1))] for number in range(100_000)}
    with pytest.raises(UsageError, match="too much refers to K 0 to list it"):
        list(_find_uses(Key("K", "0"), lambda key: links.get(key, [])))


@settings(max_examples=examples(6))
@given(pruning)
def test_the_history_tells_what_the_live_rows_told(history: list[Edit]) -> None:
    with scratch() as folder:
        _, mainline = build(folder, history)
        world = World(folder)
        world.sync()
        past = past_of(world)
        for kind in SHIPPED.kinds:
            for row in past.rows.page(kind.name).rows if kind.name in world.store.kinds() else ():
                live = past.rows.uses(kind.name, row.name)
                assert past.rows.uses(kind.name, row.name, mainline[-1]) == live


def test_the_accounts_and_signals_of_a_user() -> None:
    with scratch() as folder:
        repo = GitRepo.create(folder)
        shutil.copytree(find_example_repository(), folder, dirs_exist_ok=True)
        repo.git("add", "-A")
        repo.git("commit", "-qm", "Begin")
        world = World(folder)
        world.sync()
        rows = past_of(world).rows
        found = rows.uses("user", "fx-majors-01").uses
        assert [(use.kind, use.name, use.via) for use in found] == [
            ("Account", "cv-eurusd", ()),
            ("Account", "cv-gbpusd", ()),
            ("Signal", "london-breakout", ()),
        ]
        user_id = rows.row("user", "fx-majors-01").rows[0].values["user_id"]
        assert rows.uses("users", user_id).uses == found
        assert rows.uses("signal", "london-breakout").uses == ()
        with pytest.raises(UsageError, match="no User fx-majors-09 is live") as caught:
            rows.uses("user", "fx-majors-09")
        assert caught.value.hint == "did you mean fx-majors-02?"
