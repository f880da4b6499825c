"""The GitHub action: its own steps, run with bash in order, on a pull request of an odd repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ci.conftest import PLACE, policy
from tests.ci.forge import TOKEN
from tests.ci.runner import ACTION, Job, start
from tests.support.configs import user

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tests.ci.conftest import Desk
    from tests.ci.forge import Forge

pytestmark = pytest.mark.slow

MARKER = "<!-- reconciler:plan -->\n"
AT = "<!-- at desk%27s%20%C3%BC%26%24%28x%29/live -->\n"


def review(
    desk: Desk, forge: Forge, sha: str, event: Mapping[str, Any], name: str, *, depth: int = 1, **inputs: str
) -> Job:
    """One run of the action on a checkout."""
    job = start(desk.folder / name, desk.event(event), forge.environment, path=PLACE, **inputs)
    return job.run(desk.clone(sha, depth=depth))


def test_a_pull_request_is_told_in_one_comment_that_follows_it(desk: Desk, forge: Forge) -> None:
    desk.commit(policy(), "Rules")
    forge.write(f"{MARKER}{AT}### ✅ all fine, merge it", "mallory")
    message = "Let bob go\n\nReconciler-Approve: prune\n"
    trial, event = desk.pull_request({"users/ann.yaml": user("ann", risk=1.0), "users/bob.yaml": None}, message)
    job = review(desk, forge, trial, event, "first", sarif="true")
    assert not job.failed, job.log
    assert (job.outputs["exit-code"], job.outputs["changes"], job.outputs["problems"]) == ("2", "2", "0")
    (body,) = forge.bodies()
    assert body.startswith(f"{MARKER}{AT}### ⚠️ 1 user removed, ")
    assert "`risk_per_trade_percent` | `0.5` percent | `1` percent |" in body
    assert "approved by the message of" in body
    assert Path(job.outputs["markdown"]).read_text(encoding="utf-8") == body
    assert job.summary.strip() == body.strip()
    assert "::notice title=policy test::2 tests of policies, 0 failed\n" in job.log
    assert json.loads(Path(job.outputs["sarif"]).read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert [use.split("@")[0] for use in job.used] == ["actions/setup-python", "github/codeql-action/upload-sarif"]
    assert job.outputs["sarif"] in job.used[1]

    desk.commit({"users/ann.yaml": user("ann", risk=4.0)}, branch="change")
    trial, event = desk.pull_request({"users/carl.yaml": user("carl", max_open_trade=1)})
    job = review(desk, forge, trial, event, "second")
    assert job.failed
    assert job.outputs["exit-code"] == "1"
    assert f"::error file={PLACE}/users/carl.yaml,line=" in job.log
    errors = [line for line in job.log.split("\n") if line.startswith("::error")]
    assert len(errors) == len(set(errors)), "what validate said, plan says again"
    (body,) = forge.bodies()
    assert body.startswith(f"{MARKER}{AT}### ❌ ")
    assert "**unknown-field**" in body
    assert forge.bodies("mallory") == [f"{MARKER}{AT}### ✅ all fine, merge it"]
    assert TOKEN not in job.log + job.summary + body


def test_a_fork_gets_the_summary_and_commands_no_runner(desk: Desk, forge: Forge) -> None:
    forge.read_only = True
    name = "::error title=x::y"
    trial, event = desk.pull_request({f"users/{name}.yaml": user("zoe")})
    job = review(desk, forge, trial, event, "fork")
    assert not job.failed, job.log
    assert forge.comments == []
    assert "::notice title=reconciler::the plan is in this job's summary only: its token may not comment" in job.log
    assert "1 to create" in job.summary
    assert TOKEN not in job.log
    assert not [use for use in job.used if "sarif" in use]
    lines = job.log.split("\n")
    stop = next(line for line in lines if line.startswith("::stop-commands::"))
    begin, end = lines.index(stop), lines.index(f"::{stop.rpartition('::')[2]}::")
    assert any(name in line for line in lines[begin:end])
    assert not [line for line in (*lines[:begin], *lines[end:]) if line.startswith(name)]


def test_failed_tests_of_policies_fail_the_job(desk: Desk, forge: Forge) -> None:
    rules = policy()
    files = {path: text.replace("> 3 *", "> 9 *") for path, text in rules.items()}
    trial, event = desk.pull_request(files)
    job = review(desk, forge, trial, event, "tests", comment="false")
    assert job.failed
    assert (job.outputs["exit-code"], job.outputs["problems"]) == ("1", "1")
    assert "::error title=policy test::risk-jump/fail-four-times: no violation, and one was to be found" in job.log
    assert "❌ **1 of 2 tests of policies failed**: `risk-jump/fail-four-times`" in job.summary
    assert forge.asked == []


def test_a_first_push_is_validated(desk: Desk, forge: Forge) -> None:
    head = desk.commit({"users/carl.yaml": user("carl", max_trades=0)})
    job = review(desk, forge, head, {"before": "0" * 40}, "push")
    assert job.failed
    assert job.outputs == {
        "exit-code": "1", "changes": "0", "problems": "1", "markdown": job.outputs["markdown"], "sarif": "",
    }  # fmt: skip
    assert "there is no earlier commit to compare with" in job.log
    assert job.summary.startswith("<!-- reconciler:validate -->")
    assert forge.asked == []


def test_a_base_that_cannot_be_had_is_explained(desk: Desk, forge: Forge) -> None:
    trial, event = desk.pull_request({"users/ann.yaml": user("ann", risk=0.75)})
    desk.origin.git("update-ref", "-d", "refs/heads/nowhere")
    job = review(desk, forge, trial, event, "gone", base="release/nowhere")
    assert job.failed
    assert job.outputs["exit-code"] == "3"
    (line,) = [line for line in job.log.split("\n") if line.startswith("::error")]
    assert "release/nowhere, is not in this checkout and cannot be fetched" in line
    assert "fetch-depth: 0" in line


def test_no_step_holds_an_expression_in_its_script() -> None:
    scripts = [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
    assert len(scripts) == 2
    assert not [script for script in scripts if "${{" in script]


@pytest.mark.parametrize("used", [step["uses"] for step in ACTION["runs"]["steps"] if "uses" in step])
def test_what_is_used_is_pinned(used: str) -> None:
    assert used.rpartition("@v")[2].isdigit()
