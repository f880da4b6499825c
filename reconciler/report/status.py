"""The state of a host, and what `doctor` found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.model.host import Grade
from reconciler.report import commits
from reconciler.report.escape import moment, second, visible
from reconciler.report.problems import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.model.host import Diagnosis, Suspension, Trouble
    from reconciler.model.live import CacheState
    from reconciler.model.upload import ShippingState
    from reconciler.status import Condition, Running, Scan, Status

    Answer = Mapping[str, Any]


def build_status(status: Status) -> dict[str, Any]:
    """The state of a host."""
    running = status.running
    return {
        "repository": status.repository,
        "branch": status.branch,
        "head": status.head,
        "sync": str(status.sync),
        "health": str(status.health),
        "applied": commits.build_applied(status.applied),
        "attempted": commits.build_attempt(status.attempt),
        "refused": commits.build_attempt(status.refused),
        "suspended": build_suspension(status.suspension),
        "shallow": status.shallow,
        "resources": dict(status.resources),
        "conditions": [_condition_json(one) for one in status.conditions],
        "daemon": _daemon_json(running) if running else None,
        "history": _history_json(running.history) if running and running.history else None,
        "live_view": _view_json(running.view) if running and running.view else None,
        "drift": _scan_json(running.scan) if running and running.scan else None,
        "troubles": [_trouble_json(one) for one in running.troubles] if running else [],
    }


def status_lines(answer: Answer) -> Iterator[tuple[str, str]]:
    """The state of a host as labels and texts."""
    yield "repository", visible(f"{answer['repository']} ({answer['branch']})")
    yield "sync", answer["sync"]
    yield "health", answer["health"]
    yield "head", commits.short(answer["head"]) if answer["head"] else "the branch has no commits yet"
    yield "applied", _applied(answer["applied"])
    if answer["refused"]:
        errors = plural(sum(one["severity"] == "error" for one in answer["refused"]["problems"]), "error")
        yield "refused", f"{commits.short(answer['refused']['commit'])}, {errors}"
    if answer["suspended"]:
        yield "suspended", suspension_line(answer["suspended"])
    live = (f"{count:,} {kind}" for kind, count in answer["resources"].items() if count)
    yield "live rows", ", ".join(live) or "none"
    if answer["shallow"]:
        yield "clone", "shallow: rows are dated from where its history was cut off"
    if answer["daemon"]:
        yield from _daemon_lines(answer)


def _daemon_lines(answer: Answer) -> Iterator[tuple[str, str]]:
    daemon, history, drift = answer["daemon"], answer["history"], answer["drift"]
    yield "daemon", f"process {daemon['pid']} at {daemon['address']}: {daemon['phase']} since {_since(daemon)}"
    if history:
        yield "history", _history(history)
    if answer["live_view"]:
        yield "live view", _view(answer["live_view"])
    if drift:
        yield "drift", _drift(drift)
    for trouble in answer["troubles"]:
        yield "trouble", visible(f"{trouble['reason']} since {second(trouble['since'])}: {trouble['message']}")
        if trouble["hint"]:
            yield "", visible(trouble["hint"])


def _since(daemon: Answer) -> str:
    return second(str(daemon["phase_since"]))


def _applied(applied: Answer | None) -> str:
    if applied is None:
        return "nothing yet: run `reconciler sync`"
    at = second(applied["applied_at"])
    return f"{commits.short(applied['commit'])}, commit {applied['height']}, live since {at}"


def _history(history: Answer) -> str:
    waiting = plural(history["versions"], "version")
    if history["failure"]:
        told = visible(history["failure"]["message"])
        return f"{waiting} waiting: {told}" if history["versions"] else told
    if history["behind"]:
        return "not compared with git yet"
    return (
        f"{waiting} waiting" if history["versions"] else f"up to date, {plural(history['recorded'], 'version')} so far"
    )


def _view(view: Answer) -> str:
    if view["commit"] is None:
        return "being written"
    left_out = f", {view['dropped']:,} left out for want of room" if view["dropped"] else ""
    kept = f", kept by {visible(view['kept_by'])}" if view["kept_by"] else ""
    return f"{plural(view['rows'], 'row')} of {commits.short(view['commit'])}{left_out}{kept}"


def _drift(drift: Answer) -> str:
    at = second(drift["at"])
    if drift["fighting"]:
        return f"Fighting over {visible(', '.join(drift['fighting']))}: something else writes there; looked at {at}"
    if drift["found"] > drift["healed"]:
        return f"{plural(drift['found'] - drift['healed'], 'difference')}, looked at {at}"
    return f"{drift['healed']:,} put right at {at}" if drift["healed"] else f"none, looked at {at}"


def _condition_json(one: Condition) -> dict[str, Any]:
    return {
        "type": one.type,
        "status": str(one.holds),
        "reason": one.reason,
        "message": one.message,
        "since": moment(one.since),
    }


def _daemon_json(running: Running) -> dict[str, Any]:
    return {
        "pid": running.pid,
        "address": running.address,
        "started_at": moment(running.started),
        "phase": running.phase,
        "phase_since": moment(running.phase_since),
        "beat_at": moment(running.beat),
        "last_sync_at": moment(running.last_sync),
        "blind": running.blind,
    }


def _history_json(state: ShippingState) -> dict[str, Any]:
    failure = state.failure
    return {
        "versions": state.versions,
        "oldest": moment(state.oldest),
        "behind": state.behind,
        "events": state.events,
        "recorded": state.recorded,
        "last_success_at": moment(state.last_success),
        "next_attempt_at": moment(state.next_attempt),
        "failure": failure
        and {"message": failure.message, "hint": failure.hint, "at": canonical.timestamp(failure.at)},
    }


def _scan_json(scan: Scan) -> dict[str, Any]:
    return {"at": moment(scan.at), "found": scan.found, "healed": scan.healed, "fighting": list(scan.fighting)}


def _view_json(view: CacheState) -> dict[str, Any]:
    commit = view.mark.commit if view.mark else None
    kept_by = view.kept_by or None
    return {
        "commit": commit,
        "rows": view.rows,
        "dropped": view.dropped,
        "bytes": view.bytes,
        "kept_by": kept_by,
    }


def _trouble_json(trouble: Trouble) -> dict[str, Any]:
    return {
        "about": trouble.about,
        "outlook": str(trouble.outlook),
        "reason": trouble.reason,
        "message": trouble.message,
        "hint": trouble.hint,
        "since": moment(trouble.since),
    }


def suspension_line(answer: Mapping[str, Any]) -> str:
    """By whom, since when, until when, and why; from the JSON of a suspension."""
    until = f"until {second(answer['until'])}" if answer["until"] else "until somebody resumes"
    return f"by {visible(answer['actor'])} since {second(answer['since'])}, {until}: {visible(answer['reason'])}"


def build_suspension(suspension: Suspension | None) -> dict[str, Any] | None:
    """A suspension; null for none."""
    return None if suspension is None else suspension.detail()


def build_diagnosis(diagnosis: Diagnosis) -> dict[str, str]:
    """One diagnosis."""
    return {
        "check": diagnosis.check,
        "grade": str(diagnosis.grade),
        "message": diagnosis.message,
        "hint": diagnosis.hint,
    }


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """A diagnosis, and how to mend it."""
    yield f"{diagnosis.grade:<8} {diagnosis.check:<12} {visible(diagnosis.message)}"
    if diagnosis.hint:
        yield f"{'':<21} {visible(diagnosis.hint)}"


def summarize_diagnoses(diagnoses: Sequence[Diagnosis]) -> str:
    """How many of each."""
    counts = [sum(one.grade is grade for one in diagnoses) for grade in (Grade.PROBLEM, Grade.WARNING)]
    if not any(counts):
        return "all is well"
    told = zip(counts, ("problem", "warning"), strict=True)
    return ", ".join(f"{count} {word}{'s'[: count != 1]}" for count, word in told)
