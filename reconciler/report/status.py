"""The state of a host, and what `doctor` found."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from msgspec import UNSET

from reconciler import answers, canonical
from reconciler.model.host import Grade
from reconciler.report.commits import build_applied, build_attempt, short_sha
from reconciler.report.escape import EXACT, Moments, escape_line, format_time
from reconciler.report.halts import build_drill, build_halt, drill_text, halt_line
from reconciler.report.problems import plural
from reconciler.report.rollback import build_rolled_back, rollback_lines
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model.host import Diagnosis, HostCondition, Suspension, UploadState
    from reconciler.model.live import CacheState
    from reconciler.status import Condition, FollowerStatus, Running, Scan, Status


FATES = {"live": True, "was-live": True, "skipped": True, "refused": False, "invalid": False, "held": False}
"""Whether a commit of such a fate went live, or was left behind by a later one that did."""


def build_status(status: Status) -> answers.Status:
    running = status.running
    return answers.Status(
        repository=status.repository,
        branch=status.branch,
        head=status.head,
        sync=cast("answers.SyncState", str(status.sync)),
        health=cast("answers.HealthState", str(status.health)),
        applied=build_applied(status.applied),
        attempted=build_attempt(status.attempt),
        refused=build_attempt(status.refused),
        suspended=build_suspension(status.suspension) if status.suspension else None,
        rolled_back=build_rolled_back(status.rollback, status.held) if status.rollback else None,
        shallow=status.shallow,
        resources=dict(status.resources),
        conditions=tuple(map(_build_condition, status.conditions)),
        daemon=_build_daemon(running) if running else None,
        history=_build_upload(running.history) if running and running.history else None,
        live_view=_build_live_view(running.view) if running and running.view else None,
        drift=_build_scan(running.scan) if running and running.scan else None,
        troubles=tuple(map(_build_trouble, status.troubles)),
        halted=tuple(map(build_halt, status.halts.standing)),
        halted_rows=dict(status.halted_rows),
        halt_drill=build_drill(status.drill),
        followers=tuple(map(_build_follower, running.followers)) if running and running.followers else UNSET,
    )


def build_suspension(suspension: Suspension) -> answers.Suspension:
    """Why automatic reconciling is suspended, by whom, since when and until when."""
    return answers.Suspension(
        reason=suspension.reason,
        actor=suspension.actor,
        since=canonical.timestamp(suspension.since),
        until=format_time(suspension.until),
    )


def _build_condition(condition: Condition) -> answers.Condition:
    return answers.Condition(
        type=condition.type,
        status=cast("answers.ConditionStatus", str(condition.holds)),
        reason=condition.reason,
        message=condition.message,
        since=format_time(condition.since),
    )


def _build_daemon(running: Running) -> answers.DaemonProcess:
    return answers.DaemonProcess(
        pid=running.pid,
        address=running.address,
        started_at=canonical.timestamp(running.started),
        phase=running.phase,
        phase_since=canonical.timestamp(running.phase_since),
        beat_at=canonical.timestamp(running.beat),
        last_sync_at=format_time(running.last_sync),
        blind=running.blind,
    )


def _build_upload(state: UploadState) -> answers.HistoryUpload:
    failure = state.failure
    return answers.HistoryUpload(
        versions=state.versions,
        oldest=format_time(state.oldest),
        behind=state.behind,
        events=state.events,
        recorded=state.recorded or 0,
        last_success_at=format_time(state.last_success),
        next_attempt_at=format_time(state.next_attempt),
        failure=answers.UploadFailure(message=failure.message, hint=failure.hint, at=canonical.timestamp(failure.at))
        if failure
        else None,
    )


def _build_live_view(view: CacheState) -> answers.LiveView:
    return answers.LiveView(
        commit=view.mark.commit if view.mark else None,
        rows=view.rows,
        dropped=view.dropped,
        bytes=view.bytes,
        kept_by=view.kept_by or None,
    )


def _build_scan(scan: Scan) -> answers.DriftScan:
    return answers.DriftScan(
        at=canonical.timestamp(scan.at), found=scan.found, healed=scan.healed, fighting=tuple(scan.fighting)
    )


def _build_follower(follower: FollowerStatus) -> answers.Follower:
    return answers.Follower(
        name=follower.name, state=cast("answers.FollowerState", follower.state), message=follower.message
    )


def _build_trouble(condition: HostCondition) -> answers.Trouble:
    return answers.Trouble(
        about=condition.about,
        outlook=str(condition.severity),
        reason=condition.reason,
        message=condition.message,
        hint=condition.hint,
        since=canonical.timestamp(condition.since),
    )


def is_settled(status: answers.Status, commit: str | None, fate: str | None = None) -> bool | None:
    """Whether what somebody waits for went live: the head, healthy, or a commit, of which the history knows the fate.

    False when it was refused, None while neither is decided. A commit that a later one has replaced was live.
    """
    if commit is None:
        if status.refused is not None or (status.rolled_back is not None and status.rolled_back.held):
            return False
        return True if (status.sync, status.health) == ("Synced", "Healthy") else None
    if status.applied is not None and status.applied.commit.startswith(commit):
        return True
    if status.attempted is not None and status.attempted.refused and status.attempted.commit.startswith(commit):
        return False
    return FATES.get(fate or "")


def unsettled_text(status: answers.Status) -> str:
    """What somebody who waits is told meanwhile."""
    head = short_sha(status.head) if status.head else "no commit"
    return f"{head} is {status.sync}, {status.health}"


def status_lines(status: answers.Status, moments: Moments = EXACT) -> Iterator[tuple[str, str]]:
    """The state of a host as labels and texts."""
    yield "repository", escape_line(f"{status.repository} ({status.branch})")
    yield "sync", status.sync
    yield "health", status.health
    yield "head", _head_text(status)
    yield "applied", _applied_text(status.applied, moments)
    if status.refused:
        errors = plural(sum(problem.severity == "error" for problem in status.refused.problems), "error")
        yield "refused", f"{short_sha(status.refused.commit)}, {errors}"
    if status.suspended:
        yield "suspended", suspension_line(status.suspended, moments)
    if status.rolled_back:
        yield from rollback_lines(status.rolled_back, moments)
    for halt in status.halted:
        yield "halted", halt_line(halt, moments)
    if kept := {kind: count for kind, count in status.halted_rows.items() if count}:
        yield "kept off", ", ".join(f"{count:,} {kind}" for kind, count in kept.items())
    live = (f"{count:,} {kind}" for kind, count in status.resources.items() if count)
    yield "live rows", ", ".join(live) or "none"
    if status.halt_drill or status.halted:
        yield "halt drill", drill_text(status.halt_drill, moments)
    if status.shallow:
        yield "clone", "shallow: rows are dated from where its history was cut off"
    if status.daemon:
        yield from _daemon_lines(status.daemon, status, moments)
    for trouble in status.troubles:
        since = f" since {moments.full(trouble.since)}" if status.daemon else ""
        yield "trouble", escape_line(f"{trouble.reason}{since}: {trouble.message}")
        if trouble.hint:
            yield "", escape_line(trouble.hint)


def suspension_line(suspension: answers.Suspension, moments: Moments = EXACT) -> str:
    """By whom, since when, until when, and why."""
    until = f"until {moments.full(suspension.until)}" if suspension.until else "until somebody resumes"
    actor, reason = escape_line(suspension.actor), escape_line(suspension.reason)
    return f"by {actor} since {moments.full(suspension.since)}, {until}: {reason}"


def _daemon_lines(daemon: answers.DaemonProcess, status: answers.Status, moments: Moments) -> Iterator[tuple[str, str]]:
    yield (
        "daemon",
        f"process {daemon.pid} at {daemon.address}: {daemon.phase} since {moments.full(daemon.phase_since)}",
    )
    if status.history:
        yield "history", _upload_text(status.history)
    if status.live_view:
        yield "live view", _live_view_text(status.live_view)
    for follower in status.followers or ():
        yield follower.name, escape_line(follower.message or follower.state)
    if status.drift:
        yield "drift", _scan_text(status.drift, moments)


def _head_text(status: answers.Status) -> str:
    if status.head:
        return short_sha(status.head)
    return "not known" if status.applied or status.troubles else "the branch has no commits yet"


def _applied_text(applied: answers.Applied | None, moments: Moments) -> str:
    if applied is None:
        return "nothing yet: run `reconciler sync`"
    return f"{short_sha(applied.commit)}, commit {applied.height}, live since {moments.full(applied.applied_at)}"


def _upload_text(upload: answers.HistoryUpload) -> str:
    waiting = f"{plural(upload.versions, 'version')} waiting" if upload.versions else ""
    if upload.failure:
        message = escape_line(upload.failure.message)
        return f"{waiting}: {message}" if waiting else message
    if upload.behind:
        return "not compared with git yet"
    return waiting or f"up to date, {plural(upload.recorded, 'version')}"


def _live_view_text(view: answers.LiveView) -> str:
    if view.commit is None:
        return "being written"
    left_out = f", {view.dropped:,} left out for want of room" if view.dropped else ""
    kept = f", kept by {escape_line(view.kept_by)}" if view.kept_by else ""
    return f"{plural(view.rows, 'row')} of {short_sha(view.commit)}{left_out}{kept}"


MAX_FIGHTING = 5
"""Rows that are named; the others are counted."""


def _scan_text(scan: answers.DriftScan, moments: Moments) -> str:
    at = moments.full(scan.at)
    if scan.fighting:
        rows = escape_line(list_words(scan.fighting, MAX_FIGHTING))
        return f"Fighting over {rows}: something else writes there; looked at {at}"
    if scan.found > scan.healed:
        return f"{plural(scan.found - scan.healed, 'difference')}, looked at {at}"
    return f"{scan.healed:,} put right at {at}" if scan.healed else f"none, looked at {at}"


def build_diagnosis(diagnosis: Diagnosis) -> dict[str, str]:
    return {
        "check": diagnosis.check,
        "grade": str(diagnosis.grade),
        "message": diagnosis.message,
        "hint": diagnosis.hint,
    }


DIAGNOSIS_WIDTH = 22
"""Cells before a message: its grade and what was examined."""


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    """The message with its label, and below it the hint."""
    yield f"{diagnosis.grade:<8} {diagnosis.check}", escape_line(diagnosis.message)
    if diagnosis.hint:
        yield "", escape_line(diagnosis.hint)


def summarize_diagnoses(diagnoses: Sequence[Diagnosis]) -> str:
    """`1 problem, 2 warnings`, or `all is well`."""
    counts = [sum(diagnosis.grade is grade for diagnosis in diagnoses) for grade in (Grade.PROBLEM, Grade.WARNING)]
    if not any(counts):
        return "all is well"
    words = zip(counts, ("problem", "warning"), strict=True)
    return ", ".join(f"{count} {word}{'s'[: count != 1]}" for count, word in words)
