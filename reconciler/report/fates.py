"""What became of a commit in a sentence, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.history.fate import CommitFate, Fate
from reconciler.model.problem import APPROVABLE
from reconciler.report.commits import build_spans, short_sha
from reconciler.report.escape import strip_fraction
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler import answers
    from reconciler.model.rows import VersionRow

    Sentence = tuple[str, tuple[str, ...]]

SYNC = "`reconciler sync` brings it live; a daemon (`reconciler run`) does so by itself"
APPROVE_STEP = "or, if it is meant, `reconciler sync --approve {sha}`"


class FateStory(Struct, frozen=True):
    """A commit, what became of it, the commit that went live after it or in its place, and how the host stands."""

    version: VersionRow
    fate: CommitFate
    by: str | None
    status: answers.Status | None
    reasons: tuple[answers.Problem, ...]

    @property
    def sha(self) -> str:
        return short_sha(self.version.commit.sha)


def explain_fate(story: FateStory) -> Sentence:
    """The reason in a sentence, and the steps that come next."""
    return EXPLAIN[story.fate.fate](story)


def _live(story: FateStory) -> Sentence:
    return f"It is live, since {strip_fraction(build_spans(story.fate)[-1].since)}.", ()


def _was_live(story: FateStory) -> Sentence:
    span = build_spans(story.fate)[-1]
    why = "" if span.ended in {None, "replaced"} else f" ({str(span.ended).replace('-', ' ')})"
    after = f"; then {short_sha(story.by)} went live" if story.by else ""
    return f"It was live from {strip_fraction(span.since)} to {strip_fraction(span.until or '')}{why}{after}.", ()


def _invalid(story: FateStory) -> Sentence:
    held = "What was live before it stays live, until a commit mends it."
    return f"It is invalid, so no row was changed by it. {held}", ("mend what is told above, and commit that",)


def _refused(story: FateStory) -> Sentence:
    errors = [one for one in story.reasons if one.severity == "error"]
    steps = ["mend it with another commit"]
    if errors and all(one.code.startswith(APPROVABLE) for one in errors):
        steps.append(APPROVE_STEP.format(sha=story.sha))
    by = f" by {list_words(story.fate.refused_by)}" if story.fate.refused_by else ""
    return f"It is valid, and was refused{by}. No row was changed by it.", tuple(steps)


def _held(story: FateStory) -> Sentence:
    suspended = story.status.suspended if story.status else None
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


def _skipped(story: FateStory) -> Sentence:
    if story.version.orphaned:
        return "It left the branch, whose history was rewritten, before it went live here.", ()
    if not story.version.mainline:
        return "It is of a side branch: what it changed came with the merge that brought it.", ()
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
