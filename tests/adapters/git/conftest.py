"""A repository and the source that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git.repository import GitSource, open_repository
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """An empty repository on `main`."""
    return GitRepo.create(tmp_path / "config")


@pytest.fixture
def source(repo: GitRepo) -> Iterator[GitSource]:
    """The source on `repo`."""
    with open_repository(repo.path) as opened:
        yield opened
