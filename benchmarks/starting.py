"""How long short commands take: most of it is the start of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measure import Figure, run, typical
from reconciler.adapters.bundled import find_example_repository
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMES = 9


CHANGED = "users/fx-majors-01.yaml"


def commands(folder: Path) -> Iterator[Figure]:
    """On the example repository, whose first commit is live; its second one is planned."""
    repo, state = example_repository(folder), folder / "state"
    text = (find_example_repository() / CHANGED).read_text(encoding="utf-8")
    run(repo.path, state, "sync")
    repo.commit({CHANGED: text.replace("risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.8")})
    repo.checkout()
    for what, arguments, target in (
        ("--help", ("--help",), "0.08 s"),
        ("validate the example", ("validate",), "0.18 s"),
        ("status of the example", ("status",), "0.25 s"),
        ("plan of one of its users, 26 policies", ("plan", "--base", "HEAD~1"), "0.5 s"),
    ):
        yield Figure(what, f"{typical(repo.path, state, *arguments, times=TIMES):.3f} s", target)


def example_repository(folder: Path) -> GitRepo:
    """One whose only commit is the example."""
    repo, example = GitRepo.create(folder / "config"), find_example_repository()
    files = (path for path in example.rglob("*") if path.is_file())
    repo.commit({path.relative_to(example).as_posix(): path.read_bytes() for path in files})
    return repo
