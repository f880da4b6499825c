"""A change of 25 files with three problems, as the comment that a reviewer reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.adapters.git.repository import open_repository
from reconciler.report.comment import render_plan
from reconciler.report.links import Links
from tests.support.gitrepo import GitRepo
from tests.support.world import _planner

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[2] / "config-repo-example"
LINKS = Links("https://git.example.com/desk/config/blob/7cc2c160f1d0e2b7a4c9d8e6f5a4b3c2d1e0f9a8")
PAIRS = ("AUDUSD.r", "NZDUSD.r", "USDCAD.r", "USDCHF.r", "EURGBP.r", "EURJPY.r", "GBPJPY.r", "AUDJPY.r")
SHA = re.compile(r"\b[0-9a-f]{8} → [0-9a-f]{8}\b|\b[0-9a-f]{64}\b")


def desk() -> dict[str, str]:
    """The example with eight more accounts at one broker, which takes other commissions."""
    texts = {
        path.relative_to(EXAMPLE).as_posix(): path.read_text()
        for path in EXAMPLE.rglob("*.*")
        if path.is_file() and "/tests/" not in path.as_posix() and path.suffix != ".md"
    }
    template = re.sub(r"  account_id: .*\n", "", texts["accounts/op-eurusd.yaml"])
    for number, pair in enumerate(PAIRS):
        name = f"op-{pair[:6].lower()}"
        one = template.replace("op-eurusd", name).replace("EURUSD.r", pair).replace("leverage: 500", "leverage: 200")
        one = one.replace("margin_requirement: 0.2", "margin_requirement: 0.5")
        texts[f"accounts/{name}.yaml"] = one.replace("commission: 7.0", f"commission: {(4.5, 5.0, 7.0)[number % 3]}")
    return texts


def change(texts: dict[str, str]) -> dict[str, str | None]:
    """What the pull request makes of it: 25 files."""
    edits: dict[str, str | None] = {
        path: re.sub(r"commission: \S+", "commission: 6.2", text)
        for path, text in sorted(texts.items())
        if path.startswith("accounts/") and "commission: 0" not in text
    }
    edits["accounts/op-demo.yaml"] = None

    def edit(path: str, old: str, new: str) -> None:
        text = edits.get(path) or texts[path]
        assert old in text, (path, text)
        edits[path] = text.replace(old, new)

    edit("users/fx-majors-01.yaml", "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 2.5")
    edit("accounts/cv-eurusd.yaml", "leverage: 30", "leverage: 50")
    edit("instances/op-raw-01.yaml", "cpu_limit_percent: 30", "cpu_limit_percent: 35")
    edit("instances/cv-live-01.yaml", "slippage_tolerance: 1.5", "slippage_tolerance: 1.2")
    edit("instances/ff-prop-01.yaml", "connection_timeout_sec: 45", "connection_timeout_sec: 30")
    edit("signals/gold-trend.yaml", "exit_strategy: TRAILING_STOP", "exit_strategy: STOP_LOSS")
    edit("signals/london-breakout.yaml", "status: ACTIVE", "status: INACTIVE")
    edit("systems/lab.yaml", "log_level: DEBUG", "log_level: INFO")
    edit("systems/production.yaml", "log_level: INFO", "log_level: WARN")
    edit("users/gold-swing-01.yaml", "risk_per_trade_percent: 0.5", "risk_per_trade_percent: 0.6")
    for name in ("majors-03", "majors-04"):
        user = re.sub(r"  user_id: .*\n", "", texts["users/fx-majors-02.yaml"])
        edits[f"users/fx-{name}.yaml"] = user.replace("fx-majors-02", f"fx-{name}")
    return edits


def test_a_change_of_25_files_with_three_problems(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    repo = GitRepo.create(tmp_path)
    before = desk()
    base = repo.commit(before)
    edits = change(before)
    head = repo.commit(edits)
    with open_repository(repo.path) as source:
        plan, kinds = _planner(source).plan_commits(base, head)
    assert len(edits) == len(plan.changes) == 25
    assert sum(problem.is_error for problem in plan.problems) == 3
    golden("report/review.md", SHA.sub("<sha>", render_plan(plan, kinds, LINKS).replace(base, "<base>")) + "\n")
