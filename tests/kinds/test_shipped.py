"""The shipped schemas against the data model, written out here a second time on purpose."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from reconciler.adapters import bundled as adapter
from reconciler.adapters.bundled import find_example_repository, load_bundled_schemas, load_schema
from reconciler.errors import BugError
from reconciler.wiring.bundled import bundled_kinds
from tests.kinds.loading import example, shipped

STATUS = ("status", "VARCHAR(20)", "ACTIVE INACTIVE")
LOT_TYPE = ("lot_size_type", "VARCHAR(20)", "FIXED PERCENTAGE")
DIRECTION = ("trade_direction", "VARCHAR(10)", "BUY SELL BOTH")
MORE_THAN_0 = {"exclusiveMinimum": 0, "maximum": 100}


def between(low: float, high: float) -> dict[str, float]:
    return {"minimum": low, "maximum": high}


TABLES: dict[str, tuple[str, list[tuple[str, str, Any]], list[str], dict[str, tuple[str, bool]]]] = {
    "User": (
        "user_config",
        [
            ("user_id", "UUID", None),
            LOT_TYPE,
            ("lot_size_value", "FLOAT", MORE_THAN_0),
            ("risk_per_trade_percent", "FLOAT", MORE_THAN_0),
            ("stop_loss_type", "VARCHAR(20)", "FIXED ATR PERCENTAGE"),
            ("take_profit_type", "VARCHAR(20)", "FIXED ATR PERCENTAGE"),
            ("max_open_trades", "INTEGER", between(1, 1000)),
            DIRECTION,
            STATUS,
        ],
        ["user_id status"],
        {},
    ),
    "Account": (
        "account_config",
        [
            ("account_id", "UUID", None),
            ("broker_id", "UUID", None),
            ("spread_type", "VARCHAR(20)", "FIXED VARIABLE"),
            ("commission", "FLOAT", between(0, 50)),
            ("margin_requirement", "FLOAT", MORE_THAN_0),
            ("leverage", "FLOAT", between(1, 3000)),
            ("currency_pair", "VARCHAR(10)", None),
            STATUS,
        ],
        ["account_id broker_id"],
        {"broker": ("Broker", False), "user": ("User", False), "instance": ("Instance", False)},
    ),
    "Instance": (
        "instance_config",
        [
            ("instance_id", "UUID", None),
            ("path", "VARCHAR(255)", None),
            ("cpu_limit_percent", "FLOAT", between(1, 100)),
            ("memory_limit_mb", "FLOAT", between(256, 65536)),
            ("max_trades", "INTEGER", between(1, 1000)),
            ("slippage_tolerance", "FLOAT", between(0, 100)),
            ("connection_timeout_sec", "INTEGER", between(1, 600)),
            STATUS,
        ],
        ["instance_id status"],
        {},
    ),
    "Signal": (
        "signal_config",
        [
            ("config_id", "UUID", None),
            ("entry_strategy", "VARCHAR(50)", "BREAKOUT REVERSAL"),
            ("exit_strategy", "VARCHAR(50)", "STOP_LOSS TRAILING_STOP"),
            LOT_TYPE,
            ("risk_per_trade_percent", "FLOAT", MORE_THAN_0),
            DIRECTION,
            STATUS,
        ],
        ["config_id status"],
        {"users": ("User", True)},
    ),
    "System": (
        "system_config",
        [
            ("config_id", "UUID", None),
            ("log_level", "VARCHAR(20)", "DEBUG INFO WARN ERROR"),
            ("backup_interval_sec", "INTEGER", between(60, 604800)),
            ("max_log_size_mb", "FLOAT", between(1, 102400)),
            ("cache_size_mb", "FLOAT", between(16, 65536)),
            ("sync_interval_sec", "INTEGER", between(1, 3600)),
        ],
        ["config_id"],
        {},
    ),
}


def test_five_kinds_ship() -> None:
    assert [kind.name for kind in shipped()] == sorted(TABLES)


def test_the_program_takes_its_kinds_unchecked_as_the_checks_leave_them() -> None:
    taken = bundled_kinds().kinds
    assert taken == shipped()
    assert [(kind.origin, kind.digest, kind.schema) for kind in taken] == [
        (kind.origin, kind.digest, kind.schema) for kind in shipped()
    ]
    assert taken.digest == shipped().digest


@pytest.mark.parametrize("name", TABLES)
def test_a_kind_is_its_table(name: str) -> None:
    table, columns, indexes, references = TABLES[name]
    kind = shipped().by_name[name]
    found = [
        (
            column.name,
            f"{column.type}({column.length})" if column.length else str(column.type),
            " ".join(column.enum) if column.enum else dict(column.bounds) or None,
        )
        for column in kind.columns
    ]
    assert found == columns
    assert (kind.table, kind.key) == (table, columns[0][0])
    assert [" ".join(index) for index in kind.indexes] == indexes
    assert {one.role: (one.kind, one.many) for one in kind.references} == references
    assert all(column.required for column in kind.columns)
    optional = set(kind.schema["properties"]["spec"]["properties"]) - set(kind.schema["properties"]["spec"]["required"])
    assert optional == {kind.key}


@pytest.mark.parametrize("kind", example().members, ids=lambda kind: str(kind.name))
def test_editors_show_something_for_every_field(kind: Any) -> None:
    for column in kind.columns:
        assert len(column.description) > 40, column.name
        for limit in column.bounds.values():
            assert f"{limit:g}" in column.description or str(limit) in column.description, column.name
    envelope = kind.schema["properties"]
    assert all(part["description"] for part in (*envelope.values(), *envelope["metadata"]["properties"].values()))


@pytest.mark.parametrize(
    "schema",
    [*map(json.loads, load_bundled_schemas().values()), load_schema("kind"), load_schema("session_state")],
    ids=lambda schema: schema["title"],
)
def test_schemas_are_json_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


def test_the_example_repository_adds_a_kind() -> None:
    broker = example().by_name["Broker"]
    types = {column.name: (column.type.value, column.required) for column in broker.columns}
    assert broker.table == "broker_config"
    assert not broker.can_deactivate
    assert types == {
        "broker_id": ("UUID", True),
        "regime": ("VARCHAR", True),
        "symbol_prefix": ("VARCHAR", True),
        "symbol_suffix": ("VARCHAR", True),
        "index_suffix": ("VARCHAR", False),
        "leverage_cap": ("JSON", True),
        "lot": ("JSON", True),
        "limit_orders": ("INTEGER", True),
        "commission_norm_rt": ("FLOAT", True),
        "daily_loss_percent": ("FLOAT", False),
        "max_loss_percent": ("FLOAT", False),
        "distinct_parameters": ("BOOLEAN", False),
    }


SESSION = {
    "session_id": "0a4fa7e5-59eb-5b99-9ed6-881e17512693",
    "user_id": "bfe13562-dae7-5660-82da-24b6330334bd",
    "ip_address": "203.0.113.7",
    "last_active": "2026-11-22T15:31:40Z",
    "device_fingerprint": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "status": "ACTIVE",
}


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"ip_address": "2001:db8::7"}, True),
        ({"status": "EXPIRED"}, True),
        ({"ip_address": "localhost"}, False),
        ({"ip_address": "203.0.113.256"}, False),
        ({"status": "INACTIVE"}, False),
        ({"session_id": "1"}, False),
        ({"device_fingerprint": "a" * 255}, True),
        ({"device_fingerprint": "a" * 256}, False),
        ({"device_fingerprint": "Chrome 120 on Windows 11"}, False),
        ({"password": "x"}, False),
    ],
    ids=str,
)
def test_session_state(change: dict[str, str], valid: bool) -> None:
    validator = Draft202012Validator(load_schema("session_state"), format_checker=FormatChecker())
    assert validator.is_valid({**SESSION, **change}) is valid


def test_every_column_of_a_session_is_required() -> None:
    validator = Draft202012Validator(load_schema("session_state"))
    assert [name for name in SESSION if validator.is_valid({k: v for k, v in SESSION.items() if k != name})] == []


def test_an_unknown_record_is_a_bug() -> None:
    with pytest.raises(BugError, match="nonsense"):
        load_schema("nonsense")


def test_an_installed_wheel_finds_its_own_data(tmp_path: Path) -> None:
    package = tmp_path / "reconciler"
    source = Path(adapter.__file__).parent.parent
    for module in ("__init__.py", "errors.py", "adapters/__init__.py", "adapters/bundled.py"):
        (package / module).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / module, package / module)
    shutil.copytree(find_example_repository().parent / "schemas", package / "_data" / "schemas")
    (package / "_data" / "config-repo-example").mkdir()
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from reconciler.adapters.bundled import *\n"
        "print(*load_bundled_schemas(), load_schema('session_state')['title'], find_example_repository())\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(tmp_path)], check=True, capture_output=True, text=True
    )
    names = " ".join(f"schemas/{name.lower()}.schema.json" for name in sorted(TABLES))
    assert done.stdout.strip() == f"{names} session_state {package / '_data' / 'config-repo-example'}"
