"""Host events in words: who did what. A sentence goes on after its actor, where one is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler import canonical
from reconciler.evidence.chain import ROOT_MADE
from reconciler.model.halt import HALT_FAILED
from reconciler.model.rollback import ROLLBACK_ENDED, ROLLED_BACK
from reconciler.model.rows import DRIFT_FOUND, DRIFT_GONE, DRIFT_HEALED, RESTORED
from reconciler.report.commits import short_sha
from reconciler.report.problems import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.model.host import HostEvent

    Detail = Mapping[str, Any]

MAX_NAMED = 3
"""Rules that a sentence names."""
DONE = {"creates": "created", "updates": "updated", "deletes": "deleted"}


class EventWords(NamedTuple):
    """`actor` is a person, None where nobody is known or the host did it by itself; backquotes are around code."""

    actor: str | None
    words: str


def describe_event(event: HostEvent, authors: Mapping[str, str]) -> EventWords:
    """An event in words; `authors` has those of commits by sha. One that is not known here goes by its name."""
    try:
        return _DESCRIBE[event.event](event.detail, authors.get(event.commit or ""))
    except (KeyError, TypeError):  # another version of the program wrote it down, with other parts
        return EventWords(None, event.event.replace("-", " "))


def _applied(detail: Detail, author: str | None) -> EventWords:
    counts = [f"{detail[what]:,} {done}" for what, done in DONE.items() if detail.get(what)]
    said = f"{', '.join(counts) or 'no row changed'}"
    approved = [str(one["by"]) for one in detail.get("approved", ())]
    approval = f"; approved by {', '.join(approved)}" if approved else ""
    subject = "made a commit that went live" if author else "a commit went live"
    return EventWords(author, f"{subject}: {said}{approval}")


def _refused(detail: Detail, author: str | None) -> EventWords:
    rules = [f"`{rule}`" for rule in detail.get("refused_by", ())]
    more = f" and {len(rules) - MAX_NAMED} more" if len(rules) > MAX_NAMED else ""
    by = f" by {', '.join(rules[:MAX_NAMED])}{more}" if rules else ""
    problems = int(detail.get("problems", 0))
    what = f": {plural(problems, 'problem')}" if problems else ""
    subject = "made a commit that was refused" if author else "a commit was refused"
    return EventWords(author, f"{subject}{by}{what}")


def _halted(detail: Detail, _: str | None) -> EventWords:
    return EventWords(str(detail["actor"]), f"halted {detail['selector']}: {detail['reason']}")


def _released(detail: Detail, _: str | None) -> EventWords:
    return EventWords(str(detail["actor"]), f"released {detail['selector']}: {detail['reason']}")


def _halt_failed(detail: Detail, _: str | None) -> EventWords:
    failed: Mapping[str, str] = detail["failed"]
    if not failed:
        return EventWords(None, "the rows of all kinds obey what is halted and released again")
    return EventWords(None, "; ".join(f"{kind} does not obey what is halted: {why}" for kind, why in failed.items()))


def _drilled(detail: Detail, _: str | None) -> EventWords:
    error = detail.get("error")
    what = f"drilled a halt, which FAILED: {error}" if error else f"drilled a halt on a copy of {detail['rows']} rows"
    return EventWords(str(detail["actor"]), what)


def _suspended(detail: Detail, _: str | None) -> EventWords:
    until = f" until {_moment(detail['until'])}" if detail.get("until") else ""
    return EventWords(str(detail["actor"]), f"suspended reconciling{until}: {detail['reason']}")


def _resumed(detail: Detail, _: str | None) -> EventWords:
    what = f"resumed reconciling, which {detail['actor']} had suspended: {detail['reason']}"
    return EventWords(str(detail["resumed_by"]), what)


def _expired(detail: Detail, _: str | None) -> EventWords:
    return EventWords(None, f"the suspension by {detail['actor']} ended: {detail['reason']}")


def _rolled_back(detail: Detail, _: str | None) -> EventWords:
    ends = f"from `{short_sha(detail['skipped'])}` to `{short_sha(detail['target'])}`"
    return EventWords(str(detail["actor"]), f"rolled back {ends}: {detail['reason']}")


def _rollback_ended(detail: Detail, _: str | None) -> EventWords:
    if detail.get("ended_by"):
        return EventWords(str(detail["ended_by"]), f"ended the rollback of {detail['actor']}: {detail['end_reason']}")
    return EventWords(None, f"the rollback of {detail['actor']} is over: a newer commit went live")


def _found(detail: Detail, _: str | None) -> EventWords:
    return EventWords(None, f"something else changed live rows: {_rows(detail)} not what git says")


def _healed(detail: Detail, _: str | None) -> EventWords:
    return EventWords(None, f"this host healed drift: {_rows(detail)} put back to what git says")


def _gone(detail: Detail, _: str | None) -> EventWords:
    return EventWords(None, "drift is gone: the live rows are what git says")


def _bound(detail: Detail, _: str | None) -> EventWords:
    before = f" instead of `{detail['before']}`" if detail.get("before") else ""
    branch = f"branch `{detail['branch']}`{before}" if detail.get("branch") else "no branch yet"
    return EventWords(None, f"this host follows {branch} of {detail['repository']}")


def _moved(detail: Detail, _: str | None) -> EventWords:
    return EventWords(None, f"the repository is at {detail['url']}; it was at {detail['before']}")


def _restored(detail: Detail, _: str | None) -> EventWords:
    before = f"; `{short_sha(detail['before'])}` was live before" if detail.get("before") else ""
    return EventWords(None, f"the live rows were restored from the backup {detail['file']}{before}")


def _root_made(detail: Detail, _: str | None) -> EventWords:
    root: Mapping[str, Any] = detail["root"]
    signed = f"signed by `{detail['key']}`" if detail.get("signature") else f"not signed: {detail['unsigned']}"
    return EventWords(None, f"the root of {root['day']} was made over {root['entries']:,} entries, {signed}")


def _rows(detail: Detail) -> str:
    counts: Mapping[str, int] = detail.get("counts", {})
    total = sum(counts.values())
    return (
        f"{plural(total, 'row')} ({canonical.join_counts({f'of {kind}': number for kind, number in counts.items()})})"
    )


def _moment(text: str) -> str:
    return text[:16].replace("T", " ") + " UTC"


_DESCRIBE: dict[str, Callable[[Detail, str | None], EventWords]] = {
    "applied": _applied,
    "refused": _refused,
    "suspended": _suspended,
    "halted": _halted,
    "released": _released,
    "halt-drilled": _drilled,
    HALT_FAILED: _halt_failed,
    "resumed": _resumed,
    "suspension-expired": _expired,
    ROLLED_BACK: _rolled_back,
    ROLLBACK_ENDED: _rollback_ended,
    DRIFT_FOUND: _found,
    DRIFT_HEALED: _healed,
    DRIFT_GONE: _gone,
    "bound": _bound,
    "repository-moved": _moved,
    RESTORED: _restored,
    ROOT_MADE: _root_made,
}
