"""Where the databases differ from git, as an answer and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from reconciler.answers import Answer, Applied, Count, Sha
from reconciler.report.commits import build_applied, short_sha
from reconciler.report.escape import escape_line
from reconciler.report.problems import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.adapters.duckdb.backup import Restored as StoreRestored
    from reconciler.reconcile import verify


class Example(Answer, frozen=True):
    subject: str
    message: str


class Difference(Answer, frozen=True):
    """Differences of one sort, with the first of them."""

    sort: str
    count: Count
    examples: tuple[Example, ...]


class VerifiedView(Answer, frozen=True):
    """How many rows of the live view were compared; null, with the reason, when it could not be compared."""

    rows: Count | None
    reason: str


class Verification(Answer, frozen=True):
    """What was compared with git, and what differs. `commits` is null without a history, `live_view` without one."""

    repository: str
    branch: str
    head: Sha | None
    applied: Sha | None
    commits: Count | None
    rows: Count
    live_view: VerifiedView | None
    differences: tuple[Difference, ...]
    approximated: Annotated[
        Difference | None, Meta(description="commits with dates that the stores cannot hold: no difference")
    ] = None


class Restored(Answer, frozen=True):
    """The commit that is live now, where the store before is kept, and what of the rows is not what git says.

    `unread`: the store before could not be read, so its host events and suspension are only in the file that is kept.
    """

    applied: Applied | None
    aside: str | None
    unread: bool = False
    differences: tuple[Difference, ...] = ()


def build_restored(restored: StoreRestored, differences: Iterable[verify.Difference]) -> Restored:
    """What was restored, and how it compares with git."""
    return Restored(
        applied=build_applied(restored.applied),
        aside=str(restored.aside) if restored.aside else None,
        unread=restored.unread,
        differences=tuple(map(_build_difference, differences)),
    )


def build_verification(verification: verify.Verification) -> Verification:
    view = verification.view
    return Verification(
        repository=verification.repository,
        branch=verification.branch,
        head=verification.head,
        applied=verification.applied,
        commits=verification.commits if verification.has_history else None,
        rows=verification.rows,
        live_view=VerifiedView(rows=view.rows, reason=view.reason) if view else None,
        differences=tuple(map(_build_difference, verification.differences)),
        approximated=_build_difference(verification.approximated) if verification.approximated else None,
    )


def _build_difference(difference: verify.Difference) -> Difference:
    examples = (Example(subject=one.subject, message=one.message) for one in difference.examples)
    return Difference(sort=difference.sort, count=difference.count, examples=tuple(examples))


def is_drift(differences: Iterable[Difference]) -> bool:
    """Whether nothing but live rows and their tables differ, as something else may have altered them."""
    return all(example.subject.startswith("main ") for one in differences for example in one.examples)


def verification_lines(verification: Verification) -> Iterator[str]:
    """What was compared, then each sort of difference with its first examples."""
    recorded = verification.commits
    yield f"history     {'this host keeps none' if recorded is None else plural(recorded, 'commit')}"
    yield f"live rows   {verification.rows:,} of {short_sha(verification.applied or '')}"
    yield f"live view   {_view_text(verification.live_view)}"
    total = sum(difference.count for difference in verification.differences)
    for difference in verification.differences:
        yield from difference_lines(difference)
    if verification.approximated is not None:
        yield from difference_lines(verification.approximated)
    yield f"{plural(total, 'difference')} found" if total else "everything is as git says"


def difference_lines(difference: Difference) -> Iterator[str]:
    """A sort of difference with its first examples."""
    yield f"{difference.sort}: {difference.count:,}"
    for example in difference.examples:
        yield escape_line(f"  {example.subject}: {example.message}")
    if difference.count > len(difference.examples):
        yield f"  and {difference.count - len(difference.examples):,} more"


def _view_text(view: VerifiedView | None) -> str:
    if view is None:
        return "this host keeps none"
    return escape_line(f"not compared: {view.reason}") if view.rows is None else plural(view.rows, "row")
