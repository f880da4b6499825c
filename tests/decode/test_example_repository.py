"""The example repository says what the domain says, file by file, and every reader of YAML agrees on it."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from reconciler.adapters.bundled import load_bundled_schemas
from reconciler.decode.document import decode

EXAMPLE = Path(__file__).parents[2] / "config-repo-example"
FILES = sorted(EXAMPLE.glob("*/*.yaml"))

BROKERS = """
caldervale-eu   ESMA_RETAIL     ''  -     30  20  20  20  50  200 6.0 d1790701 - -  -
ostrin-prime    OFFSHORE_RAW    .r  -     500 500 500 200 100 500 7.0 d19dae2b - -  -
fernhill-funded PROP_EVALUATION ''  .cash 100 100 30  50  20  200 5.0 2b3ca211 5 10 True
"""
USERS = """
fx-majors-01  bfe13562 PERCENTAGE 2.0  0.75 ATR   ATR        6 BOTH ACTIVE
fx-majors-02  60a339a1 FIXED      0.1  0.5  FIXED FIXED      4 BOTH ACTIVE
gold-swing-01 15aef848 PERCENTAGE 1.5  0.5  ATR   ATR        3 BUY  ACTIVE
prop-eval-01  a6a59377 FIXED      0.5  0.4  FIXED PERCENTAGE 3 BOTH ACTIVE
prop-eval-02  a3ae6540 FIXED      0.35 0.3  ATR   ATR        4 BOTH ACTIVE
retired-07    68d778f1 FIXED      0.01 0.25 FIXED FIXED      1 SELL INACTIVE
"""
ACCOUNTS = """
cv-eurusd caldervale-eu   fx-majors-01  cv-live-01  d7df3d7e d1790701 VARIABLE 6.0 3.34 30  EURUSD     ACTIVE
cv-gbpusd caldervale-eu   fx-majors-01  cv-live-01  4f398494 d1790701 VARIABLE 6.0 3.34 30  GBPUSD     ACTIVE
cv-usdjpy caldervale-eu   fx-majors-02  cv-live-01  e32149dc d1790701 FIXED    0.0 3.34 30  USDJPY     ACTIVE
op-eurusd ostrin-prime    fx-majors-02  op-raw-01   f6250432 d19dae2b VARIABLE 7.0 0.2  500 EURUSD.r   ACTIVE
op-xauusd ostrin-prime    gold-swing-01 op-raw-01   fdcd0680 d19dae2b VARIABLE 7.0 0.5  200 XAUUSD.r   ACTIVE
ff-us100  fernhill-funded prop-eval-01  ff-prop-01  0a4fa7e5 2b3ca211 VARIABLE 0.0 2.0  50  US100.cash ACTIVE
ff-eurusd fernhill-funded prop-eval-02  ff-prop-01  df0f55c0 2b3ca211 VARIABLE 5.0 1.0  100 EURUSD     ACTIVE
op-demo   ostrin-prime    retired-07    lab-wine-01 6b2a8230 d19dae2b VARIABLE 7.0 1.0  100 EURUSD.r   INACTIVE
"""
INSTANCES = r"""
cv-live-01  vps-ldn-01   e735fa00 C:\MT5\caldervale-live-01                      25 768  15 1.5 30 ACTIVE
op-raw-01   vps-ldn-01   92a63549 C:\MT5\ostrin-raw-01                           30 1024 12 1.0 30 ACTIVE
ff-prop-01  vps-nyc-01   e0b55c5b C:\MT5\fernhill-prop-01                        40 1024 10 2.0 45 ACTIVE
lab-wine-01 lab-linux-01 58169428 /home/mt5/.wine-lab/drive_c/MT5/ostrin-demo-01 50 1536 5  3.0 60 ACTIVE
"""
SIGNALS = """
london-breakout    fx-majors-01  65ebf571 BREAKOUT TRAILING_STOP PERCENTAGE 0.5  BOTH ACTIVE
asia-range-fade    fx-majors-02  bc54c312 REVERSAL STOP_LOSS     FIXED      0.4  BOTH ACTIVE
gold-trend         gold-swing-01 fff0e9e9 BREAKOUT TRAILING_STOP PERCENTAGE 0.5  BUY  ACTIVE
us-open-drive      prop-eval-01  81b213ba BREAKOUT STOP_LOSS     FIXED      0.3  BOTH ACTIVE
eur-mean-reversion prop-eval-02  e0b3d8b0 REVERSAL STOP_LOSS     FIXED      0.25 BOTH ACTIVE
"""
SYSTEMS = """
production 9730082a INFO  3600  256 512 5
lab        be936a90 DEBUG 21600 64  128 30
"""
FIELDS = {
    "Broker": "name regime symbol_suffix index_suffix leverage_cap.fx_major leverage_cap.fx_minor leverage_cap.gold "
    "leverage_cap.index_major lot.max limit_orders commission_norm_rt broker_id daily_loss_percent max_loss_percent "
    "distinct_parameters",
    "User": "name user_id lot_size_type lot_size_value risk_per_trade_percent stop_loss_type take_profit_type "
    "max_open_trades trade_direction status",
    "Account": "name broker user instance account_id broker_id spread_type commission margin_requirement leverage "
    "currency_pair status",
    "Instance": "name host instance_id path cpu_limit_percent memory_limit_mb max_trades slippage_tolerance "
    "connection_timeout_sec status",
    "Signal": "name users config_id entry_strategy exit_strategy lot_size_type risk_per_trade_percent trade_direction "
    "status",
    "System": "name config_id log_level backup_interval_sec max_log_size_mb cache_size_mb sync_interval_sec",
}
TABLES = {
    "Broker": BROKERS,
    "User": USERS,
    "Account": ACCOUNTS,
    "Instance": INSTANCES,
    "Signal": SIGNALS,
    "System": SYSTEMS,
}


def read(file: Path) -> dict[str, Any]:
    """The one document of a file, which must be without any problem or doubt."""
    decoded = decode(file.name, file.read_bytes())
    assert decoded.problems == ()
    [document] = decoded.documents
    assert not document.ambiguous
    assert isinstance(document.value, dict)
    return document.value


def flat(document: dict[str, Any]) -> dict[str, Any]:
    """Every value by its name (by `outer.inner` in a nested spec), a list of one as its member."""
    metadata, spec = document["metadata"], document["spec"]
    nested = {f"{key}.{inner}": spec[key][inner] for key in spec if isinstance(spec[key], dict) for inner in spec[key]}
    refs = {role: names[0] if isinstance(names, list) else names for role, names in metadata.get("refs", {}).items()}
    return {"name": metadata["name"], **metadata.get("labels", {}), **refs, **spec, **nested}


@pytest.mark.parametrize("kind", TABLES)
def test_every_value_is_that_of_the_domain(kind: str) -> None:
    resources = [flat(document) for document in map(read, FILES) if document["kind"] == kind]
    written = {resource["name"]: resource for resource in resources}
    rows = [line.split() for line in TABLES[kind].strip().splitlines()]
    assert len(resources) == len(rows)
    for row in rows:
        for field, expected in zip(FIELDS[kind].split(), row, strict=True):
            value = written[row[0]].get(field, "-")
            shown = str(value)[:8] if field.endswith("_id") else repr(value) if value == "" else str(value)
            assert shown == expected, (row[0], field)


def test_there_is_one_file_per_resource_in_the_folder_of_its_kind() -> None:
    found = Counter((file.parent.name, read(file)["kind"]) for file in FILES)
    assert found == {
        ("brokers", "Broker"): 3,
        ("users", "User"): 6,
        ("accounts", "Account"): 8,
        ("instances", "Instance"): 4,
        ("signals", "Signal"): 5,
        ("systems", "System"): 2,
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_is_laid_out_as_the_others(file: Path) -> None:
    document, text = read(file), file.read_text(encoding="utf-8")
    assert list(document) == ["apiVersion", "kind", "metadata", "spec"]
    assert document["apiVersion"] == "reconciler/v1"
    assert document["metadata"]["name"] == file.stem
    key = next(iter(document["spec"]))
    assert key.endswith("_id")
    assert str(uuid.UUID(document["spec"][key])) == document["spec"][key]
    assert text.startswith("# yaml-language-server: $schema=../")
    assert text.count("#") >= 3, "a comment or two that say why"
    assert "\t" not in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_schema_of_its_kind_is_where_the_editor_looks_for_it(file: Path) -> None:
    named = re.search(r"\$schema=(\S+)", file.read_text(encoding="utf-8"))
    assert named is not None
    schema = json.loads((file.parent / PurePosixPath(named[1])).read_bytes())
    assert schema["properties"]["kind"]["const"] == read(file)["kind"]


def test_the_editors_copies_are_the_shipped_schemas() -> None:
    copies = {path.name: path.read_bytes() for path in (EXAMPLE / ".reconciler" / "schemas").iterdir()}
    assert copies == {PurePosixPath(path).name: text for path, text in load_bundled_schemas().items()}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_yaml_1_1_reader_sees_the_same(file: Path) -> None:
    old = yaml.safe_load(file.read_bytes())
    assert read(file) == old
    assert repr(read(file)) == repr(old)


def test_links_lead_somewhere() -> None:
    documents = [read(file) for file in FILES]
    names = {(document["kind"], document["metadata"]["name"]) for document in documents}
    ids = {document["metadata"]["name"]: next(iter(document["spec"].values())) for document in documents}
    links = 0
    for document in documents:
        for role, target in document["metadata"].get("refs", {}).items():
            for name in target if isinstance(target, list) else [target]:
                assert (role.removesuffix("s").title(), name) in names
                links += 1
        if "broker_id" in document["spec"]:
            refs = document["metadata"].get("refs", {"broker": document["metadata"]["name"]})
            assert document["spec"]["broker_id"] == ids[refs["broker"]]
    assert links == 8 * 3 + 5
