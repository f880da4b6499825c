"""What a plan in a large tree searches for: however it is written, it is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.reconcile import plan as planning
from reconciler.reconcile import read as reading
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

ID = "0b9d6d6e-5f0c-4b43-8f5e-0d9a5f5f0001"


@pytest.mark.parametrize("spelt", [ID, ID.upper(), f"'{ID.title()}'"])
@pytest.mark.parametrize("spelt_before", [ID, ID.upper()])
def test_an_id_is_found_in_any_case_of_letters(
    tmp_path: Path, spelt: str, spelt_before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MAX_FILES_READ_WHOLE", 0)
    repo = GitRepo.create(tmp_path)
    before = configs.user("ann", user_id=ID).replace(ID, spelt_before)
    base = repo.commit({"a.yaml": before, "b.yaml": configs.user("bob")})
    head = repo.commit({"c.yaml": configs.user("cai", user_id=ID).replace(ID, spelt)})
    plan = World(tmp_path).between(base, head)
    assert {problem.code for problem in plan.problems} == {"duplicate-id"}


def test_a_plan_in_a_large_tree_reads_what_it_has_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MAX_FILES_READ_WHOLE", 0)
    repo = GitRepo.create(tmp_path)
    files = {f"{number}.yaml": configs.user(f"u{number}") for number in range(100, 200)}
    base = repo.commit({**files, "s.yaml": configs.signal("s", users=["u150"])})
    head = repo.commit({"150.yaml": configs.user("u150", risk=0.75)})
    read: list[str] = []

    decode = reading.decode
    monkeypatch.setattr(reading, "decode", lambda path, data: (read.append(path), decode(path, data))[1])
    plan = World(tmp_path).between(base, head)
    assert (len(plan.changes), plan.unchanged) == (1, 100)
    assert set(read) == {"150.yaml", "s.yaml"}
