"""What somebody is told of a commit, by what became of it and of what is around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler import answers
from reconciler.history.fate import CommitFate, Fate
from reconciler.history.points import to_version_row
from reconciler.model.commit import Status
from reconciler.model.refusal import Refusal
from reconciler.report.escape import Moments
from reconciler.report.fates import FateStory, explain_fate, explain_unrecorded
from reconciler.values import replace
from tests.adapters.ledger.versions import sha, version
from tests.report.test_waiting import APPLIED, REFUSED, SYNCED
from tests.support.kinds import START

if TYPE_CHECKING:
    from collections.abc import Callable

APPROVE, MEND = "--approve", "mend"
GUARD = answers.Problem(
    code="policy/x", severity="error", path="a.yaml", line=1, column=1, pointer="", message="no", hint=""
)
HEAD = replace(SYNCED, head=sha(2), applied=replace(APPLIED, commit=sha(1)), refused=replace(REFUSED, commit=sha(2)))
NEWER = replace(HEAD, head=sha(3), refused=None, attempted=replace(REFUSED, commit=sha(2)))
NEWER_REFUSED = replace(HEAD, head=sha(3), attempted=replace(REFUSED, commit=sha(3)))


def story(fate: Fate, status: answers.Status | None = HEAD, **more: str | None) -> FateStory:
    """A commit at height 2, with a refusal where it has one."""
    row = to_version_row(version(2), START)
    if fate is Fate.INVALID and "merge" not in more:
        row = replace(row, status=Status.INVALID)
    if "merge" in more:
        row = replace(row, mainline=False)
    refusal = Refusal(sha(2), START, ("policy/x",), (), 1) if fate is Fate.REFUSED else None
    told = {"by": None, **more}
    return FateStory(row, CommitFate(fate, "here", refusal=refusal), told["by"], status, (GUARD,), **{
        key: value for key, value in told.items() if key != "by"
    })  # fmt: skip


MERGE, LATER = {"merge": "b" * 40}, {"by": "c" * 40}
CASES: dict[str, tuple[FateStory, str, tuple[str, ...]]] = {
    "refused": (story(Fate.REFUSED), "No row was changed by it", (MEND, APPROVE)),
    "refused, a newer head": (story(Fate.REFUSED, NEWER), "No row was changed", ("nothing has looked at it",)),
    "refused, and its head": (story(Fate.REFUSED, NEWER_REFUSED), "No row was changed", ("says how that is",)),
    "refused, passed": (story(Fate.REFUSED, **LATER), "cccccccc above it went live", ("why cccccccc",)),
    "refused elsewhere": (story(Fate.REFUSED, branch="dev"), "of the branch dev", ("merge it into the branch main",)),
    "invalid": (story(Fate.INVALID), "no row was changed", (MEND,)),
    "invalid, passed": (story(Fate.INVALID, **LATER), "cccccccc above it went live", ("why cccccccc",)),
    "invalid, a newer head": (story(Fate.INVALID, NEWER), "no row was changed", ("nothing has looked at it",)),
    "merge refused": (story(Fate.REFUSED, **MERGE), "bbbbbbbb, the merge that brings it, was refused", ("bbbbbbbb",)),
    "merge invalid": (story(Fate.INVALID, **MERGE), "bbbbbbbb, the merge that brings it, is invalid", ("bbbbbbbb",)),
    "merge waits": (story(Fate.PENDING, **MERGE), "bbbbbbbb, the merge that brings it, waits", ("bbbbbbbb",)),
    "merged": (story(Fate.SKIPPED, **MERGE), "came with bbbbbbbb", ("bbbbbbbb",)),
    "elsewhere": (story(Fate.SKIPPED, branch="dev"), "of the branch dev", ("merge it into the branch main",)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_commit_is_explained_by_what_is_around_it(case: str) -> None:
    told, because, steps = CASES[case]
    sentence, following = explain_fate(told)
    assert because in sentence
    assert len(following) == len(steps), following
    assert all(part in step for part, step in zip(steps, following, strict=True)), following


UNRECORDED: dict[str, tuple[Callable[[], tuple[Fate, str, tuple[str, ...]]], Fate, str]] = {
    "new": (lambda: explain_unrecorded(sha(9), HEAD, is_ours=True), Fate.PENDING, "`reconciler sync`"),
    "of another branch": (lambda: explain_unrecorded(sha(9), HEAD, is_ours=False), Fate.SKIPPED, "merge it into"),
    "refused": (lambda: explain_unrecorded(sha(2), HEAD, is_ours=True), Fate.REFUSED, MEND),
    "live": (lambda: explain_unrecorded(sha(1), HEAD, is_ours=True), Fate.LIVE, ""),
}


@pytest.mark.parametrize("case", UNRECORDED)
def test_what_the_history_lacks_is_explained_by_the_status(case: str) -> None:
    ask, fate, step = UNRECORDED[case]
    found, _, steps = ask()
    assert found is fate
    assert step in " ".join(steps)


def test_times_within_a_sentence_are_those_of_the_terminal() -> None:
    def shout(text: str) -> str:
        if "-02-30" in text:
            raise ValueError
        return "noon"

    told = Moments(shout, shout).within("from 2026-01-01T12:00:00.123Z to 2026-02-30T12:00:00Z, 2026-01-01")
    assert told == "from noon to 2026-02-30T12:00:00Z, 2026-01-01"
