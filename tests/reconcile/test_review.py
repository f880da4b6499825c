"""What a reviewer is told of a plan: figures, rules, what is touched, what to write, and what identifies it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.model.bounds import Bounds
from reconciler.model.problem import Problem
from reconciler.model.review import Measurement, Remedy, Touched
from reconciler.reconcile.remedies import find_remedies
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.world import World

AT_MOST = """-- Nobody risks more than {most}
SELECT 'too much' AS message, 'user' AS kind, name, 'risk_per_trade_percent' AS field, {most} AS at_most
FROM desired.user_config WHERE risk_per_trade_percent > {most}
"""
TOTAL = """-- Total risk
SELECT sum(risk_per_trade_percent) * {factor} AS value, '%' AS unit FROM desired.user_config WHERE path IS NOT NULL
"""
MEASURE = "policies/measures/total.sql"
TREE = {
    "ann.yaml": configs.user("ann", risk=1.0),
    "bob.yaml": configs.user("bob", risk=0.5),
    "gold.yaml": configs.signal("gold", users=["ann"]).replace("metadata:", "metadata:\n  labels: {host: h1}"),
    "policies/strict.sql": AT_MOST.format(most=1.5),
    "policies/lax.sql": AT_MOST.format(most=1.66),
    "policies/quiet.sql": AT_MOST.format(most=50),
    MEASURE: TOTAL.format(factor=1),
}


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    repo = GitRepo.create(tmp_path)
    repo.commit(TREE)
    return repo


def test_a_reviewer_is_told_what_a_change_comes_to(repo: GitRepo) -> None:
    base = repo.commit({})
    head = repo.commit({"ann.yaml": configs.user("ann", risk=2.5)})
    review = World(repo.path).between(base, head).review
    assert review.measurements == (Measurement("total", "Total risk", "%", 1.5, 3.0),)
    assert [policy.name for policy in review.policies] == ["lax", "quiet", "strict"]
    assert review.reach is not None
    assert review.reach.kinds == {"Signal": Touched(0, 1), "User": Touched(1, 0)}
    assert (review.reach.hosts, review.reach.complete) == (("h1",), True)
    (remedy,) = review.remedies
    assert (remedy.pointer, remedy.value) == ("/spec/risk_per_trade_percent", "1.5")
    assert remedy.after == remedy.before.replace("2.5", "1.5") != remedy.before
    assert review.behind == 0


@pytest.mark.parametrize(
    ("field", "wrong", "right"),
    [
        ("risk_per_trade_percent: 1.0", "1:30", None),  # 30 % a trade: only leverages are written so
        ("risk_per_trade_percent: 1.0", "'-1'", None),
        ("risk_per_trade_percent: 1.0", "150 %", None),
        ("max_open_trades: 4", "'2.5'", None),
        ("status: ACTIVE", "DEACTIVATE", None),
        ("status: ACTIVE", "inactive", "INACTIVE"),
        ("risk_per_trade_percent: 1.0", "'0.5'", "0.5"),
        ("risk_per_trade_percent: 1.0", "0.5 %", "0.5"),
        ("risk_per_trade_percent: 1.0", "1,5", "1.5"),
        ("risk_per_trade_percent: 1.0", "1,500", None),
        ("risk_per_trade_percent: 1.0", "1000", None),  # a hard limit is no advice
        ("risk_per_trade_percent: 1.0", "much", None),
        ("trade_direction: BOTH", "BOHT", "BOTH"),
        ("trade_direction: BOTH", "SIDEWAYS", None),
    ],
)
def test_what_was_meant_is_offered_where_it_is_sure(repo: GitRepo, field: str, wrong: str, right: str | None) -> None:
    text, name = TREE["ann.yaml"], field.partition(":")[0]
    assert field in text
    base = repo.commit({})
    head = repo.commit({"ann.yaml": text.replace(field, f"{name}: {wrong}")})
    remedies = World(repo.path).between(base, head).review.remedies
    assert [remedy.value for remedy in remedies] == ([] if right is None else [right])
    assert all(remedy.after in ("", f"  {name}: {right}") for remedy in remedies)


def test_no_change_paints_over_what_it_does(repo: GitRepo) -> None:
    base = repo.commit({})
    head = repo.commit({"ann.yaml": configs.user("ann", risk=1.4), MEASURE: TOTAL.format(factor=0)})
    world = World(repo.path)
    assert world.between(base, head).review.measurements == (
        Measurement("total", "Total risk", "%", 1.5, 1.9, changed=True),
    )
    broken = repo.commit({MEASURE: "SELECT oops AS value FROM desired.user_config", "ann.yaml": TREE["ann.yaml"]})
    plan = world.between(base, broken)
    assert [(problem.code, problem.is_error) for problem in plan.problems] == [("bad-measure", False)]
    assert plan.review.measurements == ()


def test_a_digest_is_of_trees_and_changes_whatever_commits_they_came_in(repo: GitRepo, tmp_path: Path) -> None:
    base = repo.commit({})
    head = repo.commit({"ann.yaml": configs.user("ann", risk=1.2)}, message="one way")
    other = GitRepo.create(tmp_path / "other")
    root = other.commit({**TREE, "bob.yaml": configs.user("bob", risk=0.7)})
    bases = other.commit({"bob.yaml": TREE["bob.yaml"]}, message="another history")
    heads = other.commit({"ann.yaml": configs.user("ann", risk=1.2)}, message="another way")
    digest = World(repo.path).between(base, head).review.digest
    assert World(other.path).between(bases, heads).review.digest == digest
    assert World(other.path).between(root, heads).review.digest != digest
    assert World(repo.path).between(head, base).review.digest != digest


def test_what_the_base_did_since_is_counted(repo: GitRepo) -> None:
    base = repo.commit({})
    head = repo.commit({"ann.yaml": configs.user("ann", risk=1.2)}, branch="side", parents=[base])
    for risk in (0.6, 0.7):
        moved = repo.commit({"bob.yaml": configs.user("bob", risk=risk)}, branch="main", parents=[base])
        base = moved
    assert World(repo.path).between(moved, head).review.behind == 2
    assert World(repo.path).between(head, head).review.behind == 0


def test_a_host_that_loses_something_is_touched(repo: GitRepo) -> None:
    def signal(host: str, users: list[str]) -> str:
        return configs.signal("gold", users=users).replace("metadata:", f"metadata:\n  labels: {{host: {host}}}")

    def touched(base: str, edits: dict[str, str | None]) -> tuple[str, ...]:
        reach = World(repo.path).between(base, repo.commit(edits)).review.reach
        assert reach is not None
        return reach.hosts

    base = repo.commit({"ann.yaml": configs.user("ann", risk=1.0)})
    assert touched(base, {"gold.yaml": signal("h2", ["ann"])}) == ("h1", "h2"), "it moves"
    base = repo.commit({})
    assert touched(base, {"gold.yaml": signal("h2", ["bob"])}) == ("h2",), "it serves another user"
    base = repo.commit({})
    assert touched(base, {"gold.yaml": None}) == ("h2",), "it goes"


def test_a_reference_that_goes_touches_the_host_it_led_to(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path)
    hosted = configs.user("ann", risk=1.0).replace("metadata:", "metadata:\n  labels: {host: h1}")
    tree = {"ann.yaml": hosted, "bob.yaml": configs.user("bob"), "s.yaml": configs.signal("gold", users=["ann"])}
    base = repo.commit(tree)
    reach = World(repo.path).between(base, repo.commit({"s.yaml": configs.signal("gold", users=["bob"])})).review.reach
    assert reach is not None
    assert reach.hosts == ("h1",)
    assert reach.kinds == {"Signal": Touched(1, 0), "User": Touched(0, 1)}


def test_a_row_that_stays_goes_on_counting(tmp_path: Path) -> None:
    measure = (Path(__file__).parents[2] / "config-repo-example/policies/measures/total-risk.sql").read_text()
    repo = GitRepo.create(tmp_path)
    settings = "apiVersion: reconciler/v1\nkind: Repository\nspec:\n  prune: {{mode: '{}', max_percent: 100}}\n"
    people = {f"{name}.yaml": configs.user(name, risk=1.0) for name in ("ann", "bob")}
    for mode, falls in (("off", False), ("deactivate", True), ("delete", True)):
        base = repo.commit({**people, MEASURE: measure, "reconciler.yaml": settings.format(mode)})
        (figure,) = World(tmp_path).between(base, repo.commit({"bob.yaml": None})).review.measurements
        assert figure.before is not None
        assert figure.after == (figure.before / 2 if falls else figure.before), mode


def test_figures_of_one_label_are_all_told(repo: GitRepo) -> None:
    base = repo.commit({MEASURE: "SELECT risk_per_trade_percent AS value FROM desired.user_config"})
    head = repo.commit({"bob.yaml": configs.user("bob", risk=0.7)})
    told = World(repo.path).between(base, head).review.measurements
    assert [(one.before, one.after) for one in told] == [(0.5, 0.7), (1.0, 1.0)]


def test_a_file_that_moves_is_where_it_is_now(repo: GitRepo) -> None:
    moved = "FROM desired.user_config WHERE path LIKE 'moved/%'"
    rules = {MEASURE: f"SELECT count(*) AS value {moved}", "policies/moved.sql": f"SELECT name AS message {moved}"}
    base = repo.commit(rules)
    head = repo.commit(
        {"ann.yaml": None, "moved/ann.yaml": TREE["ann.yaml"], "bob.yaml": configs.user("bob", risk=0.7)}
    )
    plan = World(repo.path).between(base, head)
    assert [(one.before, one.after) for one in plan.review.measurements] == [(0, 1)]
    assert [(one.code, one.message) for one in plan.problems] == [("policy/moved", "ann")]


def problem(pointer: str, line: int, *, bounds: Bounds, column: int = 1) -> Problem:
    return Problem("a.yaml", line, column, "policy/x", pointer, "wrong", bounds=bounds)


def valid(path: str, data: bytes) -> tuple[Problem, ...]:
    return ()


AT_MOST_5, AT_LEAST_9 = Bounds(at_most=5), Bounds(at_least=9)


@pytest.mark.parametrize(
    ("line", "before", "after"),
    [
        ("a: 7  # why", "a: 7  # why", "a: 5  # why"),
        ('{"a": 7, b: 7}', '{"a": 7, b: 7}', '{"a": 5, b: 7}'),
        ("a:     7.0\r", "a:     7.0", "a:     5"),
        ("b: [7, 7]\na: 7.5", "a: 7.5", "a: 5"),
        ("a: !!float 7", "", ""),
        ("a: &x 7\nb: *x", "", ""),
    ],
)
def test_the_whole_line_is_rewritten_or_none(line: str, before: str, after: str) -> None:
    text = f"{line}\n"
    number = next(at for at, one in enumerate(text.split("\n"), 1) if '"a"' in one or one.startswith("a"))
    found = find_remedies([problem("/a", number, bounds=AT_MOST_5)], lambda paths: {"a.yaml": text.encode()}, valid)
    if before:
        assert found == (Remedy("a.yaml", number, "/a", "5", before, after),)
    else:
        assert [(one.before, one.after) for one in found] in ([], [("", "")])


def test_nothing_is_guessed() -> None:
    def remedies(*problems: Problem) -> list[str]:
        return [one.value for one in find_remedies(problems, lambda paths: {"a.yaml": b"a: 7\n"}, valid)]

    both = [problem("/a", 1, bounds=one) for one in (AT_MOST_5, AT_LEAST_9)]
    assert remedies(both[0]) == ["5"]
    assert remedies(*both) == [""], "they contradict each other"
    assert remedies(both[0], problem("/a", 1, bounds=Bounds())) == [], "one error does not say what would be right"
    assert remedies(problem("/b", 1, bounds=AT_MOST_5)) == []


def test_a_value_with_which_the_document_is_not_valid_is_not_offered() -> None:
    def found(*wrong: str) -> list[str]:
        def check(path: str, data: bytes) -> list[Problem]:
            assert (path, data) == ("a.yaml", b'{"a":5,"b":[1]}')
            return [problem(pointer, 1, bounds=Bounds()) for pointer in wrong]

        known = [problem("/a", 1, bounds=AT_MOST_5), problem("/b", 2, bounds=Bounds())]
        return [one.value for one in find_remedies(known, lambda paths: {"a.yaml": b"a: 7\nb: [1]\n"}, check)]

    assert found() == ["5"]
    assert found("/b") == ["5"], "it was wrong before"
    assert found("/a") == [], "the rules ask for what the schema refuses"
    assert found("/c") == [], "it would be wrong elsewhere"


CAP = """-- A third of it
SELECT 'too much' AS message, 'broker' AS kind, name, field, most AS at_most
FROM desired.broker_config,
    (VALUES ('daily_loss_percent', 10.0 / 6), ('max_loss_percent', 10.0 / 6), ('leverage_cap.gold', 0.5)) t(field, most)
WHERE daily_loss_percent * 6 > 10
"""


def test_a_value_satisfies_rule_and_schema_to_the_last_digit(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "config-repo-example"
    schema = json.loads((example / "schemas/broker.schema.json").read_text())
    schema["properties"]["spec"]["properties"]["daily_loss_percent"]["multipleOf"] = 0.5
    broker = (example / "brokers/caldervale-eu.yaml").read_text()
    repo = GitRepo.create(tmp_path)
    base = repo.commit({"schemas/broker.schema.json": json.dumps(schema), "b.yaml": broker, "policies/cap.sql": CAP})
    head = repo.commit({"b.yaml": f"{broker}  daily_loss_percent: 2.5\n  max_loss_percent: 2.5\n"})
    remedies = World(tmp_path).between(base, head).review.remedies
    assert {one.pointer: one.value for one in remedies} == {
        "/spec/daily_loss_percent": "1.5",
        "/spec/max_loss_percent": "1.666666666",
    }, "and the schema wants a cap of at least 1"
