"""Host events in words, and the columns of a kind in the order in which people see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.kinds.kind import Column, Reference, SqlType
from reconciler.model.host import HostEvent
from reconciler.report.columns import arrange_columns
from reconciler.report.eventwords import describe_event
from reconciler.values import replace
from tests.support.kinds import GADGET, make_kind

SHA = "a" * 40
SUSPENDED = {"reason": "news", "actor": "Ann", "since": "2026-11-30T09:00:00Z", "until": "2026-11-30T18:30:00Z"}


@pytest.mark.parametrize(
    ("event", "detail", "told"),
    [
        (
            "applied",
            {"how": "advance", "creates": 0, "updates": 1, "deletes": 0},
            "Maren: made a commit that went live: 1 updated",
        ),
        (
            "applied",
            {
                "how": "replace",
                "creates": 1200,
                "updates": 0,
                "deletes": 2,
                "approved": [{"by": "Ines", "codes": ["guard/prune-limit"]}],
            },
            "Maren: made a commit that went live: 1,200 created, 2 deleted; approved by Ines",
        ),
        (
            "refused",
            {"problems": 1, "refused_by": ["policy/a"], "reasons": []},
            "Maren: made a commit that was refused by `policy/a`: 1 problem",
        ),
        (
            "refused",
            {"problems": 9, "refused_by": ["a", "b", "c", "d", "e"]},
            "Maren: made a commit that was refused by `a`, `b`, `c` and 2 more: 9 problems",
        ),
        ("suspended", SUSPENDED, "Ann: suspended reconciling until 2026-11-30 18:30 UTC: news"),
        ("suspended", SUSPENDED | {"until": None}, "Ann: suspended reconciling: news"),
        ("resumed", SUSPENDED | {"resumed_by": "Ines"}, "Ines: resumed reconciling, which Ann had suspended: news"),
        ("suspension-expired", SUSPENDED, "None: the suspension by Ann ended: news"),
        (
            "drift-found",
            {"counts": {"Account": 1}},
            "None: something else changed live rows: 1 row (1 of Account) not what git says",
        ),
        (
            "drift-healed",
            {"counts": {"A": 2, "B": 1}},
            "None: this host healed drift: 3 rows (2 of A, 1 of B) put back to what git says",
        ),
        ("bound", {"repository": "r", "branch": "main", "before": None}, "None: this host follows branch `main` of r"),
        (
            "bound",
            {"repository": "r", "branch": "b", "before": "main"},
            "None: this host follows branch `b` instead of `main` of r",
        ),
        (
            "restored",
            {"file": "x.duckdb", "before": SHA},
            "None: the live rows were restored from the backup x.duckdb; `aaaaaaaa` was live before",
        ),
        (
            "root-made",
            {"root": {"day": "2026-11-22", "entries": 1234}, "signature": "…", "key": "SHA256:k", "unsigned": ""},
            "None: the root of 2026-11-22 was made over 1,234 entries, signed by `SHA256:k`",
        ),
        (
            "root-made",
            {"root": {"day": "2026-11-22", "entries": 5}, "signature": "", "key": "", "unsigned": "there is no key"},
            "None: the root of 2026-11-22 was made over 5 entries, not signed: there is no key",
        ),
        ("suspended", {"of": "another version"}, "None: suspended"),
        ("moon-landed", {}, "None: moon landed"),
    ],
)
def test_an_event_is_a_sentence(event: str, detail: dict[str, Any], told: str) -> None:
    commit = SHA if event in ("applied", "refused") else None
    happened = HostEvent(1, datetime(2026, 11, 30, tzinfo=UTC), event, commit, None, 0, detail)
    said = describe_event(happened, {SHA: "Maren"})
    assert f"{said.actor}: {said.words}" == told
    if commit:
        assert describe_event(happened, {}).words == said.words.replace("made a commit that", "a commit")


def test_columns_go_from_the_state_to_the_ids() -> None:
    ids = [Column(name, SqlType.UUID) for name in ("desk_id", "broker_id", "other_id")]
    parts, words = Column("parts", SqlType.JSON), [Column(name, SqlType.VARCHAR) for name in ("pair", "status", "user")]
    references = (Reference("user", "User"), Reference("broker", "Broker"))
    kind = make_kind("Desk", (*ids, parts, *words), indexes=(), references=references)
    shown = [(one.name, one.field, one.kind) for one in arrange_columns(kind)]
    assert shown == [
        ("status", "status", None),
        ("refs.user", None, "User"),
        ("broker", "broker_id", "Broker"),
        ("pair", "pair", None),
        ("user", "user", None),
        ("parts", "parts", None),
        ("other_id", "other_id", None),
    ]
    hinted = replace(kind, importance=("pair", "broker_id", "nothing"))
    assert [one.name for one in arrange_columns(hinted)][:3] == ["status", "pair", "broker"]
    assert [one.name for one in arrange_columns(GADGET)] == ["widget", "spares", "twin", "path", "speed"]
