"""How long a plan between two commits takes, as a whole process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measure import Figure, repository, typical, user_files
from tests.support import configs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = 10_000


def one_file_among_many(folder: Path) -> Iterator[Figure]:
    """A pull request that changes one file of a large repository."""
    repo = repository(folder, user_files(FILES))
    repo.commit({"users/000/u000007.yaml": configs.user("u000007", risk=0.75)})
    seconds = typical(repo.path, folder / "state", "plan", "--base", "HEAD~1", times=9)
    yield Figure(f"plan of one changed file among {FILES:,}", f"{seconds:.2f} s", "0.5 s")
