"""The job behind `action.yml`: validate, policies' tests and plan, told as annotations, summary, comment and SARIF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler_ci import comments, telling
from reconciler_ci.checkout import PARENTS_OF_A_MERGE, Checkout, is_commit, open_checkout
from reconciler_ci.errors import CannotRun, Refused, Unavailable
from reconciler_ci.github_comments import PullRequest
from reconciler_ci.review import DIFFERENT, FAILED, OK, Findings, PolicyTests, Reconciler, outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler_ci.actions import Actions

NO_RIGHT = (
    "the plan is in this job's summary only: its token may not comment ({}). A job needs `permissions: pull-requests: "
    "write`; one that a fork's pull request started never has it"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the workflow asked for. An empty `base` is the one that the event tells."""

    path: str
    base: str
    comment: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What goes out: the exit codes, what was counted, and the text for people."""

    code: int
    found: Findings
    markdown: str


def run(wish: Wish, actions: Actions) -> int:
    """The whole job; its exit code. Differences are what a change is for: they do not fail it."""
    try:
        code = _run(wish, actions)
    except CannotRun as error:
        actions.annotate("error", f"{error}{f' ({error.hint})' if error.hint else ''}")
        actions.output("exit-code", FAILED)
        return FAILED
    return OK if code == DIFFERENT else code


def _run(wish: Wish, actions: Actions) -> int:
    checkout, event, folder = open_checkout(Path(wish.path)), actions.event(), actions.folder()
    reconciler = Reconciler(checkout, folder)
    ends = compared(checkout, event, wish.base, actions)
    valid = reconciler.validate("github")
    actions.say(valid.out.rstrip())
    if "without an annotation" in valid.out:
        actions.show("All problems", reconciler.validate("text").out)
    tests = reconciler.test_policies()
    _tell_tests(tests, actions)
    told = _plan(reconciler, ends, set(valid.out.split("\n")), actions) if ends else _validated(reconciler)
    code, markdown = outcome(valid.code, tests.code, told.code), telling.markdown(told.markdown, tests, checkout.path)
    file = folder / "reconciler.md"
    file.write_text(markdown, encoding="utf-8", errors="backslashreplace", newline="\n")
    failed = len(tests.failed)
    outputs = {"exit-code": code, "changes": told.found.changes, "problems": told.found.errors + failed}
    for name, value in {**outputs, "markdown": file}.items():
        actions.output(name, value)
    actions.summarise(markdown)
    if wish.comment and "pull_request" in event:
        needed = code != OK or telling.tells_change(told.markdown)
        _comment(markdown, event["pull_request"]["number"], actions, needed=needed)
    return code


def compared(checkout: Checkout, event: Mapping[str, Any], base: str, actions: Actions) -> tuple[str, str] | None:
    """The two commits that a plan is made between, both of them here; None where there is nothing to compare with.

    Raises `CannotRun` when the base cannot be had, unless it is only what was there before a push.
    """
    if change := event.get("pull_request"):
        source = change["head"]["sha"]
        old = checkout.obtain(base) if base else _target(checkout, change["base"]["sha"], source)
        return old, checkout.proposed(source, old)
    if base:
        return checkout.obtain(base), checkout.obtain("HEAD")
    if group := event.get("merge_group"):
        return checkout.obtain(group["base_sha"]), checkout.obtain("HEAD")
    before = event.get("before") or ""
    if not is_commit(before):
        actions.annotate("notice", "there is no earlier commit to compare with: the files are checked, nothing else")
        return None
    try:
        return checkout.obtain(before), checkout.obtain("HEAD")
    except CannotRun as error:  # a forced push: what was there before may be gone
        actions.annotate("warning", f"{error}: the files are checked, nothing else")
        return None


def _target(checkout: Checkout, target: str, source: str) -> str:
    """What a pull request is compared with: where GitHub merged it on trial, or else where it branched off."""
    parents = checkout.parents("HEAD")
    if len(parents) == PARENTS_OF_A_MERGE and parents[1] == source:
        return checkout.obtain(parents[0])
    here = checkout.obtain(target)
    return checkout.merge_base(here, "HEAD") or here


def _tell_tests(tests: PolicyTests, actions: Actions) -> None:
    for line in telling.failures(tests):
        actions.annotate("error", line, "policy test")
    if tests.number:
        actions.annotate("notice", f"{tests.number} tests of policies, {len(tests.failed)} failed", "policy test")


def _plan(reconciler: Reconciler, ends: tuple[str, str], known: set[str], actions: Actions) -> Told:
    """The plan in all its forms; what `validate` said is not said again."""
    plan = reconciler.plan(*ends, "json", "text", "github", "sarif", "markdown")
    actions.show("Plan", plan["text"].out)
    lines = plan["github"].out.rstrip().split("\n")
    actions.say("\n".join(line for line in lines if line not in known))
    sarif = reconciler.scratch / "reconciler.sarif"
    sarif.write_text(plan["sarif"].out, encoding="utf-8", newline="\n")
    actions.output("sarif", sarif)
    return Told(plan["json"].code, Findings.of(plan["json"]), plan["markdown"].out)


def _validated(reconciler: Reconciler) -> Told:
    counted = reconciler.validate("json")
    return Told(counted.code, Findings.of(counted), reconciler.validate("markdown").out)


def _comment(body: str, number: int, actions: Actions, *, needed: bool) -> None:
    """Whatever goes wrong here fails no job: the plan is in the summary."""
    token = actions.environ.get("GITHUB_TOKEN", "")
    if not token:
        actions.annotate("notice", NO_RIGHT.format("there is none"))
        return
    try:
        done = comments.upsert(PullRequest.of(actions.environ, token, number), body, needed=needed)
    except Refused as error:
        actions.annotate("notice", NO_RIGHT.format(error))
    except Unavailable as error:
        actions.annotate(
            "warning", f"the plan is in this job's summary only: GitHub did not take the comment ({error})"
        )
    else:
        actions.say(f"comment on #{number}: {done}")
