"""Every hard range of the data model at both ends and just beyond them, every enum word, every length."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.validate.samples import check_value, codes, sample

INCLUSIVE: list[tuple[str, str, float, float]] = [
    ("User", "max_open_trades", 1, 1000),
    ("Account", "commission", 0, 50),
    ("Account", "leverage", 1, 3000),
    ("Instance", "cpu_limit_percent", 1, 100),
    ("Instance", "memory_limit_mb", 256, 65536),
    ("Instance", "max_trades", 1, 1000),
    ("Instance", "slippage_tolerance", 0, 100),
    ("Instance", "connection_timeout_sec", 1, 600),
    ("System", "backup_interval_sec", 60, 604800),
    ("System", "max_log_size_mb", 1, 102400),
    ("System", "cache_size_mb", 16, 65536),
    ("System", "sync_interval_sec", 1, 3600),
    ("Broker", "limit_orders", 1, 10000),
    ("Broker", "commission_norm_rt", 0, 50),
]
ABOVE_ZERO = [
    ("User", "lot_size_value", 100.0),
    ("User", "risk_per_trade_percent", 100.0),
    ("Account", "margin_requirement", 100.0),
    ("Signal", "risk_per_trade_percent", 100.0),
    ("Broker", "daily_loss_percent", 100.0),
    ("Broker", "max_loss_percent", 100.0),
]
WHOLE = {
    "max_open_trades",
    "max_trades",
    "connection_timeout_sec",
    "backup_interval_sec",
    "sync_interval_sec",
    "limit_orders",
}
ENUMS = [
    ("User", "lot_size_type", "FIXED PERCENTAGE"),
    ("User", "stop_loss_type", "FIXED ATR PERCENTAGE"),
    ("User", "take_profit_type", "FIXED ATR PERCENTAGE"),
    ("User", "trade_direction", "BUY SELL BOTH"),
    ("User", "status", "ACTIVE INACTIVE"),
    ("Account", "spread_type", "FIXED VARIABLE"),
    ("Account", "status", "ACTIVE INACTIVE"),
    ("Instance", "status", "ACTIVE INACTIVE"),
    ("Signal", "entry_strategy", "BREAKOUT REVERSAL"),
    ("Signal", "exit_strategy", "STOP_LOSS TRAILING_STOP"),
    ("Signal", "lot_size_type", "FIXED PERCENTAGE"),
    ("Signal", "trade_direction", "BUY SELL BOTH"),
    ("Signal", "status", "ACTIVE INACTIVE"),
    ("System", "log_level", "DEBUG INFO WARN ERROR"),
    ("Broker", "regime", "ESMA_RETAIL PROFESSIONAL OFFSHORE_RAW PROP_EVALUATION PROP_FUNDED"),
]


def _accepted(kind: str, field: str, value: Any) -> bool:
    entry = check_value(sample(kind, **{field: value}))
    assert codes(entry) in ([], [("out-of-range", f"/spec/{field}")])
    return bool(entry.resources)


@pytest.mark.parametrize(("kind", "field", "low", "high"), INCLUSIVE)
def test_a_range_with_both_ends(kind: str, field: str, low: float, high: float) -> None:
    assert _accepted(kind, field, low)
    assert _accepted(kind, field, high)
    if field in WHOLE:
        assert not _accepted(kind, field, int(low) - 1)
        assert not _accepted(kind, field, int(high) + 1)
    else:
        assert not _accepted(kind, field, math.nextafter(low, -math.inf))
        assert not _accepted(kind, field, math.nextafter(high, math.inf))
    assert not _accepted(kind, field, -1)


@pytest.mark.parametrize(("kind", "field", "high"), ABOVE_ZERO)
def test_a_range_above_zero(kind: str, field: str, high: float) -> None:
    assert _accepted(kind, field, math.nextafter(0, 1))
    assert _accepted(kind, field, high)
    assert not _accepted(kind, field, 0)
    assert not _accepted(kind, field, 0.0)
    assert not _accepted(kind, field, math.nextafter(high, math.inf))


@pytest.mark.parametrize(
    ("lot_size_type", "value", "accepted"),
    [
        ("FIXED", 0.01, True),
        ("FIXED", 100, True),
        ("FIXED", math.nextafter(0.01, 0), False),
        ("FIXED", math.nextafter(100, 101), False),
        ("FIXED", 0, False),
        ("PERCENTAGE", math.nextafter(0.01, 0), True),
        ("PERCENTAGE", 100, True),
        ("PERCENTAGE", 0, False),
        ("PERCENTAGE", math.nextafter(100, 101), False),
    ],
)
def test_the_range_of_lots_follows_from_their_type(lot_size_type: str, value: float, accepted: bool) -> None:
    entry = check_value(sample("User", lot_size_type=lot_size_type, lot_size_value=value))
    assert codes(entry) == ([] if accepted else [("out-of-range", "/spec/lot_size_value")])


@pytest.mark.parametrize(("kind", "field", "words"), ENUMS)
def test_an_enum_takes_its_words_and_no_others(kind: str, field: str, words: str) -> None:
    for word in words.split():
        assert check_value(sample(kind, **{field: word})).problems == ()
        for other in (word.lower(), f"{word} ", f"{word}X", word[:-1]):
            entry = check_value(sample(kind, **{field: other}))
            assert codes(entry) == [("not-allowed", f"/spec/{field}")]
            assert f"allowed: {', '.join(words.split())}" == entry.problems[0].hint


@pytest.mark.parametrize(
    ("kind", "field", "text"),
    [
        ("Account", "currency_pair", "E" * 10),
        ("Instance", "path", "/" + "p" * 254),
        ("Broker", "symbol_suffix", "." * 10),
    ],
)
def test_a_text_may_be_so_long_and_no_longer(kind: str, field: str, text: str) -> None:
    assert check_value(sample(kind, **{field: text})).problems == ()
    assert codes(check_value(sample(kind, **{field: text + "x"}))) == [("too-long", f"/spec/{field}")]


@pytest.mark.parametrize("length", [1, 2, 63])
def test_a_name_may_be_so_long(length: int) -> None:
    document = sample("User")
    document["metadata"]["name"] = "n" * length
    assert check_value(document).problems == ()


@pytest.mark.parametrize("column", ["limit_orders"])
@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 10**400])
def test_no_integer_beyond_its_column_is_stored(column: str, value: int) -> None:
    assert not check_value(sample("Broker", **{column: value})).resources
