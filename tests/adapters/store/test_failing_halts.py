"""Tables that somebody altered are in the way of a halt: it goes as far as it can, says where not, and tries again."""

from __future__ import annotations

import threading
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.duckdb.sharing import SharedStore
from reconciler.adapters.duckdb.store import open_store
from reconciler.adapters.haltfile import HaltFile
from reconciler.errors import NeedsHuman
from reconciler.kinds.build import build_kind
from reconciler.kinds.kind import Kinds
from reconciler.model.change import Key
from reconciler.model.halt import HALT_FAILED, Halt, Halts, HaltSelector
from tests.adapters.store.test_halt_file import SCHEMA
from tests.support.kinds import FixedClock, resource, row, step, uid
from tests.support.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.model.change import Row

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ALL = Halts().add(Halt("a", HaltSelector(), "why", "me", NOW))
ON, OFF = "ACTIVE", "INACTIVE"


def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = deepcopy(SCHEMA)
    schema["title"] = schema["properties"]["kind"]["const"] = name
    schema["x-reconciler"]["table"] = f"{name.lower()}_config"
    return schema


KINDS = Kinds(tuple(build_kind(_schema(name), f"schemas/{name}.json") for name in ("Alpha", "Robot", "Zulu")))


def rows() -> Iterator[Row]:
    for number, kind in enumerate(KINDS, 1):
        yield row(resource(kind, kind.name.lower(), {"robot_id": uid(number), "status": ON}), 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBStore]:
    with open_store(tmp_path, FixedClock()) as opened:
        opened.apply(KINDS, step(1, *rows()))
        yield opened


def run(store: DuckDBStore, *statements: str) -> None:
    with store._connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def statuses(store: DuckDBStore) -> dict[str, str]:
    with store._connection.cursor() as cursor:
        return {
            kind.name: "".join(
                status for (status,) in cursor.execute(f"SELECT status FROM main.{kind.table}").fetchall()
            )
            for kind in KINDS
        }


