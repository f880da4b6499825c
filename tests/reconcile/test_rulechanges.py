"""A change of the rules themselves is told, also where no row changes."""

from __future__ import annotations

from pathlib import Path

from reconciler.model.change import Op
from reconciler.model.problem import Policy
from reconciler.model.review import RuleChange, RuleEdit, RuleSort
from reconciler.reconcile.rulechanges import compare_policies
from reconciler.report.comment import render_plan
from reconciler.report.links import Links
from reconciler.report.plans import build_plan, plan_lines
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.world import SHIPPED, World

RULE = """-- Nobody risks more than {most}
SELECT 'too much' AS message, 'user' AS kind, name, 'risk_per_trade_percent' AS field
FROM desired.user_config WHERE risk_per_trade_percent > {most}
"""
SETTINGS = "apiVersion: reconciler/v1\nkind: Repository\nspec:\n  prune: {{mode: off, max_count: {most}}}\n".replace(
    "off", "'off'"
)
BROKER = (Path(__file__).parents[2] / "config-repo-example/schemas/broker.schema.json").read_text()


def test_rules_that_go_or_change_are_told_where_no_row_does(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path)
    base = repo.commit(
        {
            "ann.yaml": configs.user("ann", risk=1.0),
            "policies/gone.sql": RULE.format(most=0.9),
            "policies/lax.sql": RULE.format(most=2),
            "policies/measures/total.sql": "SELECT 1 AS value",
            "reconciler.yaml": SETTINGS.format(most=5),
            "schemas/broker.schema.json": BROKER,
        }
    )
    head = repo.commit(
        {
            "policies/gone.sql": None,
            "policies/lax.sql": RULE.format(most=20),
            "policies/new.sql": RULE.format(most=50),
            "policies/measures/total.sql": None,
            "reconciler.yaml": SETTINGS.format(most=500),
            "schemas/broker.schema.json": BROKER.replace('"maxLength": 255', '"maxLength": 300', 1),
        }
    )
    plan = World(tmp_path).between(base, head)
    assert plan.changes == ()
    told = {(one.op, one.sort, one.name): one for one in plan.review.rule_changes}
    assert {key: one.weighs for key, one in told.items()} == {
        (Op.UPDATE, RuleSort.SETTING, "reconciler.yaml"): True,
        (Op.UPDATE, RuleSort.SCHEMA, "Broker"): True,
        (Op.DELETE, RuleSort.RULE, "gone"): True,
        (Op.UPDATE, RuleSort.RULE, "lax"): True,
        (Op.CREATE, RuleSort.RULE, "new"): False,
        (Op.DELETE, RuleSort.MEASURE, "total"): False,
    }
    assert told[Op.UPDATE, RuleSort.SETTING, "reconciler.yaml"].edits == (RuleEdit("prune.max_count", "5", "500"),)
    page = render_plan(plan, SHIPPED.kinds, Links(f"https://git.example/blob/{head}")).splitlines()
    assert page[1] == (
        "### ❌ 1 rule removed, 1 measure removed, 1 rule changed, 1 schema changed, 1 setting changed, 1 rule added; "
        "refused by 1 problem"
    )
    assert "- 3 rules, 2 passed; ❌ " in "\n".join(page), "what a removed rule refuses has not passed"
    (row,) = (line for line in page if line.startswith("| ⚠️ | rule removed |"))
    assert f"[`gone`](https://git.example/blob/{base}/policies/gone.sql#L1)" in row
    assert "**as it was it finds 1 problem here**" in row
    answer = {one.name: one for one in build_plan(plan, SHIPPED.kinds).rule_changes}
    assert (answer["gone"].op, answer["gone"].found) == ("delete", 1)
    assert "rule removed: gone  policies/gone.sql" in [line for _, line in plan_lines(plan, SHIPPED.kinds)]
    repaired = World(tmp_path).between(base, repo.commit({"policies/gone.sql": RULE.format(most=1.5)}))
    assert "rule removed" not in render_plan(repaired, SHIPPED.kinds)


def changes(old: str, new: str) -> list[RuleChange]:
    sides = ([Policy("x", "policies/x.sql", "X", sql)] for sql in (old, new))
    return list(compare_policies(RuleSort.RULE, *sides))


def test_the_lines_that_differ_are_told_and_comments_at_the_top_weigh_nothing() -> None:
    assert changes("SELECT 1\nWHERE a > 1", "SELECT 1\nWHERE a > 1") == []
    (one,) = changes("-- X\nSELECT 1\nWHERE a > 1", "-- Y\nSELECT 1\nWHERE a > 9\nAND b")
    assert one.edits == (RuleEdit("", "WHERE a > 1", "WHERE a > 9"), RuleEdit("", None, "AND b"))
    assert one.weighs
    (one,) = changes("-- X\n\nSELECT 1", "-- Y\n-- why\nSELECT 1")
    assert (one.edits, one.weighs) == ((), False)
    assert changes("SELECT 'a\n-- b'", "SELECT 'a\n-- c'")[0].weighs, "within a text it is no comment"
    (one,) = changes("\n".join(map(str, range(20))), "\n".join(map(str, range(20, 40))))
    assert (len(one.edits), one.more) == (5, 15)
