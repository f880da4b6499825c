"""A commit that brings more than the limits is invalid, and the next one goes live.

A few kilobytes in git may stand for millions of paths.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.git.repository import open_repository
from reconciler.decode.document import decode
from reconciler.errors import TooLarge
from reconciler.model.limits import Limits
from reconciler.reconcile import faults, read, rules
from reconciler.reconcile.rules import read_kinds
from reconciler.reconcile.walk import CommitProcessor
from reconciler.validate.validator import Validator
from reconciler.wiring.checkout import open_checkout
from tests.support import configs
from tests.support.gitrepo import Entry, GitRepo
from tests.support.world import FAULTS, SHIPPED, World
from tests.validate.wrapping import LIST, with_part

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMITS = Limits(paths=500, yaml_mb=1)


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({"users/alice.yaml": configs.user("alice", risk=1.0)})
    return repo


def deep_tree(repo: GitRepo, levels: int, name: str = "0.yaml") -> str:
    """The id of a tree of ten to the power of `levels` paths, which takes `levels` small objects."""
    blob = repo.git("hash-object", "-w", "--stdin", stdin=configs.user("mallory").encode())
    tree = repo.git("mktree", stdin="".join(f"100644 blob {blob}\t{i}{name}\n" for i in range(10)).encode())
    for _ in range(levels - 1):
        tree = repo.git("mktree", stdin="".join(f"040000 tree {tree}\t{i}\n" for i in range(10)).encode())
    return tree


def bomb(repo: GitRepo) -> str:
    """A commit with 10,000 paths."""
    return repo.commit({"bomb": Entry("040000", deep_tree(repo, 4).encode(), stored=True)})


def many_files(repo: GitRepo) -> str:
    return repo.commit({f"bomb/{number}.txt": "" for number in range(501)})


def large_files(repo: GitRepo) -> str:
    return repo.commit({f"bomb/{number}.yaml": f"# {'x' * 300_000}\n" for number in range(4)})


def large_schema(repo: GitRepo) -> str:
    return repo.commit({"schemas/bomb.schema.json": " " * (2 << 20)})


BOMBS = [bomb, many_files, large_files, large_schema]


@pytest.mark.parametrize("explode", BOMBS)
def test_it_is_invalid_and_the_next_good_commit_goes_live(explode: Callable[[GitRepo], str], repo: GitRepo) -> None:
    world = World(repo.path, limits=LIMITS)
    world.sync()
    bad = explode(repo)
    (problem,) = world.attempt().plan.problems
    assert (problem.code, problem.path) == ("cannot-judge", ".")
    assert "limits." in problem.hint
    still_bad = repo.commit({"users/alice.yaml": configs.user("alice", risk=0.5)})
    assert world.attempt().plan.refused
    with open_repository(repo.path) as source:
        gone = dict.fromkeys(("bomb", "schemas"))
        assert source.resolve("main") == still_bad
    repo.commit(gone)
    assert not world.attempt().plan.refused
    assert [name for name, _ in world.live()["User"]] == ["alice"]
    assert dict(world.live()["User"])["alice"]["risk_per_trade_percent"] == 0.5
    anew = World(repo.path, limits=LIMITS)
    anew.sync()
    assert anew.rows() == world.rows()
    for sha in (bad, still_bad):
        assert world.ledger.version(sha).status == anew.ledger.version(sha).status == "INVALID"  # type: ignore[union-attr]


@pytest.mark.parametrize("explode", BOMBS)
def test_a_plan_says_so(explode: Callable[[GitRepo], str], repo: GitRepo) -> None:
    explode(repo)
    world = World(repo.path, limits=LIMITS)
    assert [problem.code for problem in world.between("main~1", "main").problems] == ["cannot-judge"]
    assert [problem.code for problem in world.ahead("main").problems] == ["cannot-judge"]
    repo.commit({"users/alice.yaml": configs.user("alice", risk=0.5), "bomb": None, "schemas": None})
    assert len(world.between("main~1", "main").changes) == 1


@pytest.mark.slow
def test_what_git_reads_is_bounded(repo: GitRepo) -> None:
    repo.commit({"bomb": Entry("040000", deep_tree(repo, 7).encode(), stored=True)})
    repo.commit({"bomb": None})
    with open_repository(repo.path, limits=LIMITS) as source:
        assert [delta.changes and len(delta.changes) for delta in source.history("main")] == [1, None, None]
        for read in (lambda: source.changes(None, "main~1"), lambda: source.paths("main~1")):
            with pytest.raises(TooLarge, match="more than 500 paths"):
                read()
        assert len(source.changes("main~2", "main")) == 0


def test_one_blob_under_many_paths_is_read_once_for_each(repo: GitRepo) -> None:
    """Duplicates are found without comparing each with each."""
    repo.commit({"bomb": Entry("040000", deep_tree(repo, 3).encode(), stored=True)})
    world = World(repo.path, limits=Limits(paths=20_000))
    result = world.attempt()
    assert len(result.plan.problems) == 2_000
    assert "and 996 more" in result.plan.problems[0].message
    assert {problem.code for problem in result.plan.problems} == {"duplicate-name", "duplicate-id"}


def test_a_folder_has_the_same_limits(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text("apiVersion: reconciler/v1\nkind: Repository\nspec: {}\n")
    for number in range(3):
        (tmp_path / f"{number}.yaml").write_text(configs.user(f"u{number}") + "# " + "x" * 600_000)
    (problem,) = open_checkout(tmp_path, "", Limits(paths=3)).check_paths(()).problems
    assert (problem.code, problem.hint.partition(", or ")[2]) == ("cannot-judge", "raise limits.paths")
    (problem,) = open_checkout(tmp_path, "", Limits(yaml_mb=1)).check_paths(()).problems
    assert (problem.code, problem.hint.partition(", or ")[2]) == ("cannot-judge", "raise limits.yaml_mb")
    assert not open_checkout(tmp_path, "", Limits(paths=4, yaml_mb=2)).check_paths(()).problems


def test_a_higher_limit_counts_when_all_is_judged_again(repo: GitRepo) -> None:
    world = World(repo.path, limits=LIMITS)
    world.sync()
    bad = many_files(repo)
    repo.commit({"users/bob.yaml": configs.user("bob"), "bomb": None})
    world.sync()
    assert world.ledger.version(bad).status == "INVALID"  # type: ignore[union-attr]
    world.limits = Limits()
    world.attempt(rejudge=True)
    assert world.ledger.version(bad).status == "VALID"  # type: ignore[union-attr]
    anew = World(repo.path)
    anew.sync()
    assert anew.rows() == world.rows()


def test_another_version_of_the_program_judges_again(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(repo.path, limits=LIMITS)
    world.sync()
    bad = many_files(repo)
    with monkeypatch.context() as patches:
        patches.setattr(faults, "__version__", "0.0.1")
        world.attempt()
    assert bad not in world.ledger.recorded_commits()
    world.attempt()
    assert "reconciler 0.0.1" not in world.ledger.version(bad).problems[0].message  # type: ignore[union-attr]
    assert bad in world.ledger.recorded_commits()


class Elsewhere:
    """What calls a function in another process; here in this one, which it writes down, or not in time."""

    def __init__(self, late: int = 0) -> None:
        self.called: list[str] = []
        self._late = late

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.called.append(arguments[0].__name__)
        if len(self.called) <= self._late:
            raise TooLarge("it takes more than 60 s of CPU time")
        return function(*arguments)


def schema_of_lists(items: Any) -> bytes:
    """A kind with a list of such items."""
    part = {"description": "Some field.", "type": "array", "items": items}
    return json.dumps(with_part(LIST, part)).encode()


def desk(items: list[str]) -> bytes:
    """A document of that kind."""
    spec = {"city": "A", "loss": 1, "some_list": items}
    return configs.document("Desk", "fx", spec).encode()


ALICE = ("a.yaml", configs.user("alice", risk=1.0).encode())
BOB = ("b.yaml", configs.user("bob", risk=1_000).encode())


def test_what_would_hold_the_interpreter_is_judged_elsewhere() -> None:
    schema = schema_of_lists({"anyOf": [{"type": "string", "minLength": number} for number in range(300)]})
    elsewhere = Elsewhere()
    finder = faults.FaultFinder(elsewhere, FAULTS.log)
    kinds, problems = read_kinds({"schemas/desk.schema.json": schema}, SHIPPED, finder)
    assert not problems
    reader = read.FileReader(kinds, finder)
    small, large = (desk(["xx"] * count) for count in (5, 4_000))
    assert reader.read_file("small.yaml", small).resources
    assert elsewhere.called == []
    (entry,) = reader.read_files([("large.yaml", large)], 1)
    assert entry == Validator(kinds).check("large.yaml", decode("large.yaml", large))
    assert entry.resources
    assert elsewhere.called == ["_read_each"]


def test_files_that_are_not_read_in_time_are_tried_elsewhere_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read.FileReader(SHIPPED.kinds, FAULTS).read_files([ALICE, BOB], 2)
    monkeypatch.setattr(read, "CPU_SECONDS", -1.0)
    for late in (0, 1):
        finder = faults.FaultFinder(elsewhere := Elsewhere(late), FAULTS.log)
        assert read.FileReader(SHIPPED.kinds, finder).read_files([ALICE, BOB], 2) == whole
        assert elsewhere.called == ["_read_each"] * (late + 1)
    finder = faults.FaultFinder(Elsewhere(late=2), FAULTS.log)
    entries = read.FileReader(SHIPPED.kinds, finder).read_files([ALICE, BOB], 2)
    assert [[one.code for one in entry.problems] for entry in entries] == [["cannot-judge"]] * 2
    assert all(entry.unreadable for entry in entries)


def test_large_schemas_are_loaded_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"schemas/desk.schema.json": schema_of_lists({"type": "string"})}
    loaded = read_kinds(files, SHIPPED, FAULTS)
    monkeypatch.setattr(rules, "MAX_BYTES_HERE", 0)
    finder = faults.FaultFinder(elsewhere := Elsewhere(), FAULTS.log)
    assert read_kinds(files, SHIPPED, finder)[0].digest == loaded[0].digest
    assert elsewhere.called == ["_load_each"]
    late = faults.FaultFinder(Elsewhere(late=2), FAULTS.log)
    assert [one.code for one in read_kinds(files, SHIPPED, late)[1]] == ["cannot-judge"]


def test_of_too_many_problems_each_file_keeps_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = configs.user("bob", risk=1_000).encode() + b"  surprise: 1\n"
    monkeypatch.setattr(read, "MAX_PROBLEMS", 1)
    entries = read.FileReader(SHIPPED.kinds, FAULTS).read_files([("a.yaml", wrong), ("b.yaml", wrong)], 2)
    assert [len(entry.problems) for entry in entries] == [2, 1]


def test_how_far_the_files_of_a_large_commit_are_is_told(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "TOLD_FROM", 3)
    head = repo.commit({f"users/u{number}.yaml": configs.user(f"u{number}") for number in range(3)})
    told: list[tuple[int, int]] = []
    with open_repository(repo.path) as source:
        processor = CommitProcessor(source, "", SHIPPED, FAULTS, lambda done, total: told.append((done, total)))
        state = processor.empty_state()
        for delta in source.history(head):
            state, outcome = processor.process(state, delta.commit.stamp, delta.changes)
            assert outcome.valid
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.slow
def test_many_files_are_read_in_parallel_in_time_and_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """`slow`: starts worker processes."""
    files = [(f"{number}.yaml", configs.user(f"u{number}", risk=1.0).encode()) for number in range(450)]
    files[7] = "wrong.yaml", configs.user("wrong", risk=1_000).encode()
    files[9] = "refers.yaml", configs.signal("refers", users=["u1", "u2"]).encode()
    whole = read.FileReader(SHIPPED.kinds, FAULTS).read_files(files, len(files))
    monkeypatch.setattr(read, "PARALLEL_FROM", 1)
    in_parallel = read.FileReader(SHIPPED.kinds, FAULTS).read_files(files, len(files))
    assert in_parallel == whole
    assert repr(in_parallel) == repr(whole)
    monkeypatch.setattr(read, "CPU_SECONDS", -1.0)
    assert read.FileReader(SHIPPED.kinds, FAULTS).read_files(files, len(files)) == whole
