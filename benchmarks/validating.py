"""How long validating a working tree takes, as a whole process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measure import Figure, repository, typical, user_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def start(folder: Path) -> Iterator[Figure]:
    """What a single file costs: the start of the program."""
    repo = repository(folder, user_files(1))
    repo.checkout()
    yield Figure("validate one file", f"{typical(repo.path, folder / 'state', 'validate'):.2f} s", "0.25 s")


def many_files(folder: Path) -> Iterator[Figure]:
    """A large working tree."""
    repo = repository(folder, user_files(10_000))
    repo.checkout()
    seconds = typical(repo.path, folder / "state", "validate", times=3)
    yield Figure("validate 10,000 files", f"{seconds:.2f} s", "-")
