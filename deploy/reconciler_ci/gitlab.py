"""The jobs behind `deploy/gitlab-ci.yml`: text in the log, JUnit reports, and a note on the merge request."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from reconciler_ci import comments, telling
from reconciler_ci.checkout import Checkout, is_commit, open_checkout
from reconciler_ci.comments import Comment
from reconciler_ci.errors import CannotRun, Refused, Unavailable
from reconciler_ci.http import Api
from reconciler_ci.review import DIFFERENT, FAILED, OK, Reconciler, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TOKEN = "MERGE_REQUEST_TOKEN"  # noqa: S105  the variable's name


@dataclass(frozen=True, slots=True)
class MergeRequest:
    """A merge request's notes; `address` is that of the merge request in the API."""

    api: Api
    address: str

    @classmethod
    def of(cls, environ: Mapping[str, str], token: str) -> MergeRequest:
        """The one that the pipeline runs for."""
        project = quote(environ["CI_PROJECT_ID"], safe="")
        address = f"/projects/{project}/merge_requests/{environ['CI_MERGE_REQUEST_IID']}"
        return cls(Api(environ["CI_API_V4_URL"].rstrip("/"), {"PRIVATE-TOKEN": token}), address)

    def comments(self) -> Iterator[Comment]:
        """All notes; own are those of the token's account."""
        own = self.api.call("GET", "/user")["id"]
        for told in self.api.pages(f"{self.address}/notes"):
            yield Comment(told["id"], told["body"] or "", told["author"]["id"] == own)

    def add(self, body: str) -> None:
        """Write a note."""
        self.api.call("POST", f"{self.address}/notes", {"body": body})

    def replace(self, comment: Comment, body: str) -> None:
        """Write another text over a note."""
        self.api.call("PUT", f"{self.address}/notes/{comment.key}", {"body": body})


def validate(path: str, base: str, environ: Mapping[str, str]) -> int:
    """The files and the policies' tests; `reconciler-validate.xml`."""

    def job(reconciler: Reconciler) -> int:
        _write("reconciler-validate.xml", reconciler.validate("junit").out)
        valid = reconciler.validate("text")
        tests = reconciler.test_policies()
        _say(valid.out.rstrip(), *telling.failures(tests))
        if tests.number:
            _say(f"{tests.number} tests of policies, {len(tests.failed)} failed")
        return outcome(valid.code, tests.code)

    return _started(path, job)


def plan(path: str, base: str, environ: Mapping[str, str]) -> int:
    """The plan; `reconciler-plan.xml` and `reconciler-plan.md`, and the note when there is a token."""

    def job(reconciler: Reconciler) -> int:
        ends = compared(reconciler.checkout, environ, base)
        if ends is None:
            _say("there is no earlier commit to compare with: nothing is planned")
            return OK
        told = reconciler.plan(*ends, "text", "junit", "markdown")
        code = told["text"].code
        _say(told["text"].out.rstrip())
        _write("reconciler-plan.xml", told["junit"].out)
        body = comments.marked(told["markdown"].out, reconciler.checkout.path)
        _write("reconciler-plan.md", body)
        _note(body, environ, needed=code != OK or telling.tells_change(body))
        return code

    return _started(path, job)


def compared(checkout: Checkout, environ: Mapping[str, str], base: str) -> tuple[str, str] | None:
    """The two commits that a plan is made between. A pipeline for merged results tells its target's newest commit."""
    told = environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA") or environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA")
    before = environ.get("CI_COMMIT_BEFORE_SHA", "")
    wanted = base or told or (before if is_commit(before) else "")
    if not wanted:
        return None
    old = checkout.obtain(wanted)
    return old, checkout.proposed(environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", ""), old)


def _started(path: str, job: Callable[[Reconciler], int]) -> int:
    try:
        with tempfile.TemporaryDirectory() as scratch:
            code = job(Reconciler(open_checkout(Path(path)), Path(scratch)))
    except CannotRun as error:
        sys.stderr.write(f"error: {error}\n{f'hint: {error.hint}' if error.hint else ''}\n")
        return FAILED
    return OK if code == DIFFERENT else code


def _note(body: str, environ: Mapping[str, str], *, needed: bool) -> None:
    """Whatever goes wrong here fails no job: the plan is in the log."""
    token = environ.get(TOKEN, "")
    if not (token and environ.get("CI_MERGE_REQUEST_IID")):
        return
    try:
        _say(
            f"note on !{environ['CI_MERGE_REQUEST_IID']}: "
            f"{comments.upsert(MergeRequest.of(environ, token), body, needed=needed)}"
        )
    except (Refused, Unavailable) as error:
        _say(f"warning: there is no note on the merge request: {error}")


def _write(name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