CHECKED = (
    "DROP TABLE main.robot_config",
    "CREATE TABLE main.robot_config (robot_id UUID PRIMARY KEY, status VARCHAR(20) CHECK (status = 'ACTIVE'), "
    "created_at TIMESTAMP, updated_at TIMESTAMP)",
    f"INSERT INTO main.robot_config VALUES ('{uid(2)}', 'ACTIVE', now()::TIMESTAMP, now()::TIMESTAMP)",
)
REFERRED = (
    "CREATE TABLE main.theirs (robot UUID REFERENCES main.robot_config (robot_id))",
    f"INSERT INTO main.theirs VALUES ('{uid(2)}')",
)
WAYS: dict[str, tuple[tuple[str, ...], str, set[str]]] = {
    "a check of theirs": (CHECKED, OFF, set()),
    "a column that is gone": (
        ("DROP INDEX main.robot_config_robot_id_status_index", "ALTER TABLE main.robot_config DROP COLUMN status"),
        OFF,
        set(),
    ),
    "a table that is gone": (("DROP TABLE main.robot_config",), OFF, set()),
    "a table that others refer to": ((*CHECKED, *REFERRED), ON, {"Robot"}),
    "what git says cannot be read": (("DROP TABLE desired.robot_config",), OFF, {"Robot"}),
    "what git says has no such column": (
        (
            "CREATE TABLE main.d AS SELECT * EXCLUDE (status) FROM desired.robot_config",
            "DROP TABLE desired.robot_config",
            "CREATE TABLE desired.robot_config AS FROM main.d",
            "DROP TABLE main.d",
        ),
        OFF,
        {"Robot"},
    ),
    "what is halted cannot be noted": (("DROP TABLE gitops.halted",), OFF, {kind.name for kind in KINDS}),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_kind_that_is_in_the_way_keeps_no_other_on(store: DuckDBStore, way: str) -> None:
    statements, robot, failed = WAYS[way]
    run(store, *statements)
    done = store.obey(KINDS, ALL)
    assert done is not None
    assert statuses(store) == {"Alpha": OFF, "Robot": robot, "Zulu": OFF}
    assert set(store.failed_halts()) == set(done.failed) == failed
    assert store.halts() == ALL
    told = [set(event.detail["failed"]) for event in store.events_after(0, 100) if event.event == HALT_FAILED]
    assert told == ([failed] if failed else [])
    assert store.obey(KINDS, ALL) is None, "nothing is new"
    applied = store.applied()
    assert applied is not None
    assert (applied.halts == ALL.digest) is not failed or not failed


def test_what_was_in_the_way_is_tried_again_and_nothing_heals_it_on(store: DuckDBStore) -> None:
    run(store, *CHECKED, *REFERRED)
    store.obey(KINDS, ALL)
    before = store.applied()
    store.heal(KINDS)
    store.record_drift(KINDS)
    assert statuses(store)["Zulu"] == OFF
    run(store, "DROP TABLE main.theirs")
    done = store.obey(KINDS, ALL)
    assert done is not None
    assert done.base == before != done.applied, "followers hear of a step"
    assert statuses(store) == dict.fromkeys(("Alpha", "Robot", "Zulu"), OFF)
    assert store.failed_halts() == {}
    told = [set(event.detail["failed"]) for event in store.events_after(0, 100) if event.event == HALT_FAILED]
    assert told == [{"Robot"}, set()]
    store.obey(KINDS, ALL.release(HaltSelector(), "well", "me", NOW))
    assert statuses(store) == dict.fromkeys(("Alpha", "Robot", "Zulu"), ON)


def test_live_rows_that_are_off_beside_what_git_says_are_healed_on_by_nobody(store: DuckDBStore) -> None:
    run(store, "ALTER TABLE gitops.halted RENAME TO theirs")
    store.obey(KINDS, ALL)
    store.heal(KINDS)
    with pytest.raises(NeedsHuman, match="altered what the store"):
        store.record_drift(KINDS)
    assert statuses(store) == dict.fromkeys(("Alpha", "Robot", "Zulu"), OFF)
    run(store, "ALTER TABLE gitops.theirs RENAME TO halted")
    store.obey(KINDS, ALL)
    assert (store.failed_halts(), store.drift(KINDS).total) == ({}, 0)
    store.obey(KINDS, ALL.release(HaltSelector(), "well", "me", NOW))
    assert statuses(store) == dict.fromkeys(("Alpha", "Robot", "Zulu"), ON)


def test_whoever_opens_the_store_tries_again(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        store.apply(KINDS, step(1, *rows()))
        run(store, *CHECKED, *REFERRED)
    HaltFile(tmp_path).change(lambda halts: ALL)
    with open_store(tmp_path, FixedClock()) as store:
        assert set(store.failed_halts()) == {"Robot"}
        run(store, "DROP TABLE main.theirs")
    with open_store(tmp_path, FixedClock()) as store:
        assert store.failed_halts() == {}
        assert statuses(store)["Robot"] == OFF


def test_mending_beside_the_thread_that_writes_disturbs_none_of_its_reads(tmp_path: Path) -> None:
    shared, over, wrong = SharedStore(tmp_path, FixedClock()), threading.Event(), list[object]()
    store = shared.store()
    store.apply(KINDS, step(1, *rows()))

    def read() -> None:
        """As the operations thread does, through the store's own connection."""
        while not over.is_set():
            try:
                names = [one.name for one in store.live(KINDS.by_name["Alpha"])]
                base = store.base(KINDS).by_name(Key("Alpha", "alpha"))
                if (names, len(base)) != (["alpha"], 1):
                    wrong.append((names, base))
            except Exception as error:  # noqa: BLE001
                wrong.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        file, halts = HaltFile(tmp_path), ALL
        for number in range(12):
            run(store, *CHECKED)
            add, drop = halts.add(Halt(f"{number}", HaltSelector(), "why", "me", NOW)), HaltSelector()
            halts = add if number % 2 == 0 else halts.release(drop, "well", "me", NOW)
            file.change(lambda before, halts=halts: halts)
            shared.obey_halts()
            until(lambda halts=halts: statuses(store)["Robot"] == (OFF if halts.standing else ON))
    finally:
        over.set()
        reader.join()
        shared.close_idle()
    assert wrong == []
