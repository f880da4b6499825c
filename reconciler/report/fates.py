"""What became of a commit in a sentence, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.history.fate import NEVER_LIVE, CommitFate, Fate
from reconciler.model.commit import Status
from reconciler.model.problem import APPROVABLE
from reconciler.report.commits import build_spans, last_live_since, short_sha
from reconciler.report.escape import strip_fraction
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler import answers
    from reconciler.model.rows import VersionRow

    Sentence = tuple[str, tuple[str, ...]]

SYNC = "`reconciler sync` brings it live; a daemon (`reconciler run`) does so by itself"
MEND_STEP = "change or revert what was skipped in git: that goes live by itself"
END_STEP = "or, if it is meant, `reconciler rollback --end --reason …` lets it through"
APPROVE_STEP = "or, if it is meant, `reconciler sync --approve {sha}`"


class FateStory(Struct, frozen=True):
    """A commit, what became of it, the commit that went live after it or in its place, and how the host stands.

    `branch` is the one that has it, where the host follows another one; `merge` what brings it from a side branch.
    """

    version: VersionRow
    fate: CommitFate
    by: str | None
    status: answers.Status | None
    reasons: tuple[answers.Problem, ...]
    branch: str | None = None
    merge: str | None = None

    @property
    def sha(self) -> str:
        return short_sha(self.version.commit.sha)


def explain_fate(story: FateStory) -> Sentence:
    """The reason in a sentence, and the steps that come next."""
    fate = story.fate.fate
    if story.merge is not None and fate in NEVER_LIVE and not (fate is Fate.INVALID and _is_invalid(story)):
        return _merge_waits(story, story.merge)
    if story.branch is not None and fate in {Fate.SKIPPED, Fate.HELD, Fate.PENDING} and story.by is None:
        return _elsewhere(story.branch, story.status)
    return EXPLAIN[fate](story)


def explain_unrecorded(sha: str, status: answers.Status | None, *, is_ours: bool) -> tuple[Fate, str, tuple[str, ...]]:
    """The same of a commit that the history does not have, with its fate; `is_ours`: the followed branch has it."""
    if status is not None and status.applied is not None and status.applied.commit == sha:
        at = strip_fraction(status.applied.applied_at)
        return Fate.LIVE, f"It is live, since {at}. The history does not have it yet.", ()
    if status is not None and status.refused is not None and status.refused.commit == sha:
        return Fate.REFUSED, "It was refused. The history does not have it yet.", ("mend it with another commit",)
    if not is_ours:
        return Fate.SKIPPED, *_elsewhere(None, status)
    if status is not None and status.suspended is not None:
        told = "Nothing on this host has looked at it yet, as reconciling is suspended."
        return Fate.HELD, told, (resume_step(status.suspended),)
    trouble = next(iter(status.troubles), None) if status else None
    why = f" {trouble.reason}: {trouble.message}." if trouble else ""
    hint = (trouble.hint,) if trouble and trouble.hint else ()
    return Fate.PENDING, f"Nothing on this host has looked at it yet.{why}", (*hint, SYNC)


def ahead_note(status: answers.Status) -> Sentence:
    """That the head of the branch is a commit that nothing has looked at."""
    told = (
        f"The head of {status.branch} is {short_sha(status.head or '')}, which nothing on this host has looked at yet."
    )
    step = resume_step(status.suspended) if status.suspended else SYNC
    return told, ("`reconciler plan` shows what that would change", step)


def _is_invalid(story: FateStory) -> bool:
    return story.version.status == Status.INVALID


def _elsewhere(branch: str | None, status: answers.Status | None) -> Sentence:
    followed = f"the branch {status.branch}" if status and status.branch else "another branch"
    told = f"It is of the branch {branch}, and this host follows {followed}. It never was live here."
    if branch is None:
        told = f"It is not on {followed}, which this host follows, so it never was live here."
    return told, (f"merge it into {followed} to bring it live",)


def _merge_waits(story: FateStory, merge: str) -> Sentence:
    by = f" by {list_words(story.fate.refused_by)}" if story.fate.refused_by else ""
    what = {Fate.REFUSED: f"was refused{by}", Fate.INVALID: "is invalid"}.get(story.fate.fate, "waits")
    told = f"It is of a side branch. {short_sha(merge)}, the merge that brings it, {what}: nothing of it is live."
    return told, (why_step(merge),)


def _passed(story: FateStory) -> Sentence | None:
    """Why nothing is to be done about a commit that went wrong; None where something is."""
    if story.by is not None:
        return f"{short_sha(story.by)} above it went live, with what it leaves of these changes.", (why_step(story.by),)
    if story.version.orphaned:
        return "It has left the branch since, whose history was rewritten.", ()
    if story.branch is not None:
        return _elsewhere(story.branch, story.status)
    return None


def _live(story: FateStory) -> Sentence:
    return f"It is live, since {strip_fraction(last_live_since(build_spans(story.fate)))}.", ()


def _was_live(story: FateStory) -> Sentence:
    spans = build_spans(story.fate)
    span = spans[-1]
    why = "" if span.ended in {None, "replaced"} else f" ({str(span.ended).replace('-', ' ')})"
    after = f"; then {short_sha(story.by)} went live" if story.by else ""
    return (
        f"It was live from {strip_fraction(last_live_since(spans))} to {strip_fraction(span.until or '')}{why}{after}.",
        (),
    )


def _head_steps(story: FateStory) -> tuple[str, ...]:
    """What to do where the branch has gone on, and what is there now decides."""
    status = story.status
    if status is None or status.head in {None, story.version.commit.sha}:
        return ()
    head = short_sha(status.head or "")
    if status.attempted is not None and status.attempted.commit == status.head:
        return (f"the head is {head} by now: `reconciler why {head}` says how that is",)
    if status.suspended is not None:
        return (resume_step(status.suspended),)
    return (f"the head is {head} by now, and nothing has looked at it: {SYNC}",)


def _invalid(story: FateStory) -> Sentence:
    if passed := _passed(story):
        return f"It is invalid, and never was live by itself. {passed[0]}", passed[1]
    held, above = "What was live before it stays live, until a commit mends it.", _head_steps(story)
    told = f"It is invalid, so no row was changed by it. {held}"
    return told, above or ("mend what is told above, and commit that",)


def _refused(story: FateStory) -> Sentence:
    by = f" by {list_words(story.fate.refused_by)}" if story.fate.refused_by else ""
    if passed := _passed(story):
        return f"It is valid, and was refused{by}. {passed[0]}", passed[1]
    errors = [one for one in story.reasons if one.severity == "error"]
    told = f"It is valid, and was refused{by}. No row was changed by it."
    if above := _head_steps(story):
        return told, above
    steps = ["mend it with another commit"]
    if errors and all(one.code.startswith(APPROVABLE) for one in errors):
        steps.append(APPROVE_STEP.format(sha=story.sha))
    return told, tuple(steps)


def _held(story: FateStory) -> Sentence:
    suspended = story.status.suspended if story.status else None
    back = story.status.rolled_back if story.status else None
    if back is not None and suspended is None:
        held = "; ".join(problem.message for problem in back.held if story.status and _is_head(story, story.status))
        why = f": {held}" if held else ", and the head still holds what that skipped"
        return f"It waits: {_rolled_back(back)}{why}.", (MEND_STEP, END_STEP)
    return "It waits: reconciling is suspended.", (resume_step(suspended),)


def _pending(story: FateStory) -> Sentence:
    status = story.status
    trouble = next(iter(status.troubles), None) if status else None
    if trouble is not None:
        return f"It waits. {trouble.reason}: {trouble.message}.", (trouble.hint,) if trouble.hint else ()
    if status is not None and status.refused is not None and status.refused.commit != story.version.commit.sha:
        refused = short_sha(status.refused.commit)
        return f"It waits: {refused} above it was refused, and all up to the head goes live together.", (
            why_step(status.refused.commit),
        )
    if status is not None and status.daemon is not None:
        return f"It waits for the daemon, which is {status.daemon.phase}.", ("`reconciler status` tells how it is",)
    return "It waits: no daemon runs here.", (SYNC,)


def _is_head(story: FateStory, status: answers.Status) -> bool:
    return story.version.commit.sha == status.head


def _rolled_back(back: answers.RolledBack) -> str:
    since = strip_fraction(back.since)
    return f"this host was rolled back to {short_sha(back.target)} by {back.actor} at {since} ({back.reason})"


def _left(story: FateStory, back: answers.RolledBack) -> Sentence:
    live = build_spans(story.fate)
    was = (
        f"It was live from {strip_fraction(live[-1].since)} to {strip_fraction(live[-1].until or '')}. " if live else ""
    )
    return f"{was}It is skipped: {_rolled_back(back)}.", (MEND_STEP, END_STEP)


def _skipped(story: FateStory) -> Sentence:
    back, applied = (story.status.rolled_back, story.status.applied) if story.status else (None, None)
    if back and applied and not story.version.orphaned and story.version.height > applied.height:
        return _left(story, back)
    if story.version.orphaned:
        return "It left the branch, whose history was rewritten, before it went live here.", ()
    if not story.version.mainline:
        merge = f"{short_sha(story.merge)}, the merge that brought it" if story.merge else "the merge that brought it"
        last = story.by or story.merge
        live = f"; {short_sha(story.by)} above that went live" if story.by and story.by != story.merge else ""
        return f"It is of a side branch: what it changed came with {merge}{live}.", (why_step(last),) if last else ()
    if story.by is None:
        return "It never was live on this host.", ()
    by = short_sha(story.by)
    text = f"It never was live by itself: {by} above it went live in the same step, with its changes."
    return text, (why_step(story.by),)


EXPLAIN: Mapping[Fate, Callable[[FateStory], Sentence]] = {
    Fate.LIVE: _live,
    Fate.WAS_LIVE: _was_live,
    Fate.SKIPPED: _skipped,
    Fate.REFUSED: _refused,
    Fate.INVALID: _invalid,
    Fate.HELD: _held,
    Fate.PENDING: _pending,
}


def why_step(sha: str) -> str:
    return f"`reconciler why {short_sha(sha)}` says more of that"


def resume_step(suspended: answers.Suspension | None) -> str:
    """How a suspension ends."""
    until = f"; else it ends at {strip_fraction(suspended.until)}" if suspended and suspended.until else ""
    return f"`reconciler resume` ends the suspension{until}"
