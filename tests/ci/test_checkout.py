"""Which two commits a plan is made between, in checkouts as CI makes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from reconciler_ci.actions import Actions
from reconciler_ci.checkout import open_checkout
from reconciler_ci.errors import CannotRun
from reconciler_ci.github import compared

from tests.ci.conftest import PLACE
from tests.ci.runner import parsed
from tests.support.configs import user
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ci.conftest import Desk

TRAILER = "Let go of ann\n\nReconciler-Approve: prune\n"


@pytest.fixture(autouse=True)
def writable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No identity is set up on a runner."""
    monkeypatch.setenv("HOME", str(tmp_path))


def ends(work: Path, event: dict[str, Any], base: str = "") -> tuple[str, str] | None:
    """The two commits."""
    return compared(open_checkout(work / PLACE), event, base, Actions({}))


def test_a_trial_merge_is_compared_with_what_it_merged_into(desk: Desk) -> None:
    desk.commit({"users/carl.yaml": user("carl")}, branch="change")
    main = desk.commit({"users/dora.yaml": user("dora")})
    trial, event = desk.pull_request({"users/ann.yaml": user("ann", risk=1.0)})
    event["pull_request"]["base"]["sha"] = desk.origin.git("rev-parse", "main~1")  # as it was when it was opened
    assert ends(desk.clone(trial), event) == (main, trial)


def test_a_branch_is_compared_with_where_it_began(desk: Desk) -> None:
    began = desk.origin.git("rev-parse", "main")
    source = desk.commit({"users/ann.yaml": user("ann", risk=1.0)}, branch="change")
    main = desk.commit({"users/dora.yaml": user("dora")})
    event = {"pull_request": {"number": 7, "head": {"sha": source}, "base": {"sha": main}}}
    assert ends(desk.clone(source, depth=0), event) == (began, source)
    assert ends(desk.clone(source), event) == (main, source), "the best a shallow one can do"


def test_an_approval_counts_in_a_trial_merge(desk: Desk) -> None:
    trial, event = desk.pull_request({"users/ann.yaml": None}, TRAILER)
    work = desk.clone(trial)
    base, head = ends(work, event) or ("", "")
    repo = GitRepo(work)
    assert head != trial
    assert repo.git("diff", "--stat", trial, head) == ""
    assert repo.git("log", "-1", "--format=%P", head) == base
    assert repo.git("log", "-1", "--format=%(trailers:only)", head).strip() == "Reconciler-Approve: prune"
    assert repo.git("rev-parse", "HEAD") == trial
    assert repo.git("log", "-1", "--format=%aI %cI", head) == repo.git("log", "-1", "--format=%aI %cI", trial)


def test_an_approval_of_an_earlier_commit_does_not(desk: Desk) -> None:
    desk.commit({"users/ann.yaml": None}, TRAILER, branch="change")
    trial, event = desk.pull_request({"users/bob.yaml": None})
    assert (ends(desk.clone(trial), event) or ("", ""))[1] == trial


def test_a_push_is_compared_with_what_was_before(desk: Desk) -> None:
    before = desk.origin.git("rev-parse", "main")
    for risk in (1.0, 2.0):
        head = desk.commit({"users/ann.yaml": user("ann", risk=risk)})
    assert ends(desk.clone(head), {"before": before}) == (before, head)


def test_a_merge_queue_is_compared_with_its_base(desk: Desk) -> None:
    before = desk.origin.git("rev-parse", "main")
    head = desk.commit({"users/ann.yaml": user("ann", risk=1.0)}, branch="queue")
    assert ends(desk.clone(head), {"merge_group": {"base_sha": before}}) == (before, head)


@pytest.mark.parametrize("base", ["main", "origin/main", "v1"])
def test_a_base_may_have_a_name(desk: Desk, base: str) -> None:
    main = desk.origin.git("rev-parse", "main")
    desk.origin.git("tag", "-a", "-m", "one", "v1", main)
    head = desk.commit({"users/ann.yaml": user("ann", risk=1.0)}, branch="other")
    assert ends(desk.clone(head), {}, base) == (main, head)


def test_a_forced_push_leaves_nothing_to_compare_with(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    head = desk.origin.git("rev-parse", "main")
    assert ends(desk.clone(head), {"before": "1" * 40}) is None
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("::warning title=reconciler::the commit to compare with, 1111")
    assert line.endswith("the files are checked, nothing else")


@pytest.mark.parametrize("event", [{}, {"before": "0" * 40}, {"before": "0" * 64}, {"before": None}])
def test_nothing_was_before(desk: Desk, event: dict[str, Any]) -> None:
    assert ends(desk.clone(desk.origin.git("rev-parse", "main")), event) is None


def test_a_pull_request_whose_base_is_gone_cannot_run(desk: Desk) -> None:
    source = desk.commit({"users/ann.yaml": user("ann", risk=1.0)}, branch="change")
    event = {"pull_request": {"number": 7, "head": {"sha": source}, "base": {"sha": "1" * 40}}}
    with pytest.raises(CannotRun, match="cannot be fetched: fatal: ") as told:
        ends(desk.clone(source), event)
    assert "fetch-depth: 0" in told.value.hint


def test_a_base_is_no_option_of_git(desk: Desk, tmp_path: Path) -> None:
    work = desk.clone(desk.origin.git("rev-parse", "main"))
    with pytest.raises(CannotRun, match="is no revision"):
        ends(work, {}, f"--upload-pack=touch {tmp_path}/owned")
    assert not (tmp_path / "owned").exists()


def test_a_whole_history_stays_whole(desk: Desk) -> None:
    head = desk.commit({"users/ann.yaml": user("ann", risk=1.0)})
    work = desk.clone(head, depth=0)
    later = desk.commit({"users/ann.yaml": user("ann", risk=1.5)}, branch="later")
    GitRepo(work).git("update-ref", "-d", "refs/remotes/origin/later")
    assert ends(work, {}, later) == (later, head)
    assert GitRepo(work).git("rev-parse", "--is-shallow-repository") == "false"


def test_where_there_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="there is no folder"):
        open_checkout(tmp_path / "nowhere")
    with pytest.raises(CannotRun, match="is in no git repository"):
        open_checkout(tmp_path)


def test_outputs_hold_whatever_a_value_says(tmp_path: Path) -> None:
    file = tmp_path / "outputs"
    actions = Actions({"GITHUB_OUTPUT": str(file)})
    actions.output("a", "1\nchanges<<x\n9\nx")
    actions.output("b", json.dumps({"ä": 1}))
    assert parsed(file.read_text(encoding="utf-8")) == {"a": "1\nchanges<<x\n9\nx", "b": json.dumps({"ä": 1})}
