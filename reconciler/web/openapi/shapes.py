"""The shapes of answers and bodies as JSON Schemas, in the words of docs/commands.md and docs/http.md."""

from __future__ import annotations

from typing import Any

Shape = dict[str, Any]


def text(description: str = "", **more: Any) -> Shape:
    """A text."""
    return {"type": "string", **({"description": description} if description else {}), **more}


def one_of(*words: str) -> Shape:
    """One of some words."""
    return {"type": "string", "enum": list(words)}


def record(**fields: Shape) -> Shape:
    """An object that has all of these fields, and may come to have more."""
    return {"type": "object", "properties": fields, "required": list(fields)}


def listed(items: Shape) -> Shape:
    """A list."""
    return {"type": "array", "items": items}


def nullable(shape: Shape) -> Shape:
    """That, or null."""
    return {"anyOf": [shape, {"type": "null"}]}


def by_name(values: Shape) -> Shape:
    """An object with any names."""
    return {"type": "object", "additionalProperties": values}


def named(name: str) -> Shape:
    """One of the shapes below, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


FLAG: Shape = {"type": "boolean"}
COUNT: Shape = {"type": "integer", "minimum": 0}
NUMBER: Shape = {"type": "integer"}
ANY: Shape = {}
MOMENT = text("RFC 3339, in UTC", format="date-time")
COMMIT = text("the commit's sha", pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")
DIGEST = text("SHA-256", pattern="^[0-9a-f]{64}$")
NEXT = nullable(text("the cursor for what follows; null at the end"))
PERSON = record(name=text(), email=text(), time=text("with its zone", format="date-time"))
MADE = {"commit": COMMIT, "height": COUNT, "committed_at": MOMENT, "author": PERSON, "message": text()}
CHANGE = {
    "op": one_of("create", "update", "delete"),
    "kind": text(),
    "name": text(),
    "id": text(),
    "path": nullable(text()),
    "line": nullable(NUMBER),
    "fields": listed(record(field=text(), old=ANY, new=ANY)),
    "destructive": FLAG,
}
SUMMARY = record(create=COUNT, update=COUNT, delete=COUNT, unchanged=COUNT)
PLAN = {"base": nullable(COMMIT), "head": COMMIT, "summary": SUMMARY, "problems": listed(named("Problem"))}
ROWS_HEAD = {"key": text(), "columns": listed(record(field=text(), unit=text()))}

SHAPES: dict[str, Shape] = {
    "Error": record(error=record(code=text(), message=text(), hint=text())),
    "Problem": record(
        code=text("one heading each in docs/problems.md"),
        severity=one_of("error", "warning"),
        path=text(),
        line=NUMBER,
        column=NUMBER,
        pointer=text("RFC 6901"),
        message=text(),
        hint=text(),
    ),
    "Applied": record(commit=COMMIT, height=COUNT, digest=DIGEST, committed_at=MOMENT, applied_at=MOMENT),
    "Attempt": record(
        commit=COMMIT, committed_at=MOMENT, attempted_at=MOMENT, refused=FLAG, problems=listed(named("Problem"))
    ),
    "Suspension": record(reason=text(), actor=text(), since=MOMENT, until=nullable(MOMENT)),
    "Condition": record(
        type=text(), status=one_of("True", "False"), reason=text(), message=text(), since=nullable(MOMENT)
    ),
    "Daemon": record(
        pid=NUMBER,
        address=text(),
        started_at=MOMENT,
        phase=text(),
        phase_since=MOMENT,
        beat_at=MOMENT,
        last_sync_at=nullable(MOMENT),
        blind=text("why commits are not noticed at once; empty where they are"),
    ),
    "Shipping": record(
        versions=COUNT,
        oldest=nullable(MOMENT),
        behind=FLAG,
        events=COUNT,
        recorded=COUNT,
        last_success_at=nullable(MOMENT),
        next_attempt_at=nullable(MOMENT),
        failure=nullable(record(message=text(), hint=text(), at=MOMENT)),
    ),
    "Trouble": record(about=text(), outlook=text(), reason=text(), message=text(), hint=text(), since=MOMENT),
    "Status": record(
        repository=text(),
        branch=text(),
        head=nullable(COMMIT),
        sync=one_of("Synced", "OutOfSync", "Unknown"),
        health=one_of("Healthy", "Progressing", "Degraded", "Suspended"),
        applied=nullable(named("Applied")),
        attempted=nullable(named("Attempt")),
        refused=nullable(named("Attempt")),
        suspended=nullable(named("Suspension")),
        shallow=FLAG,
        resources=by_name(COUNT),
        conditions=listed(named("Condition")),
        daemon=nullable(named("Daemon")),
        history=nullable(named("Shipping")),
        live_view=nullable(record(commit=nullable(COMMIT), rows=COUNT, dropped=COUNT, bytes=COUNT)),
        drift=nullable(record(at=MOMENT, found=COUNT, healed=COUNT, fighting=listed(text()))),
        troubles=listed(named("Trouble")),
    ),
    "Change": record(**CHANGE),
    "ToldChange": record(**CHANGE, text=text("the same in words")),
    "PastChange": record(**MADE, orphaned=FLAG, **CHANGE, text=text("the same in words")),
    "Changes": record(changes=listed(named("PastChange")), orphaned=COUNT, next=NEXT),
    "Plan": record(**PLAN, changes=listed(named("Change"))),
    "Diff": record(**PLAN, changes=listed(named("ToldChange"))),
    "Blame": record(
        kind=text(),
        name=text(),
        id=text(),
        fields=listed(record(field=text(), value=ANY, unit=text(), **MADE)),
    ),
    "Version": record(
        commit=COMMIT,
        height=COUNT,
        mainline=FLAG,
        parents=listed(COMMIT),
        author=PERSON,
        committer=PERSON,
        message=text(),
        signed=FLAG,
        status=one_of("VALID", "INVALID"),
        problems=listed(named("Problem")),
        creates=COUNT,
        updates=COUNT,
        deletes=COUNT,
        digest=text(),
        orphaned=FLAG,
        recorded_at=MOMENT,
    ),
    "Versions": record(versions=listed(named("Version")), orphaned=COUNT, next=NEXT),
    "VersionWithChanges": record(version=named("Version"), changes=listed(named("ToldChange"))),
    "Place": record(asked=text(), **MADE, status=one_of("VALID", "INVALID"), orphaned=FLAG, by=one_of("host", "git")),
    "Drift": record(
        drift=listed(
            record(
                kind=text(),
                id=nullable(text()),
                name=nullable(text()),
                what=text(),
                fields=listed(text()),
                before=nullable(by_name(ANY)),
                after=nullable(by_name(ANY)),
            )
        ),
        summary=by_name(COUNT),
    ),
    "Kinds": record(
        kinds=listed(
            record(kind=text(), table=text(), key=text(), columns=COUNT, origin=one_of("shipped", "repository"))
        )
    ),
    "Sync": record(
        head=nullable(COMMIT),
        applied=nullable(named("Applied")),
        refused=nullable(named("Attempt")),
        changes=listed(named("ToldChange")),
        problems=listed(named("Problem")),
        history=ANY,
    ),
    "Verification": record(
        repository=text(),
        branch=text(),
        head=nullable(COMMIT),
        applied=nullable(COMMIT),
        commits=nullable(COUNT),
        rows=COUNT,
        differences=listed(record(sort=text(), count=COUNT, examples=listed(record(subject=text(), message=text())))),
    ),
    "Resumed": record(ended=nullable(named("Suspension"))),
    "Copy": record(file=text()),
    "Restored": record(applied=nullable(named("Applied")), aside=nullable(text())),
    "Health": record(healthy=FLAG, threads=by_name(text())),
    "Ready": record(ready=FLAG),
    "Delivery": record(result=one_of("accepted", "duplicate", "pong", "ignored")),
    "Session": by_name(ANY),
    "Sessions": record(sessions=listed(named("Session")), next=NEXT),
    "Ended": record(ended=COUNT),
    "Queried": record(columns=listed(record(name=text(), type=text())), rows=listed(listed(ANY)), cut=FLAG),
    "Tables": by_name(ANY),
}
